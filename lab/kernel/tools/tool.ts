import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, readlinkSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** Which of the three ways a tool's rules take into the kernel. */
export type Backend = 'nft' | 'iptables-nft' | 'iptables-legacy'

/** A tool of Debian's that makes a host's rules, with a configuration of the kind that administrators write. */
export interface Tool {
  readonly backends: readonly Backend[]
  /** Brings its rules into the kernel; whoever calls is in a network and a mount namespace of its own. Gives what ends its processes. */
  load(place: ToolPlace): Promise<(() => void) | undefined>
}

export interface ToolPlace {
  readonly backend: Backend
  /** For its files; taken away at the end. */
  readonly folder: string
}

export const run = (command: string, ...args: readonly string[]): string => execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })

export function write(path: string, text: string): string {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
  return path
}

/** A copy that may be written to stands in the place of a folder of the machine, in this mount namespace alone. */
export function coverWithCopy(folder: string, { folder: own }: ToolPlace): void {
  const copy = join(own, folder.replaceAll('/', '_'))
  cpSync(folder, copy, { recursive: true, verbatimSymlinks: true })
  run('mount', '--bind', copy, folder)
}

export const coverWithNothing = (folder: string): void => {
  mkdirSync(folder, { recursive: true })
  run('mount', '-t', 'tmpfs', 'tmpfs', folder)
}

/** `iptables` and its like become those of the backend (update-alternatives(1)). */
export function chooseIptables(place: ToolPlace): void {
  coverWithCopy('/etc/alternatives', place)
  const wanted = place.backend === 'iptables-legacy' ? '-legacy' : '-nft'
  for (const name of readdirSync('/etc/alternatives')) {
    if (!/^ip6?tables/.test(name)) continue
    const link = join('/etc/alternatives', name)
    const target = readlinkSync(link).replace(/-(?:nft|legacy)(?=$|-)/, wanted)
    rmSync(link)
    symlinkSync(target, link)
  }
}

const TRIES_MAX = 200
const PAUSE_MS = 100

export async function until(isThere: () => boolean, what: string): Promise<void> {
  for (let tries = 0; tries < TRIES_MAX; tries += 1) {
    if (isThere()) return
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
  }
  throw new Error(`${what} did not come`)
}
