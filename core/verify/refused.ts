import type { Packet } from '../ruleset/packet.ts'
import { DROP, NEXT, NOWHERE, RETURN, type Outcomes } from '../space/outcome.ts'

/**
 * Outcomes of packets that the stack does not forward, for their hop limit or frame and for their source: at the end of all chains the bits of
 * `next` and `return` are free. NOWHERE: such packets are left out.
 */
export interface Refused {
  readonly ofHop: Outcomes
  readonly ofLink: Outcomes
}
export const LEFT_OUT: Refused = { ofHop: NOWHERE, ofLink: NOWHERE }
export const TOLD_APART: Refused = { ofHop: NEXT, ofLink: RETURN }

/** What a packet does not state of itself does not stand in its way, unless nothing else can become of it. */
export function settled(outcomes: Outcomes, { ttl = 64, pkttype = 0, iif }: Packet): Outcomes {
  const rest = outcomes & ~(NEXT | RETURN)
  if (rest === outcomes) return outcomes
  const isOfHop = (outcomes & NEXT) !== 0 && (ttl <= 1 || pkttype !== 0)
  const isOfLink = (outcomes & RETURN) !== 0 && iif !== undefined
  return rest === NOWHERE || isOfHop || isOfLink ? rest | DROP : rest
}
