import type { Text } from '../../fault/fault.ts'
import type { Rhythm } from '../../inventory/rhythm.ts'
import type { PortRange } from '../../net/port.ts'
import type { TransportProtocol } from '../../net/protocol.ts'
import type { SourceSet } from './sourceSet.ts'

/** What should become of an endpoint. `ask`: the evidence does not carry a decision, and `question` says who must be asked what. */
export interface Recommendation {
  readonly host: string
  readonly protocol: TransportProtocol
  readonly ports: PortRange
  readonly verdict: Verdict
  /** 0 to 100: the sum of the reasons' points, held within. */
  readonly confidence: number
  readonly reasons: readonly Reason[]
  readonly rhythm: Rhythm
  /** Watched days that its rhythm would need, where there were fewer. */
  readonly spanDaysNeeded?: number
  /** The service by catalogue or by what listens; never by the port alone where a process is known. */
  readonly service: ServiceGuess
  readonly process?: string
  readonly unit?: string
  /** Where NAT hands it on to. */
  readonly published?: string
  readonly from: SourceSet
  readonly question?: Text
  /** Needs of the policy that let all of `from` in already. */
  readonly needs: readonly string[]
}

export type Verdict = 'keep' | 'close' | 'ask'

/** What raises or lowers the confidence, and by how much. Stable code. */
export interface Reason {
  readonly code: string
  readonly points: number
  readonly text: Text
}

export interface ServiceGuess {
  /** Name in the policy file. */
  readonly name: string
  /** The catalogue or the policy defines it. */
  readonly isKnown: boolean
}

/** A verdict of fewer points is a question. */
export const KEEP_POINTS_MIN = 60
export const CLOSE_POINTS_MIN = 80
