import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import type { ScanProgress, ScanResult } from './scanResult.ts'
import type { ScanSpec } from './scanSpec.ts'

/**
 * A vantage and targets in network namespaces, all on one bridge of the vantage's: what the prober's lab tests and its benchmark scan.
 * Target k has 10.98.0.(10 + k) and fd98::(10 + k), k from 0.
 */
export interface ScanLab {
  readonly targets: readonly LabTarget[]
  /** Runs a command in the vantage and answers its stdout. */
  inVantage(argv: readonly string[], options?: RunOptions): Promise<string>
  scan(spec: ScanSpec): Promise<ScanResult>
  /** The same, interrupted as by Ctrl-C once it has told that so many probes are done. */
  scanInterrupted(spec: ScanSpec, probes: number): Promise<ScanResult>
  /** `portcullis scan`, as a person starts it, with --json. */
  command(argv: readonly string[]): Promise<ScanResult>
  /** Loses this share of the TCP packets at each target, in both directions. */
  setLoss(percent: number): void
  close(): void
}

export interface LabTarget {
  readonly namespace: string
  readonly ipv4: string
  readonly ipv6: string
  readonly mac: string
  readonly openPorts: readonly number[]
  /** Further addresses of the same target, as a prefix that is routed to it; none has a neighbour entry of its own. */
  readonly prefix: string | undefined
}

/** How a target's firewall treats what it does not serve. */
export type Behaviour = 'answers' | 'drops' | 'rejects' | 'mixed'

export const VANTAGE_IPV4 = '10.98.0.1'
const TIMEOUT_MS = 240_000
const COMMAND = new URL('../../app/bin/portcullis.js', import.meta.url).pathname
const MAIN = new URL('main.ts', import.meta.url).pathname

export async function openScanLab(prefix: string, targets: readonly { readonly behaviour: Behaviour; readonly openPorts: readonly number[]; readonly prefix?: string }[]): Promise<ScanLab> {
  // The number keeps two runs apart: neither may take down what the other has put up.
  const own = `${prefix}${process.pid}-`
  const vantage = `${own}v`
  const listeners: ChildProcess[] = []
  const made: string[] = []
  const addNamespace = (namespace: string): void => {
    ip('netns', 'add', namespace)
    made.push(namespace)
  }
  const labTargets = targets.map(({ openPorts, prefix }, index) => ({
    namespace: `${own}t${index}`,
    ipv4: `10.98.0.${10 + index}`,
    ipv6: `fd98::${10 + index}`,
    mac: `02:98:00:00:00:${(10 + index).toString(16).padStart(2, '0')}`,
    openPorts,
    prefix,
  }))
  const close = (): void => {
    for (const listener of listeners) listener.kill('SIGKILL')
    for (const namespace of made.splice(0)) {
      try {
        ip('netns', 'del', namespace)
      } catch {
        // It is gone.
      }
    }
  }
  try {
    addNamespace(vantage)
    makeVantage(vantage)
    for (const [index, target] of labTargets.entries()) {
      addNamespace(target.namespace)
      makeTarget(vantage, target, index)
      setFirewall(target, targets[index]?.behaviour ?? 'answers')
    }
    listeners.push(...(await Promise.all(labTargets.filter((target) => target.openPorts.length > 0).map(listen))))
  } catch (error) {
    close()
    throw error
  }
  const prober = ['ip', 'netns', 'exec', vantage, process.execPath, MAIN, '--json-spec', '-']
  return {
    targets: labTargets,
    inVantage: (argv, options = {}) => run(['ip', 'netns', 'exec', vantage, ...argv], options),
    scan: async (spec) => JSON.parse(await run(prober, { input: JSON.stringify(spec) })) as ScanResult,
    command: async (argv) => JSON.parse(await run(['ip', 'netns', 'exec', vantage, process.execPath, COMMAND, 'scan', ...argv, '--json'], { isAnyExit: true })) as ScanResult,
    scanInterrupted: async (spec, probes) => {
      const isDone = (line: string): boolean => (JSON.parse(line) as ScanProgress).done >= probes
      return JSON.parse(await run(prober, { input: JSON.stringify(spec), interruptAt: isDone })) as ScanResult
    },
    setLoss: (percent) => setLoss(labTargets, percent),
    close,
  }
}

/** `count` distinct ports spread over the range, the same ones each time. */
export const spreadPorts = (count: number): number[] => Array.from({ length: count }, (_, index) => 1 + ((index * 40_503 + 21) % 65_521)).sort((a, b) => a - b)

const ip = (...args: string[]): string => execFileSync('ip', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })

function makeVantage(vantage: string): void {
  ip('-n', vantage, 'link', 'set', 'lo', 'up')
  ip('-n', vantage, 'link', 'add', 'lan', 'type', 'bridge', 'mcast_snooping', '0')
  ip('-n', vantage, 'addr', 'add', `${VANTAGE_IPV4}/16`, 'dev', 'lan')
  ip('-n', vantage, 'addr', 'add', 'fd98::1/64', 'dev', 'lan', 'nodad')
  ip('-n', vantage, 'link', 'set', 'lan', 'up')
}

function makeTarget(vantage: string, target: LabTarget, index: number): void {
  ip('-n', target.namespace, 'link', 'set', 'lo', 'up')
  ip('link', 'add', `port${index}`, 'netns', vantage, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', target.namespace)
  ip('-n', vantage, 'link', 'set', `port${index}`, 'master', 'lan', 'up')
  ip('-n', target.namespace, 'link', 'set', 'eth0', 'address', target.mac)
  ip('-n', target.namespace, 'addr', 'add', `${target.ipv4}/16`, 'dev', 'eth0')
  ip('-n', target.namespace, 'addr', 'add', `${target.ipv6}/64`, 'dev', 'eth0', 'nodad')
  ip('-n', target.namespace, 'link', 'set', 'eth0', 'up')
  if (target.prefix === undefined) return
  // Any address of it is the target's own, and the vantage reaches it as by a router.
  ip('-n', target.namespace, 'route', 'add', 'local', target.prefix, 'dev', 'lo')
  ip('-n', vantage, 'route', 'add', target.prefix, 'via', target.ipv4)
}

function setFirewall(target: LabTarget, behaviour: Behaviour): void {
  if (behaviour === 'answers') return
  const chain = { drops: 'drop', rejects: 'reject with icmpx type admin-prohibited', mixed: 'tcp dport 1-32767 drop' }[behaviour]
  const accepted = target.openPorts.length > 0 ? `add rule inet f in tcp dport { ${target.openPorts.join(', ')} } accept;` : ''
  const text = `add table inet f; add chain inet f in { type filter hook input priority 0; };
    add rule inet f in ct state established,related accept; add rule inet f in icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept;
    ${accepted} add rule inet f in ${chain}`
  execFileSync('ip', ['netns', 'exec', target.namespace, 'nft', text], { stdio: ['ignore', 'pipe', 'pipe'] })
}

/** One process that listens on all ports of a target, both families. */
function listen(target: LabTarget): Promise<ChildProcess> {
  const script = `const net = require('node:net'); const ports = ${JSON.stringify(target.openPorts)}; let left = ports.length
    for (const port of ports) net.createServer((s) => s.on('error', () => 0)).listen(port, '::', () => { if (--left === 0) console.log('ready') })`
  const child = spawn('ip', ['netns', 'exec', target.namespace, process.execPath, '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  return new Promise((resolve, reject) => {
    child.stdout.once('data', () => resolve(child))
    child.once('exit', (code) => reject(new Error(`listener of ${target.namespace} ended: ${code}`)))
  })
}

/** In netfilter and not by a netem queue, which not every kernel has: each packet, probe or answer, is lost with this probability. */
function setLoss(targets: readonly LabTarget[], percent: number): void {
  const lose = `numgen random mod 1000 < ${percent * 10} drop`
  const text = `add table inet loss; delete table inet loss; add table inet loss;
    add chain inet loss in { type filter hook prerouting priority -400; }; add rule inet loss in meta l4proto tcp ${lose};
    add chain inet loss out { type filter hook output priority -400; }; add rule inet loss out meta l4proto tcp ${lose}`
  for (const target of targets) execFileSync('ip', ['netns', 'exec', target.namespace, 'nft', text], { stdio: ['ignore', 'pipe', 'pipe'] })
}

interface RunOptions {
  readonly input?: string
  readonly env?: NodeJS.ProcessEnv
  /** Sends SIGINT at the first line of stderr for which this holds; then any exit code will do. */
  readonly interruptAt?: (line: string) => boolean
  /** Another exit code than 0 is an answer too. */
  readonly isAnyExit?: boolean
  readonly timeoutMs?: number
}

/** Not execFileSync: a benchmark's own process must not stand still meanwhile. `ip netns exec` becomes the command, so a signal reaches it. */
function run(argv: readonly string[], options: RunOptions): Promise<string> {
  const [command = '', ...args] = argv
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'], timeout: options.timeoutMs ?? TIMEOUT_MS, ...(options.env ? { env: options.env } : {}) })
    let stdout = ''
    let stderr = ''
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString('utf8')))
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString('utf8')
      if (options.interruptAt && stderr.split('\n').slice(0, -1).some(options.interruptAt)) child.kill('SIGINT')
    })
    child.on('error', reject)
    child.on('close', (code) =>
      code === 0 || options.interruptAt || options.isAnyExit ? resolve(stdout) : reject(new Error(`${command} ended with ${code}: ${stderr.slice(-2000)}${stdout.slice(-2000)}`)),
    )
    child.stdin.on('error', () => undefined)
    child.stdin.end(options.input ?? '')
  })
}
