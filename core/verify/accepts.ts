import type { HostFacts } from '../ruleset/hostfacts.ts'
import { ADDRESS_TYPES, CT_STATES, TCP_FLAGS, type CtState, type Ruleset } from '../ruleset/ruleset.ts'
import { BudgetError, type Budget, type Diagram } from '../space/arena.ts'
import { ACCEPT, MASK, NO, NOWHERE, PLAIN_OUTCOMES, YES } from '../space/outcome.ts'
import { cofactor, mapTerminals } from '../space/transform.ts'
import { chunksAsked, fieldsAsked } from './asked.ts'
import { fibDiagram } from './compileFib.ts'
import { composeRules, type Way } from './compose.ts'
import { both, cover, either, without, type Dimension, type PacketSet, type Row } from './cover.ts'
import { CT_CLASSES, IPV4, IPV6, one } from './fieldValues.ts'
import type { LevelField } from './levels.ts'
import type { Unknown } from './linear.ts'
import { exampleOf } from './names.ts'
import { PacketSpace } from './packetSpace.ts'
import { nameQuestions } from './reasons.ts'
import { servicesOf, type Service } from './services.ts'
import { destinationsOf, NOBODY, sourcesOf, wordsOf, type Sources } from './sources.ts'
import type { Stage } from './stage.ts'
import { rangesOf, type NumberRange } from './valueRanges.ts'

/** What a ruleset accepts, as an auditor reads it. */
export interface AcceptedTable {
  readonly rows: readonly AcceptedRow[]
  /** Names that are told apart: names, or `prefix*`; `other` is any name that no rule mentions. */
  readonly interfaces: readonly string[]
  /** The table is of packets that pass these checks; of others no more is accepted. */
  readonly assuming: readonly Assumption[]
  /** False: more rows than {@link ROWS_MAX}; more is accepted than is listed. */
  readonly isWhole: boolean
}

/** `route`: there is a route back to the source (by the interface that the packet came in by), which only facts can tell. `no match`: this unknown match, which refuses, answers no. */
export type Assumption = { readonly kind: 'route'; readonly field: 'saddrRoute' | 'saddrRouteIif' } | { readonly kind: 'no match'; readonly unknown: Unknown }

/** All combinations of what the row lists. Empty lists mean: any. */
export interface AcceptedRow {
  readonly states: readonly CtState[]
  readonly interfaces: readonly string[]
  /** By which they leave; of forwarded packets alone. */
  readonly outInterfaces: readonly string[]
  readonly services: readonly Service[]
  /** The same said shorter: all services but these. */
  readonly exceptServices?: readonly Service[]
  readonly sources: Sources
  readonly destinations: Sources
  /** What routing says of the destination, where the rules ask and there are no facts. */
  readonly destinationTypes: readonly AddressType[]
  /** All must hold. */
  readonly conditions: readonly Condition[]
  /** `undecided`: an unknown match decides. Such a row says nothing of packets that an accepted row holds. */
  readonly verdict: 'accepted' | 'undecided'
  /** The unknown matches. None where there are more than can be told apart. */
  readonly because: readonly Unknown[]
}

export type AddressType = keyof typeof ADDRESS_TYPES

/** What a field that has no column must hold. */
export interface Condition {
  readonly field: LevelField
  readonly values: readonly NumberRange[]
}

/** More rows than anybody signs. */
export const ROWS_MAX = 300

/**
 * All that is or may be accepted, in few rows, which may overlap as rules do. TCP in state new is a SYN, in known flows an ACK. Left out are later fragments,
 * ICMP of the other IP version, TCP from port 0, sources that nobody sends from (multicast, and the host's own where facts tell them), and, where no rule
 * does NAT, destinations that do not belong to the way. Throws BudgetError past the budget.
 */
export function acceptedTable(ruleset: Ruleset, way: Way, facts?: HostFacts, budget?: Budget): AcceptedTable {
  const { ruleset: named, questions } = nameQuestions(withoutNotes(ruleset))
  try {
    return tableOf(named, questions, way, facts, budget)
  } catch (error) {
    if (!(error instanceof BudgetError)) throw error
    // Told apart, the unknown matches are too many; taken together they may not be.
    return tableOf(ruleset, new Map(), way, facts, budget)
  }
}

/** Rules that only count or log ask for limits and decide nothing. */
const withoutNotes = (ruleset: Ruleset): Ruleset => ({
  ...ruleset,
  tables: ruleset.tables.map((table) => ({
    ...table,
    chains: table.chains.map((chain) => ({ ...chain, rules: chain.rules.filter(({ steps }) => !steps.every((step) => step.kind === 'lookup' || step.kind === 'any-of' || step.kind === 'unknown' || step.kind === 'note')) })),
  })),
})

function tableOf(ruleset: Ruleset, questions: ReadonlyMap<string, Unknown>, way: Way, facts: HostFacts | undefined, budget: Budget | undefined): AcceptedTable {
  const space = new PacketSpace([ruleset], facts, budget)
  const composed = cofactor(space.arena, composeRules(space, ruleset, way), space.chunks('isLaterFragment').firstLevel, 0)
  const assumed = assume(space, ordinarySegments(space, composed), questions)
  const table = new Table(space, assumed.diagram, leftOut(space, ruleset, way), questions)
  const accepted = table.rows('accepted', ROWS_MAX)
  const undecided = table.rows('undecided', ROWS_MAX - accepted.rows.length)
  return { rows: [...accepted.rows, ...undecided.rows], interfaces: interfaceNames(space).slice(1), assuming: assumed.assuming, isWhole: accepted.isWhole && undecided.isWhole }
}

// ───────────────────────────── which packets ─────────────────────────────

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

/** A check that can only refuse, and that nothing is known of, is said once instead of in each row. */
function assume(space: PacketSpace, diagram: Diagram, questions: ReadonlyMap<string, Unknown>): { readonly diagram: Diagram; readonly assuming: readonly Assumption[] } {
  const assuming: Assumption[] = []
  let assumed = diagram
  const take = (level: number, passes: 0 | 1, assumption: Assumption): void => {
    const [passing, refused] = [cofactor(space.arena, assumed, level, passes), cofactor(space.arena, assumed, level, 1 - passes)]
    if (passing === refused || isMore(space, refused, passing)) return
    assuming.push(assumption)
    assumed = passing
  }
  for (const field of ['saddrRoute', 'saddrRouteIif'] as const) take(space.chunks(field).firstLevel, 1, { kind: 'route', field })
  for (const [index, name] of space.booleans.entries()) {
    const unknown = questions.get(name)
    // A question that is asked afresh each time has a name of its own: its answer is none of the packet's.
    if (unknown?.what === name) take(space.chunks('boolean').firstLevel + index, 0, { kind: 'no match', unknown })
  }
  return { diagram: assumed, assuming }
}

/** Whether the first accepts, or may accept, something that the second does not. */
const isMore = (space: PacketSpace, a: Diagram, b: Diagram): boolean =>
  [ACCEPT_ONLY, ACCEPT_PERHAPS].some((is) => without(space, mapTerminals(space.arena, a, is), mapTerminals(space.arena, b, is)) !== 0)

const ACCEPT_ONLY = (outcomes: number): number => (outcomes === ACCEPT ? 1 : 0)
const ACCEPT_PERHAPS = (outcomes: number): number => (outcomes & ACCEPT ? 1 : 0)

/** Packets that there are not, or that nobody sends: what becomes of them must not part rows. */
function leftOut(space: PacketSpace, ruleset: Ruleset, way: Way): PacketSet {
  const all = (...tests: readonly Diagram[]): PacketSet => tests.map((test) => space.surely(test)).reduce((found, each) => both(space, found, each), 1)
  const typed = (field: 'saddrType' | 'daddrType', types: readonly AddressType[]): Diagram => fibDiagram(space, { name: field }, types.map((type) => ({ first: BigInt(ADDRESS_TYPES[type]), last: BigInt(ADDRESS_TYPES[type]) })), ON_ARRIVAL)
  const never = [
    all(space.test(...IPV4), space.test('l4proto', one(58n))),
    all(space.test(...IPV6), space.test('l4proto', [{ first: 1n, last: 2n }])),
    // Many rulesets refuse it.
    all(space.test('l4proto', one(6n)), space.test('sport', one(0n))),
    // RFC 1122 section 3.2.1.3, RFC 4291 section 2.7.
    all(space.test(...IPV4), space.test('saddr4', [{ first: 0xe000_0000n, last: 0xffff_ffffn }])),
    all(space.test(...IPV6), space.test('saddr6', [{ first: 0xffn << 120n, last: (1n << 128n) - 1n }])),
    ...(space.routing ? [all(typed('saddrType', ['local', 'broadcast', 'anycast']), space.matchByInterface('iif', (name) => (name === 'lo' ? NO : YES)))] : []),
  ].reduce((found, each) => either(space, found, each), 0)
  const hasNat = ruleset.tables.some((table) => table.chains.some((chain) => chain.rules.some((rule) => rule.steps.some((step) => step.kind === 'nat'))))
  const types = way === 'input' ? INPUT_TYPES : way === 'forward' ? FORWARD_TYPES : undefined
  return hasNat || !types ? never : either(space, never, without(space, 1, space.surely(typed('daddrType', types))))
}

const INPUT_TYPES: readonly AddressType[] = ['local', 'broadcast', 'multicast', 'anycast']
const FORWARD_TYPES: readonly AddressType[] = ['unicast']

const ON_ARRIVAL: Stage = { isBeforeTracking: false, hasNoIif: false, hasNoOif: true, isForwarded: false, isAddressNew: false, isPortNew: false, isSourceNew: false, linkSide: 'iif' }

// ───────────────────────────── rows ─────────────────────────────

/** Two columns of addresses say of which family they are once, with the source. */
const NARROWER = 0.25

/** Fields with a column of their own, in the order in which rows are widened: whoever reads looks for services first, so these stay narrow. */
const COLUMNS = ['states', 'interfaces', 'outInterfaces', 'destinationTypes', 'destinations', 'sources', 'services'] as const
type Column = (typeof COLUMNS)[number]

const COLUMN_FIELDS: Readonly<Record<Column, readonly LevelField[]>> = {
  states: ['ctState'],
  interfaces: ['iif'],
  outInterfaces: ['oif'],
  destinationTypes: ['daddrType'],
  destinations: ['family', 'daddr4', 'daddr6'],
  sources: ['family', 'saddr4', 'saddr6'],
  services: ['l4proto', 'dport', 'icmpType'],
}

class Table {
  readonly #space: PacketSpace
  readonly #outcomes: Diagram
  readonly #united: Diagram
  readonly #leftOut: PacketSet
  readonly #questions: ReadonlyMap<string, Unknown>
  readonly #conditions: readonly LevelField[]

  constructor(space: PacketSpace, outcomes: Diagram, leftOut: PacketSet, questions: ReadonlyMap<string, Unknown>) {
    this.#space = space
    this.#outcomes = outcomes
    this.#united = space.forget(['boolean'], outcomes)
    this.#leftOut = leftOut
    this.#questions = questions
    const shown: readonly LevelField[] = Object.values(COLUMN_FIELDS).flat()
    const asked = new Set([...fieldsAsked(space, this.#united), ...fieldsAsked(space, leftOut)])
    this.#conditions = [...asked].filter((field) => !shown.includes(field))
  }

  rows(verdict: AcceptedRow['verdict'], most: number): Pick<AcceptedTable, 'rows' | 'isWhole'> {
    const accepted = this.#set(ACCEPT_ONLY)
    const perhaps = verdict === 'accepted' ? 0 : without(this.#space, this.#set(ACCEPT_PERHAPS), accepted)
    const own = verdict === 'accepted' ? accepted : perhaps
    const free = either(this.#space, this.#leftOut, this.#set((outcomes) => (outcomes === NOWHERE ? 1 : 0)))
    const allowed = [accepted, perhaps, free].reduce((all, part) => either(this.#space, all, part), 0)
    const { rows, left } = cover(this.#space, this.#dimensions(), without(this.#space, own, this.#leftOut), allowed, most)
    return { rows: rows.map((row) => this.#row(row, verdict, perhaps)), isWhole: left === 0 }
  }

  #set(is: (outcomes: number) => number): PacketSet {
    return mapTerminals(this.#space.arena, this.#united, is)
  }

  #dimensions(): Dimension[] {
    const listed = (field: LevelField) => (values: PacketSet): number => this.#listLength(field, values)
    const words: Readonly<Record<Column, (values: PacketSet) => number>> = {
      states: listed('ctState'),
      interfaces: listed('iif'),
      outInterfaces: listed('oif'),
      destinationTypes: listed('daddrType'),
      destinations: (values) => wordsOf(destinationsOf(this.#space, values), NARROWER),
      sources: (values) => wordsOf(this.#sources(values)),
      services: (values) => {
        const [services, except] = [servicesOf(this.#space, values), servicesOf(this.#space, without(this.#space, 1, values))]
        return Math.min(serviceWords(services), serviceWords(except))
      },
    }
    return [
      ...this.#conditions.map((field): Dimension => ({ fields: [field], words: (values) => (values === 1 ? 0 : rangesOf(this.#space, field, values).length) })),
      ...COLUMNS.map((column): Dimension => ({
        fields: COLUMN_FIELDS[column],
        words: words[column],
        ...(column === 'sources' || column === 'destinations' ? { near: (values, needed) => this.#near(column === 'sources' ? 's' : 'd', values, needed) } : {}),
      })),
    ]
  }

  /** Ranges of addresses that hold something of what is needed, whole: what nobody sends from is no reason to break one. */
  #near(side: 's' | 'd', values: PacketSet, needed: PacketSet): PacketSet {
    const space = this.#space
    const { firstLevel } = space.chunks('family')
    return ([4, 6] as const).reduce<PacketSet>((found, family) => {
      const field: LevelField = `${side}addr${family}`
      const ranges = (set: PacketSet): NumberRange[] => rangesOf(space, field, space.forget([`${side}addr${family === 4 ? 6 : 4}`], cofactor(space.arena, set, firstLevel, family === 4 ? 0 : 1)))
      const wanted = ranges(needed)
      const kept = ranges(values).filter(({ first, last }) => wanted.some((range) => range.first <= last && first <= range.last))
      return kept.length === 0 ? found : either(space, found, both(space, space.surely(space.test(...(family === 4 ? IPV4 : IPV6))), space.surely(space.test(field, kept))))
    }, 0)
  }

  /** Of the values of a small field, those that it has or those that it has not. Class 0 of interfaces is none, which no packet of a way has. */
  #listLength(field: LevelField, values: PacketSet): number {
    if (values === 1) return 0
    const indexes = indexesOf(rangesOf(this.#space, field, values)).filter((index) => field !== 'iif' && field !== 'oif' ? true : index > 0)
    const all = field === 'ctState' ? CT_CLASSES.length : field === 'daddrType' ? Object.keys(ADDRESS_TYPES).length : this.#space.names.length - 1
    return Math.min(indexes.length, all - indexes.length)
  }

  #row(row: Row, verdict: AcceptedRow['verdict'], perhaps: PacketSet): AcceptedRow {
    const space = this.#space
    const of = (column: Column): PacketSet => row[this.#conditions.length + COLUMNS.indexOf(column)] ?? 1
    const [services, except] = [servicesOf(space, of('services')), servicesOf(space, without(space, 1, of('services')))]
    const sources = this.#sources(of('sources'))
    return {
      states: (Object.keys(CT_STATES) as CtState[]).filter((_, index) => of('states') !== 1 && this.#indexes('ctState', of('states')).includes(index)),
      interfaces: this.#names('iif', of('interfaces')),
      outInterfaces: this.#names('oif', of('outInterfaces')),
      services,
      ...(except.length > 0 && serviceWords(except) < serviceWords(services) ? { exceptServices: except } : {}),
      sources,
      destinations: destinationsOf(space, of('destinations'), familiesOf(sources)),
      destinationTypes: of('destinationTypes') === 1 ? [] : (Object.keys(ADDRESS_TYPES) as AddressType[]).filter((type) => this.#indexes('daddrType', of('destinationTypes')).includes(ADDRESS_TYPES[type])),
      conditions: this.#conditions.flatMap((field, index) => (row[index] === 1 ? [] : [{ field, values: rangesOf(space, field, row[index] ?? 1) }])),
      verdict,
      because: verdict === 'accepted' ? [] : this.#reasons(row, perhaps),
    }
  }

  #sources(values: PacketSet): Sources {
    return sourcesOf(this.#space, values).get(1) ?? NOBODY
  }

  #indexes(field: LevelField, values: PacketSet): number[] {
    return indexesOf(rangesOf(this.#space, field, values))
  }

  #names(side: 'iif' | 'oif', values: PacketSet): string[] {
    const names = interfaceNames(this.#space)
    const found = values === 1 ? [] : this.#indexes(side, values).filter((index) => index > 0)
    return found.length === names.length - 1 ? [] : found.map((index) => names[index] ?? '')
  }

  /** The unknown matches on which the fate of the row's packets depends. */
  #reasons(row: Row, perhaps: PacketSet): Unknown[] {
    const whole = row.reduceRight<PacketSet>((all, values) => both(this.#space, values, all), perhaps)
    const asked = chunksAsked(this.#space, this.#space.combiner.combine(MASK, whole, this.#outcomes), 'boolean')
    return asked.flatMap((index) => this.#questions.get(this.#space.booleans[index] ?? '') ?? [])
  }
}

const serviceWords = (services: readonly Service[]): number => services.reduce((sum, { protocols, ports, icmpTypes }) => sum + protocols.length + ports.length + icmpTypes.length, 0)

const familiesOf = (sources: Sources): readonly (4 | 6)[] => {
  if (sources.kind === 'any') return [4, 6]
  if (sources.kind === 'family') return [sources.family]
  return ([4, 6] as const).filter((family) => sources.prefixes.some((prefix) => prefix.family === family) || (sources.except !== undefined && sources.family === undefined) || sources.family === family)
}

const indexesOf = (ranges: readonly NumberRange[]): number[] => ranges.flatMap(({ first, last }) => Array.from({ length: Number(last - first) + 1 }, (_, index) => Number(first) + index))

/** By class; the first is no interface. */
const interfaceNames = ({ names }: PacketSpace): string[] =>
  names.map((each) => (each.kind === 'prefix' ? (each.prefix === '' ? 'other' : `${each.prefix}*`) : exampleOf(each, names)))
