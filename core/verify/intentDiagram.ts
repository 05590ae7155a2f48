import type { Prefix } from '../net/prefix.ts'
import { lastOf } from '../net/prefix.ts'
import { PROTOCOL_NUMBERS } from '../net/protocol.ts'
import type { Grant, Intent } from '../policy/intent.ts'
import { FIXED_ALLOWANCES, PING_ALLOWANCES, type FixedAllowance } from '../ruleset/nft/fixed.ts'
import type { InterfaceName, Ruleset } from '../ruleset/ruleset.ts'
import { TCP_FLAGS } from '../ruleset/ruleset.ts'
import type { Diagram } from '../space/arena.ts'
import { boxesDiagram, type Box, type Constraint } from '../space/box.ts'
import { ACCEPT, DROP, EITHER, IS_NO, MASK, NO, REJECT_AS_DROP, YES } from '../space/outcome.ts'
import type { Range } from '../space/ranges.ts'
import { mapTerminals } from '../space/transform.ts'
import { compareDiagrams, withinBudget, type Comparison, type Means } from './compare.ts'
import { CT_NEW, one } from './fieldValues.ts'
import { composeWay } from './compose.ts'
import type { LevelField } from './levels.ts'
import { classMatches } from './names.ts'
import { PacketSpace } from './packetSpace.ts'
import { replayed } from './replay.ts'

/**
 * Compares what a ruleset does to every packet that is meant for the host itself with what the intent says, both ways.
 * Drop and reject count as the same refusal. `ruleset`: the parsed text, or the kernel's read-back, of our table alone for "is it what we meant",
 * of all tables for "is it what happens". Its facts are those of any host: every unicast destination is its own.
 */
export function compareWithIntent(intent: Intent, ruleset: Ruleset, { budget, memory }: Means = {}): Comparison {
  return withinBudget(() => {
    const space = new PacketSpace([ruleset, LOOPBACK], undefined, budget, { memory, subject: intent.host })
    const meant = intentDiagram(space, intent)
    const done = space.combiner.change(REJECT_AS_DROP, composeWay(space, ruleset, 'input'))
    const comparison = compareDiagrams(space, comparable(space, meant), comparable(space, done))
    return replayed(comparison, [{ side: 'after', ruleset, isRejectDrop: true }], 'input')
  })
}

/** Makes the loopback interface a class of its own in every space. */
const LOOPBACK: Ruleset = {
  unmodelled: [],
  tables: [
    {
      family: 'inet',
      backend: 'nft',
      name: 'loopback',
      isDormant: true,
      chains: [],
      sets: [{ name: 'loopback', isDynamic: false, source: { dialect: 'nft', file: '', text: '' }, elements: [{ values: [{ name: 'lo', isPrefix: false }] }] }],
    },
  ],
}
const LO: InterfaceName = { name: 'lo', isPrefix: false }

/** What an intent says of every packet for the host: accept or drop. */
export function intentDiagram(space: PacketSpace, intent: Intent): Diagram {
  const { combiner, arena } = space
  if (intent.mode === 'observe') return ACCEPT
  const allowances = [...FIXED_ALLOWANCES, ...(intent.ping ? PING_ALLOWANCES : [])].map((each) => boxOf(space, allowanceConstraints(each)))
  const grants = [...intent.management, ...intent.grants].map((grant) => boxOf(space, grantConstraints(grant)))
  const loopback = space.names.findIndex((each) => classMatches(each, LO))
  const always = [boxOf(space, [['iif', one(BigInt(loopback))]]), boxOf(space, [['ctState', [{ first: 1n, last: 2n }]]])]
  const parts = [always, allowances, grants].map((boxes) => boxesDiagram(combiner, boxes, YES, NO, EITHER))
  return mapTerminals(arena, combiner.combineAll(EITHER, parts, NO), (answer) => (answer === YES ? ACCEPT : DROP))
}

/**
 * Packets on which the two are compared: those that arrive by an interface. A TCP packet with SYN alone in a known flow is left out:
 * no valid flow holds one, and the gate drops a SYN that nobody may send before connection tracking is asked.
 */
function comparable(space: PacketSpace, diagram: Diagram): Diagram {
  const { combiner } = space
  const arrives = space.test('iif', [{ first: 1n, last: space.maxOf('iif') }])
  const pureSyn = Array.from({ length: 256 }, (_, flags) => flags).filter((flags) => (flags & SYN_MASK) === TCP_FLAGS.syn)
  const odd = boxesDiagram(
    combiner,
    pureSyn.map((flags) => boxOf(space, [['ctState', KNOWN_FLOW], ['isLaterFragment', one(0n)], ['l4proto', one(6n)], ['tcpFlags', one(BigInt(flags))]])),
    YES,
    NO,
    EITHER,
  )
  return combiner.combine(MASK, space.surely(arrives), combiner.combine(MASK, combiner.change(IS_NO, odd), diagram))
}

const SYN_MASK = TCP_FLAGS.fin | TCP_FLAGS.syn | TCP_FLAGS.rst | TCP_FLAGS.ack
const KNOWN_FLOW: readonly Range[] = [{ first: 1n, last: BigInt(CT_NEW - 1) }]

type Constraints = readonly (readonly [LevelField, readonly Range[]])[]

const boxOf = (space: PacketSpace, constraints: Constraints): Box =>
  constraints
    .map(([field, ranges]): Constraint => ({ chunks: space.chunks(field), ranges }))
    .sort((a, b) => a.chunks.firstLevel - b.chunks.firstLevel)

function grantConstraints(grant: Grant): Constraints {
  return [
    ['isLaterFragment', one(0n)],
    ['l4proto', one(BigInt(PROTOCOL_NUMBERS[grant.protocol]))],
    ['dport', [{ first: BigInt(grant.ports.first), last: BigInt(grant.ports.last) }]],
    ...sourceConstraints(grant.from),
  ]
}

function allowanceConstraints(allowance: FixedAllowance): Constraints {
  const port = (field: LevelField, value: number | undefined): Constraints => (value === undefined ? [] : [[field, one(BigInt(value))]])
  const hasHeader = allowance.icmpTypes !== undefined || allowance.sourcePort !== undefined || allowance.destinationPort !== undefined
  return [
    ...(hasHeader ? ([['isLaterFragment', one(0n)]] as const) : []),
    ['l4proto', one(BigInt(PROTOCOL_NUMBERS[allowance.protocol]))],
    ...(allowance.from ? sourceConstraints(allowance.from) : ([['family', one(allowance.family === 4 ? 0n : 1n)]] as const)),
    ...(allowance.icmpTypes ? ([['icmpType', allowance.icmpTypes.toSorted((a, b) => a - b).flatMap((type) => one(BigInt(type)))]] as const) : []),
    ...port('ttl', allowance.hopLimit),
    ...port('sport', allowance.sourcePort),
    ...port('dport', allowance.destinationPort),
  ]
}

/** Both families' "any" are different grants, so that each is of its own family. */
function sourceConstraints(from: Prefix): Constraints {
  const family = ['family', one(from.family === 4 ? 0n : 1n)] as const
  if (from.length === 0) return [family]
  return [family, [`saddr${from.family}`, [{ first: from.value, last: lastOf(from) }]]]
}
