import type { Address, Family } from '../net/address.ts'
import { PROTOCOL_NUMBERS } from '../net/protocol.ts'
import type { HostFacts } from '../ruleset/hostfacts.ts'
import { CT_STATES, TCP_FLAGS, type Ruleset } from '../ruleset/ruleset.ts'
import type { Budget, Diagram } from '../space/arena.ts'
import { ACCEPT, MASK, YES } from '../space/outcome.ts'
import { cofactor, mapTerminals } from '../space/transform.ts'
import { arrivingFromOthers } from './arrivals.ts'
import { CT_CLASSES } from './fieldValues.ts'
import { composeWay, type Way } from './compose.ts'
import type { LevelField } from './levels.ts'
import { PacketSpace } from './packetSpace.ts'
import { project } from './project.ts'
import { sourcesOf, type Sources } from './sources.ts'

export interface Endpoint {
  readonly address: Address
  readonly protocol: number
  readonly port: number
}

/** Whose new connections get to an endpoint, each by the interface that the routes lead back to it: surely, or perhaps; absent: nobody's. */
export interface Reach {
  readonly accepted?: Sources
  /** An unknown match decides, or something that the routes do not tell. */
  readonly perhaps?: Sources
}

/** How a packet's fate is told apart before fields are left out: bits, so that sources unite. */
const SURELY = 1
const PERHAPS = 2
const NOT = 4

/** Throws BudgetError past the budget. */
export function reachOf(ruleset: Ruleset, { address, protocol, port }: Endpoint, way: Way, facts?: HostFacts, budget?: Budget): Reach {
  const space = new PacketSpace([ruleset], facts, budget)
  const fate = mapTerminals(space.arena, composeWay(space, ruleset, way), (outcomes) =>
    outcomes === ACCEPT ? SURELY : outcomes & ACCEPT ? PERHAPS : outcomes === 0 ? 0 : NOT,
  )
  const known: readonly (readonly [LevelField, bigint])[] = [
    ['isLaterFragment', 0n],
    ['ctState', BigInt(CT_CLASSES.indexOf(CT_STATES.new))],
    ['l4proto', BigInt(protocol)],
    ['dport', BigInt(port)],
    [`daddr${address.family}`, address.value],
    ...(protocol === PROTOCOL_NUMBERS.tcp ? [['tcpFlags', BigInt(TCP_FLAGS.syn)] as const] : []),
  ]
  const arriving = facts ? only(space, arrivingFromOthers(space, facts), fate) : fate
  const asked = known.reduce((diagram, [field, value]) => where(space, diagram, field, value), ofFamily(space, arriving, address.family))
  const shown = project(space, asked, ['family', `saddr${address.family}`])
  const sources = sourcesOf(space, mapTerminals(space.arena, shown, (bits) => (bits === SURELY ? SURELY : bits & (SURELY | PERHAPS) ? PERHAPS : 0)))
  const [accepted, perhaps] = [sources.get(SURELY), sources.get(PERHAPS)]
  return { ...(accepted ? { accepted } : {}), ...(perhaps ? { perhaps } : {}) }
}

function ofFamily(space: PacketSpace, diagram: Diagram, family: Family): Diagram {
  const own = family === 4 ? 0n : 1n
  return only(space, space.test('family', [{ first: own, last: own }]), diagram)
}

const only = (space: PacketSpace, test: Diagram, diagram: Diagram): Diagram =>
  space.combiner.combine(MASK, mapTerminals(space.arena, test, (answer) => (answer === YES ? 1 : 0)), diagram)

/** The diagram where a field has the given value. */
function where(space: PacketSpace, diagram: Diagram, field: LevelField, value: bigint): Diagram {
  const { firstLevel, count, bits } = space.chunks(field)
  let result = diagram
  for (let chunk = 0; chunk < count; chunk += 1) {
    const digit = count === 1 ? value : (value >> BigInt((count - 1 - chunk) * bits)) & ((1n << BigInt(bits)) - 1n)
    result = cofactor(space.arena, result, firstLevel + chunk, Number(digit))
  }
  return result
}
