import type { PortRange } from '../net/port.ts'
import type { HostFacts } from '../ruleset/hostfacts.ts'
import type { Packet } from '../ruleset/packet.ts'
import type { Ruleset } from '../ruleset/ruleset.ts'
import { BudgetError, type Budget, type Diagram } from '../space/arena.ts'
import { ACCEPT, IS_OPEN, MASK, PAIR, PLAIN_OUTCOMES, pairOf, type Outcomes } from '../space/outcome.ts'
import { mapTerminals } from '../space/transform.ts'
import { composeWay, type Way } from './compose.ts'
import { PacketSpace } from './packetSpace.ts'
import { outcomesAt, pointOf } from './packetPoint.ts'
import { branchesAt, project } from './project.ts'
import { replayed } from './replay.ts'
import { sourcesOf, wordsOf, type Sources } from './sources.ts'
import type { SpaceMemory } from './spaceMemory.ts'
import { witnessOf } from './witness.ts'

/** Never the bare word "proof": what was compared is equal for every packet of the model, or it is not and here are packets, or it could not be decided. */
export type Comparison =
  | {
      readonly kind: 'equal'
      /** Present where both leave the same packets to unknown matches: whether those decide alike is another question. */
      readonly isOpen?: true
    }
  | { readonly kind: 'different'; readonly differences: readonly Difference[]; readonly more: number }
  | { readonly kind: 'undecided'; readonly because: 'budget' }

/**
 * From the first to the second: `opens`: more is or may be accepted; `closes`: less; `refuses-otherwise`: drop became reject or the other way round;
 * `less-certain`, `more-certain`: an unknown match decides now what was decided, or no longer.
 */
export type Change = 'opens' | 'closes' | 'refuses-otherwise' | 'less-certain' | 'more-certain'

/** One service and one set of sources that differ in one way. */
export interface Difference {
  readonly change: Change
  /** IP protocol numbers; empty: any. */
  readonly protocols: readonly PortRange[]
  /** Destination ports; empty: any, or the protocol has none. */
  readonly ports: readonly PortRange[]
  readonly sources: Sources
  /** One packet of it, and what becomes of it on either side. */
  readonly packet: Packet
  readonly assuming: readonly string[]
  readonly before: readonly OutcomeName[]
  readonly after: readonly OutcomeName[]
  /** Whether the second, independent evaluator says the same of the packet. `disagrees` is a defect of this program: trust neither. */
  readonly replay: 'agrees' | 'disagrees' | 'not replayed'
}

export type OutcomeName = 'accept' | 'drop' | 'reject'

export interface CompareOptions extends Means {
  readonly way: Way
  readonly facts?: HostFacts
  /** In the memory: whose rulesets these are. */
  readonly subject?: string
}

/** What a comparison may take. */
export interface Means {
  readonly budget?: Budget | undefined
  /** Makes the next comparisons in it quicker. */
  readonly memory?: SpaceMemory | undefined
}

/** Compares all that two rulesets do to every packet of a way. Differences are at most 200, the rest is counted. */
export function compareRulesets(a: Ruleset, b: Ruleset, { way, facts, budget, memory, subject }: CompareOptions): Comparison {
  return withinBudget(() => {
    const space = new PacketSpace([a, b], facts, budget, { memory, subject, isForwarded: way === 'forward' })
    const comparison = compareDiagrams(space, composeWay(space, a, way), composeWay(space, b, way))
    return replayed(comparison, [{ side: 'before', ruleset: a }, { side: 'after', ruleset: b }], way, facts)
  })
}

/** `undecided` where the budget ran out. */
export function withinBudget(decide: () => Comparison): Comparison {
  try {
    return decide()
  } catch (error) {
    if (error instanceof BudgetError) return { kind: 'undecided', because: 'budget' }
    throw error
  }
}

const DIFFERENCES_MAX = 200
const CHANGES: readonly Change[] = ['opens', 'closes', 'less-certain', 'more-certain', 'refuses-otherwise']

/** Compares two diagrams of outcomes of one space. */
export function compareDiagrams(space: PacketSpace, a: Diagram, b: Diagram): Comparison {
  if (a === b) return holdsOpen(space, a) ? { kind: 'equal', isOpen: true } : { kind: 'equal' }
  const pairs = space.combiner.combine(PAIR, a, b)
  const differences = CHANGES.flatMap((change) => {
    const where = mapTerminals(space.arena, pairs, (pair) => (changeOf(...pairOf(pair)) === change ? 1 : 0))
    return where === 0 ? [] : differencesOf(space, where, change, a, b)
  })
  return { kind: 'different', differences: differences.slice(0, DIFFERENCES_MAX), more: Math.max(0, differences.length - DIFFERENCES_MAX) }
}

/** Whether more than one thing may happen to some packet. O(nodes). */
const holdsOpen = (space: PacketSpace, diagram: Diagram): boolean => space.combiner.change(IS_OPEN, diagram) !== 0

/** Undefined: the same. */
function changeOf(before: Outcomes, after: Outcomes): Change | undefined {
  if (before === after) return undefined
  if ((before & ACCEPT) === 0 && after & ACCEPT) return 'opens'
  if (before & ACCEPT && (after & ACCEPT) === 0) return 'closes'
  if ((before & ACCEPT) === 0) return 'refuses-otherwise'
  if (before === ACCEPT) return 'less-certain'
  return after === ACCEPT ? 'more-certain' : 'refuses-otherwise'
}

/** Grouped by service, then by source. */
function differencesOf(space: PacketSpace, where: Diagram, change: Change, a: Diagram, b: Diagram): Difference[] {
  const shown = project(space, where, ['l4proto', 'dport', 'family', 'saddr4', 'saddr6'])
  const [protocolLevel, portLevel] = [space.chunks('l4proto').firstLevel, space.chunks('dport').firstLevel]
  const differences: Difference[] = []
  for (const protocol of branchesAt(space, shown, protocolLevel)) {
    for (const port of protocol.child === 0 ? [] : branchesAt(space, protocol.child, portLevel)) {
      for (const [, exact] of sourcesOf(space, port.child)) {
        const part = restrict(space, where, [['l4proto', protocol.ranges], ['dport', port.ranges]])
        const witness = witnessOf(space, part)
        if (!witness) continue
        const isAnyPort = port.ranges[0]?.first === 0 && port.ranges[0].last === 65_535
        const isAnyProtocol = protocol.ranges[0]?.first === 0 && protocol.ranges[0].last === 255
        differences.push({
          change,
          protocols: isAnyProtocol ? [] : protocol.ranges,
          ports: isAnyPort ? [] : port.ranges,
          sources: plainSources(space, exact, part, a, b),
          ...witness,
          replay: 'not replayed',
          ...outcomesOf(space, part, a, b, witness.packet),
        })
      }
    }
  }
  return differences.toSorted(byService)
}

/** Those that differ, with those of which there is no such packet, whatever the rules say, where that is shorter: the stack forwards nothing from a link to another. */
function plainSources(space: PacketSpace, exact: Sources, part: Diagram, a: Diagram, b: Diagram): Sources {
  if (exact.kind !== 'prefixes' || !exact.except) return exact
  const kind = space.forget(SOURCE_FIELDS, part)
  const isSome = mapTerminals(space.arena, space.combiner.combine(PLAIN_OUTCOMES.union, a, b), (outcomes) => (outcomes === 0 ? 0 : 1))
  const some = project(space, space.combiner.combine(MASK, kind, isSome), SOURCE_FIELDS)
  const none = mapTerminals(space.arena, some, (terminal) => 1 - terminal)
  const wide = [...sourcesOf(space, space.combiner.combine(PLAIN_OUTCOMES.union, project(space, part, SOURCE_FIELDS), none)).values()]
  const [only, other] = wide
  return only && !other && wordsOf(only) < wordsOf(exact) ? only : exact
}

const SOURCE_FIELDS = ['family', 'saddr4', 'saddr6'] as const

const byService = (x: Difference, y: Difference): number =>
  (x.protocols[0]?.first ?? -1) - (y.protocols[0]?.first ?? -1) || (x.ports[0]?.first ?? -1) - (y.ports[0]?.first ?? -1)

type Limits = readonly (readonly ['l4proto' | 'dport', readonly { readonly first: number; readonly last: number }[]])[]

function restrict(space: PacketSpace, diagram: Diagram, limits: Limits): Diagram {
  return limits.reduce((result, [field, ranges]) => {
    const merged = ranges.map(({ first, last }) => ({ first: BigInt(first), last: BigInt(last) }))
    const test = space.surely(space.test(field, merged))
    return space.combiner.combine(MASK, test, result)
  }, diagram)
}

/** Where the packet leaves something open, of those of its kind that differ so. */
function outcomesOf(space: PacketSpace, part: Diagram, a: Diagram, b: Diagram, packet: Packet): Pick<Difference, 'before' | 'after'> {
  const point = pointOf(space, packet)
  const of = (diagram: Diagram): OutcomeName[] => outcomeNames(outcomesAt(space, space.combiner.combine(MASK, part, diagram), point))
  return { before: of(a), after: of(b) }
}

export const outcomeNames = (outcomes: Outcomes): OutcomeName[] =>
  (['accept', 'drop', 'reject'] as const).filter((_, bit) => outcomes & (1 << bit))
