import type { Fault } from '@portcullis/core/fault/fault.ts'
import type { RestPorts } from './restPorts.ts'
import type { PortState, ResumeState } from './scanSpec.ts'

export interface ScannedEndpoint {
  readonly address: string
  readonly protocol: 'tcp' | 'udp'
  readonly port: number
  readonly state: PortState
  /** What answered a handshake, never a guess from the number. */
  readonly service?: string
  /** Facts from the handshake: product, certificate subject, key fingerprints … */
  readonly details?: Readonly<Record<string, string>>
}

export type StateCounts = Readonly<Record<PortState, number>>

export interface ScanResult {
  readonly endpoints: readonly ScannedEndpoint[]
  readonly counts: { readonly tcp: StateCounts; readonly udp: StateCounts }
  /** Which of the counted ports are not listed, except unknown ones; empty unless it was asked for. */
  readonly rest: readonly RestPorts[]
  /** Addresses about which nothing can be said, and why. Their ports are counted as unknown. */
  readonly unreachable: readonly { readonly address: string; readonly fault: Fault }[]
  /** How TCP was asked; `mixed` when some addresses had no Ethernet on the way. */
  readonly method: 'syn' | 'connect' | 'mixed' | 'none'
  /** Anything that limits what the result says. */
  readonly notes: readonly Fault[]
  readonly probes: number
  readonly seconds: number
  readonly isComplete: boolean
  /** Present when it is not: give it back as `resume`. */
  readonly resume?: ResumeState
}

export interface ScanProgress {
  readonly phase: 'tcp' | 'udp' | 'identify'
  readonly done: number
  readonly total: number
  readonly open: number
  /** Undefined until there is a rate to reckon with. */
  readonly secondsLeft: number | undefined
}

export type OnProgress = (progress: ScanProgress) => void

export const noCounts = (): Record<PortState, number> => ({ open: 0, closed: 0, filtered: 0, 'open|filtered': 0, unknown: 0 })
