import type { HostFacts } from '../ruleset/hostfacts.ts'
import type { Packet } from '../ruleset/packet.ts'
import type { Ruleset } from '../ruleset/ruleset.ts'
import type { Comparison, Difference, OutcomeName } from './compare.ts'
import type { Way } from './compose.ts'
import { evaluateLinear, type LinearOptions } from './linear.ts'

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

function saysTheSame({ side, ruleset, isRejectDrop }: ReplaySide, difference: Difference, way: Way, facts: HostFacts | undefined): boolean {
  const outcomes = linearOutcomes(ruleset, difference.packet, way, facts).map((each) => (isRejectDrop && each === 'reject' ? 'drop' : each))
  return doAgree(difference[side], outcomes)
}

/**
 * Each evaluator may be less sure than the other: the linear one knows less of how questions hang together, the diagram remembers only so
 * many unknown answers. What both say holds what really happens, so they must have something in common.
 */
export const doAgree = (diagram: readonly OutcomeName[], linear: readonly OutcomeName[]): boolean => diagram.some((each) => linear.includes(each))

function linearOutcomes(ruleset: Ruleset, packet: Packet, way: Way, facts: HostFacts | undefined): OutcomeName[] {
  return [...evaluateLinear(ruleset, packet, linearOptions(way, facts)).outcomes]
}

/** The same question for the linear evaluator. */
export const linearOptions = (way: Way, facts: HostFacts | undefined): LinearOptions => ({
  ...(way === 'arrival' ? {} : { hook: way }),
  ...(facts ? { facts } : {}),
})
