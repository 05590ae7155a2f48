import { setTimeout as sleep } from 'node:timers/promises'
import type { LabHost } from '../host.ts'
import type { SshAccess } from '../machine.ts'
import type { World } from '../world.ts'
import type { ServiceSpec } from './spec.ts'

/** What a daemon may need of the lab around its host. */
export interface Site {
  readonly world: World
  readonly directory: string
  readonly ssh: SshAccess
  /** Whether a TCP connection from the lab's switch to the host's port comes about. */
  connects(host: LabHost, port: number): Promise<boolean>
  /** Whether the host's UDP port answers the datagram, sent from the lab's switch. */
  answers(host: LabHost, port: number, datagram: string): Promise<boolean>
}

/** Starts one kind of service on a host; resolves when it has answered a client. */
export type Daemon<S extends ServiceSpec = ServiceSpec> = (host: LabHost, spec: S, site: Site) => Promise<void>

/** Longest time from start to the first answer; a database on a busy machine needs the most. */
const READY_WAIT_MS_MAX = 20_000

/** Asks until the answer is yes; an error after the limit or the end of the service, with the end of its log. */
export async function untilReady(host: LabHost, name: string, isReady: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + READY_WAIT_MS_MAX
  for (let pauseMs = 10; ; pauseMs = Math.min(pauseMs * 1.5, 200)) {
    if (await isReady()) return
    if (host.hasEnded(name)) throw new Error(`${name} on ${host.name} ended before it answered: ${host.readLog(name)}`)
    if (performance.now() > deadline) throw new Error(`${name} on ${host.name} does not answer: ${host.readLog(name)}`)
    await sleep(pauseMs)
  }
}

export const asUser = (user: string, argv: readonly string[]): string[] => [
  'setpriv',
  `--reuid=${user}`,
  `--regid=${user}`,
  '--clear-groups',
  ...argv,
]
