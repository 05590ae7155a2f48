import type { HostFacts } from '../ruleset/hostfacts.ts'
import type { Packet } from '../ruleset/packet.ts'
import type { Ruleset } from '../ruleset/ruleset.ts'
import type { Comparison, Difference, OutcomeName } from './compare.ts'
import type { Way } from './compose.ts'
import { evaluateLinear } from './linear.ts'

/** One side of a comparison, to take its packets through the linear evaluator. */
export interface ReplaySide {
  readonly side: 'before' | 'after'
  readonly ruleset: Ruleset
  /** Where the comparison counts drop and reject as one. */
  readonly isRejectDrop?: boolean
}

/** Takes the packet of every difference through the linear evaluator and writes down whether it says the same. */
export function replayed(comparison: Comparison, sides: readonly ReplaySide[], way: Way, facts?: HostFacts): Comparison {
  if (comparison.kind !== 'different') return comparison
  const differences = comparison.differences.map((each): Difference => {
    const agrees = sides.every((side) => saysTheSame(side, each, way, facts))
    return { ...each, replay: agrees ? 'agrees' : 'disagrees' }
  })
  return { ...comparison, differences }
}

/** The linear evaluator may be less sure: it knows less of how questions hang together. It must never rule out what the diagram says. */
function saysTheSame({ side, ruleset, isRejectDrop }: ReplaySide, difference: Difference, way: Way, facts: HostFacts | undefined): boolean {
  const outcomes = linearOutcomes(ruleset, difference.packet, way, facts).map((each) => (isRejectDrop && each === 'reject' ? 'drop' : each))
  return difference[side].every((each) => outcomes.includes(each))
}

function linearOutcomes(ruleset: Ruleset, packet: Packet, way: Way, facts: HostFacts | undefined): OutcomeName[] {
  const known = facts ?? (way === 'input' ? EVERY_ADDRESS_LOCAL : undefined)
  const options = { ...(way === 'arrival' ? {} : { hook: way }), ...(known ? { facts: known } : {}) }
  return [...evaluateLinear(ruleset, packet, options).outcomes]
}

/** What the diagram takes for granted of packets on their way in when there are no facts. */
const EVERY_ADDRESS_LOCAL: HostFacts = {
  interfaces: [],
  routes: ([4, 6] as const).map((family) => ({ type: 'local', table: 'local', metric: 0, destination: { family, value: 0n, length: 0 } })),
  isForwarding: { 4: false, 6: false },
  unmodelled: [],
}
