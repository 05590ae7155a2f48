import { spawn } from 'node:child_process'
import { formatAddress, parseAddress, type Address } from '@portcullis/core/net/address.ts'
import { formatTarget, type ScanTarget } from './targetList.ts'

const OUTPUT_BYTES_MAX = 64 * 1024 * 1024
const TIMEOUT_MS = 30_000

/** How the kernel would send to an address. */
export interface Route {
  readonly interfaceName: string
  readonly source: Address
  /** The address itself, or the router's. */
  readonly nextHop: Address
  /** One of this machine's own addresses: packets to it never reach a wire. */
  readonly isLocal: boolean
}

/** Asks the kernel by `ip route get`, all targets in one process, and answers by their text. A target without a route is missing. */
export async function routesTo(targets: readonly ScanTarget[], signal?: AbortSignal): Promise<ReadonlyMap<string, Route>> {
  const routes = new Map<string, Route>()
  const zones = new Set(targets.flatMap((target) => (target.zone === undefined ? [] : [formatTarget(target)])))
  const questions = targets.map((target) => `route get ${formatAddress(target)}${target.zone === undefined ? '' : ` oif ${target.zone}`}\n`).join('')
  for (const line of (await askIp(questions, signal)).split('\n')) {
    for (const [destination, route] of readRoutes(line)) {
      const zoned = `${destination}%${route.interfaceName}`
      routes.set(zones.has(zoned) ? zoned : destination, route)
    }
  }
  return routes
}

/** `ip -force -batch -` goes on after "Network is unreachable"; its exit code then only says that this happened. */
function askIp(questions: string, signal?: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn('ip', ['-json', '-force', '-batch', '-'], {
      stdio: ['pipe', 'pipe', 'ignore'],
      timeout: TIMEOUT_MS,
      env: { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin` },
      ...(signal ? { signal } : {}),
    })
    const chunks: Buffer[] = []
    let size = 0
    child.stdout.on('data', (chunk: Buffer) => {
      size += chunk.length
      if (size > OUTPUT_BYTES_MAX) child.kill()
      else chunks.push(chunk)
    })
    child.on('error', reject)
    child.on('close', () => resolve(Buffer.concat(chunks).toString('utf8')))
    child.stdin.on('error', () => undefined)
    child.stdin.end(questions)
  })
}

interface RouteJson {
  readonly dst?: string
  readonly type?: string
  readonly dev?: string
  readonly gateway?: string
  readonly via?: { readonly host?: string }
  readonly prefsrc?: string
}

export function readRoutes(line: string): [string, Route][] {
  if (!line.startsWith('[')) return []
  return (JSON.parse(line) as RouteJson[]).flatMap((json) => {
    const destination = parseAddress(json.dst ?? '')
    const source = parseAddress(json.prefsrc ?? '')
    const nextHop = parseAddress(json.gateway ?? json.via?.host ?? json.dst ?? '')
    if (!destination.ok || !source.ok || !nextHop.ok || json.dev === undefined) return []
    const isLocal = json.type === 'local' || json.dev === 'lo'
    const route = { interfaceName: json.dev, source: source.value, nextHop: nextHop.value, isLocal }
    return [[formatAddress(destination.value), route] as [string, Route]]
  })
}
