import type { PortRange } from '../net/port.ts'
import type { HostFacts } from '../ruleset/hostfacts.ts'
import { CT_STATES, TCP_FLAGS, type CtState, type Ruleset } from '../ruleset/ruleset.ts'
import { TERMINALS, type Budget, type Diagram } from '../space/arena.ts'
import { ACCEPT, MASK, PLAIN_OUTCOMES, YES } from '../space/outcome.ts'
import { cofactor, mapTerminals } from '../space/transform.ts'
import { composeRules, type Way } from './compose.ts'
import { condense, type Dimensions } from './condense.ts'
import { CT_CLASSES } from './fieldValues.ts'
import { exampleOf } from './names.ts'
import { PacketSpace } from './packetSpace.ts'
import { branchesAt, project, type Branch } from './project.ts'
import { sourcesOf, type Sources } from './sources.ts'

/** One line of what a ruleset accepts, as an auditor reads it. Empty lists mean: any. */
export interface AcceptedRow {
  readonly states: readonly CtState[]
  /** Names, or `prefix*`; `other` is any name that no rule mentions. */
  readonly interfaces: readonly string[]
  readonly protocols: readonly PortRange[]
  readonly ports: readonly PortRange[]
  readonly icmpTypes: readonly PortRange[]
  readonly sources: Sources
  /**
   * `accepted`: every packet of the row. `in part`: some are and some are not, by a field that the table does not show (destination address, flags, …).
   * `undecided`: an unknown match decides, or facts that are not given.
   */
  readonly verdict: 'accepted' | 'in part' | 'undecided'
}

/** How a packet's fate is told apart before fields are left out: bits, so that rows unite. */
const SURELY = 1
const PERHAPS = 2
const NOT = 4

/**
 * All that is or may be accepted, in few rows, which may overlap. TCP in state new is a SYN, in known flows an ACK; later fragments are left out.
 * Throws BudgetError past the budget.
 */
export function acceptedRows(ruleset: Ruleset, way: Way, facts?: HostFacts, budget?: Budget): AcceptedRow[] {
  const space = new PacketSpace([ruleset], facts, budget)
  const fate = mapTerminals(space.arena, leftOpen(space, composeRules(space, ruleset, way)), (outcomes) =>
    outcomes === ACCEPT ? SURELY : outcomes & ACCEPT ? PERHAPS : outcomes === 0 ? 0 : NOT,
  )
  const whole = ordinarySegments(space, cofactor(space.arena, fate, space.chunks('isLaterFragment').firstLevel, 0))
  const shown = project(space, whole, ['ctState', 'iif', 'l4proto', 'dport', 'family', 'saddr4', 'saddr6', 'icmpType'])
  const table = new Table(space)
  return condense(table.rows(shown), table.dimensions)
}

/** What only an unknown match or missing facts decide is undecided, not "in part". */
function leftOpen(space: PacketSpace, diagram: Diagram): Diagram {
  return space.forget(space.routing ? ['boolean'] : ['boolean', ...FACT_FIELDS], diagram)
}

const FACT_FIELDS = ['iifType', 'iifIndex', 'oifIndex', 'daddrType', 'daddrTypeIif', 'daddrTypeOif', 'saddrType', 'saddrTypeIif', 'saddrTypeOif', 'saddrRoute', 'saddrRouteIif'] as const

/** TCP as it is spoken: a SYN in new flows, an ACK in known ones. */
function ordinarySegments(space: PacketSpace, diagram: Diagram): Diagram {
  const { combiner, arena } = space
  const withFlags = (flags: number): Diagram => cofactor(arena, diagram, space.chunks('tcpFlags').firstLevel, flags)
  const ofState = (isKnown: boolean, part: Diagram): Diagram => {
    const states = mapTerminals(arena, space.test('ctState', KNOWN_STATES), (answer) => ((answer === YES) === isKnown ? 1 : 0))
    return combiner.combine(MASK, states, part)
  }
  return combiner.combine(PLAIN_OUTCOMES.union, ofState(true, withFlags(TCP_FLAGS.ack)), ofState(false, withFlags(TCP_FLAGS.syn)))
}

const KNOWN_STATES = [CT_STATES.established, CT_STATES.related].map((bit) => CT_CLASSES.indexOf(bit)).map((index) => ({ first: BigInt(index), last: BigInt(index) }))

class Table {
  readonly #space: PacketSpace

  constructor(space: PacketSpace) {
    this.#space = space
  }

  get dimensions(): Dimensions {
    const interfaces = this.#space.names.map((_, index) => this.#nameOf(index)).slice(1)
    return { states: Object.keys(CT_STATES) as CtState[], interfaces }
  }

  rows(diagram: Diagram): AcceptedRow[] {
    return this.#branches(diagram, 'ctState').flatMap((state) =>
      this.#interfaceBranches(state.child).flatMap((device) =>
        this.#branches(device.child, 'l4proto').flatMap((protocol) =>
          this.#branches(protocol.child, 'dport').flatMap((port) =>
            this.#sourceRows(port.child).map((row) => ({
              states: this.#states(state),
              interfaces: this.#interfaces(device),
              protocols: listed(protocol, 255),
              ports: listed(port, 65_535),
              ...row,
            })),
          ),
        ),
      ),
    )
  }

  /** Branches that hold something accepted. */
  #branches(diagram: Diagram, field: 'ctState' | 'iif' | 'l4proto' | 'dport' | 'icmpType'): Branch[] {
    return branchesAt(this.#space, diagram, this.#space.chunks(field).firstLevel).filter(({ child }) => child !== NOT && child !== 0)
  }

  /** Class 0, no interface, holds no packet on the way in: it must not part rows. */
  #interfaceBranches(diagram: Diagram): Branch[] {
    const branches = branchesAt(this.#space, diagram, this.#space.chunks('iif').firstLevel)
    return branches
      .map(({ ranges, child }) => ({ child, ranges: ranges.filter((range) => range.last > 0) }))
      .filter(({ ranges, child }) => ranges.length > 0 && child !== NOT && child !== 0)
  }

  #sourceRows(diagram: Diagram): Pick<AcceptedRow, 'icmpTypes' | 'sources' | 'verdict'>[] {
    return this.#byType(diagram).flatMap(({ ranges, child }) =>
      [...sourcesOf(this.#space, child)].flatMap(([bits, sources]) => {
        const verdict = verdictOf(bits)
        return verdict ? [{ icmpTypes: ranges, sources, verdict }] : []
      }),
    )
  }

  /** ICMP types stand below the sources; the table shows them first. No ranges: the type does not matter. */
  #byType(diagram: Diagram): Branch[] {
    const { arena } = this.#space
    const { firstLevel } = this.#space.chunks('icmpType')
    const lasts = new Set<number>()
    const done = new Set<Diagram>()
    const walk = (node: Diagram): void => {
      if (node < TERMINALS || done.has(node)) return
      done.add(node)
      for (let edge = arena.startOf(node); edge < arena.endOf(node); edge += 1) {
        if (arena.levelOf(node) === firstLevel) lasts.add(arena.lastOf(edge))
        walk(arena.childOf(edge))
      }
    }
    walk(diagram)
    if (lasts.size === 0) return [{ ranges: [], child: diagram }]
    const branches = new Map<Diagram, { first: number; last: number }[]>()
    let first = 0
    for (const last of [...lasts].toSorted((a, b) => a - b)) {
      const child = cofactor(arena, diagram, firstLevel, last)
      branches.set(child, [...(branches.get(child) ?? []), { first, last }])
      first = last + 1
    }
    return [...branches].map(([child, ranges]) => ({ child, ranges }))
  }

  #states(branch: Branch): CtState[] {
    const classes = indexesOf(branch)
    return (Object.keys(CT_STATES) as CtState[]).filter((name) => classes.includes(CT_CLASSES.indexOf(CT_STATES[name])))
  }

  #interfaces(branch: Branch): string[] {
    return indexesOf(branch).filter((index) => index > 0).map((index) => this.#nameOf(index))
  }

  #nameOf(index: number): string {
    const { names } = this.#space
    const each = names[index]
    if (each?.kind === 'prefix') return each.prefix === '' ? 'other' : `${each.prefix}*`
    return each ? exampleOf(each, names) : ''
  }
}

const indexesOf = (branch: Branch): number[] =>
  branch.ranges.flatMap(({ first, last }) => Array.from({ length: last - first + 1 }, (_, index) => first + index))

const listed = (branch: Branch, max: number): readonly PortRange[] =>
  branch.ranges.length === 1 && branch.ranges[0]?.first === 0 && branch.ranges[0].last === max ? [] : branch.ranges

function verdictOf(bits: number): AcceptedRow['verdict'] | undefined {
  if (bits === SURELY) return 'accepted'
  if (bits & PERHAPS) return 'undecided'
  return bits & SURELY ? 'in part' : undefined
}
