import type { Address } from '../net/address.ts'
import { lastOf } from '../net/prefix.ts'
import type { HostFacts } from '../ruleset/hostfacts.ts'
import type { BaseChain, Chain, Hook, Ruleset, Step, Table } from '../ruleset/ruleset.ts'
import type { Diagram } from '../space/arena.ts'
import { ACCEPT, DROP, MASK, NEXT, NOWHERE, PLAIN_OUTCOMES, REJECT, RETURN, YES } from '../space/outcome.ts'
import { intersectRanges, mergeRanges, type Range } from '../space/ranges.ts'
import { cofactor, mapTerminals, relabel } from '../space/transform.ts'
import { ChainCompiler, forgetLevels } from './compileChain.ts'
import { CT_NEW, IPV4, IPV6, destinationTypes, one, type Stage } from './compileField.ts'
import type { LevelField } from './levels.ts'
import { NatTargets, type NewDestination } from './natTargets.ts'
import type { PacketSpace } from './packetSpace.ts'

/**
 * Where the packets of an analysis go. `input`, `forward`: every packet, as if routing had said so. `output`: the host's own packets.
 * `arrival`: as the host's routes say, which needs facts.
 */
export type Way = 'input' | 'forward' | 'output' | 'arrival'

/** Outcomes of every packet on its whole way through all base chains: accept, drop, reject, and more than one where a match is unknown. */
export function composeWay(space: PacketSpace, ruleset: Ruleset, way: Way): Diagram {
  return new Composer(space, ruleset, way).whole()
}

/** A base chain where it runs. */
interface Station {
  readonly table: Table
  readonly chain: Chain
  readonly base: BaseChain
}

const TRACKING_PRIORITY = -200
const DNAT_PRIORITY = -100

interface DnatState {
  readonly isAddressNew: boolean
  readonly isPortNew: boolean
}
const UNCHANGED: DnatState = { isAddressNew: false, isPortNew: false }

const BEFORE_ROUTING = { isBeforeTracking: false, hasNoIif: false, hasNoOif: true, isForwarded: false }

class Composer {
  readonly #space: PacketSpace
  readonly #ruleset: Ruleset
  readonly #way: Way
  readonly #changesMatter: boolean
  readonly #compilers = new Map<string, ChainCompiler>()
  readonly #afterDnat = new Map<string, Diagram>()

  constructor(space: PacketSpace, ruleset: Ruleset, way: Way) {
    this.#space = space
    this.#ruleset = ruleset
    this.#way = way
    this.#changesMatter = changesMatter(ruleset)
  }

  whole(): Diagram {
    const first = this.#way === 'output' ? 'output' : 'prerouting'
    const stations = stationsOf(this.#ruleset, first)
    const filters = stations.filter(({ base }) => base.type !== 'nat')
    const before = filters.filter(({ base }) => base.priority < DNAT_PRIORITY)
    const translated = this.#dnat(stations.filter(({ base }) => base.type === 'nat'))
    return this.#arriving(this.#through(before, translated, UNCHANGED))
  }

  /** What follows destination NAT in the same hook and all later ones, for packets whose destination was or was not changed. */
  #following(dnat: DnatState): Diagram {
    const key = `${dnat.isAddressNew} ${dnat.isPortNew}`
    const known = this.#afterDnat.get(key)
    if (known !== undefined) return known
    const first = this.#way === 'output' ? 'output' : 'prerouting'
    const after = stationsOf(this.#ruleset, first).filter(({ base }) => base.type !== 'nat' && base.priority >= DNAT_PRIORITY)
    const result = this.#through(after, this.#routed(dnat), dnat)
    this.#afterDnat.set(key, result)
    return result
  }

  #routed(dnat: DnatState): Diagram {
    if (this.#way === 'output') return this.#hook('postrouting', ACCEPT, dnat)
    if (this.#way === 'input') return this.#hook('input', ACCEPT, dnat)
    const forward = (): Diagram => this.#hook('forward', this.#hook('postrouting', ACCEPT, dnat), dnat)
    const { facts } = this.#space
    if (this.#way === 'forward' || !facts) return forward()
    return this.#byRoutes(facts, this.#hook('input', ACCEPT, dnat), forward())
  }

  #hook(hook: Hook, following: Diagram, dnat: DnatState): Diagram {
    return this.#through(stationsOf(this.#ruleset, hook).filter(({ base }) => base.type !== 'nat'), following, dnat)
  }

  #through(stations: readonly Station[], following: Diagram, dnat: DnatState): Diagram {
    return stations.reduceRight((after, station) => this.#station(station, after, dnat), following)
  }

  /** One base chain and all that follows it. An accept ends this chain only; a drop is final. */
  #station({ table, chain, base }: Station, following: Diagram, dnat: DnatState): Diagram {
    const { combiner, arena } = this.#space
    const compiler = this.#compiler(table, this.#stage(base, dnat))
    if (this.#changesMatter) {
      const end = base.policy === 'accept' ? following : DROP
      return this.#ofFamily(table, compiler.chainBefore(chain.name, end, following), following)
    }
    const pass = (terminal: number): number => {
      const decided = terminal & (DROP | REJECT)
      const ended = terminal & (NEXT | RETURN) ? (base.policy === 'accept' ? NEXT : DROP) : 0
      return decided | ended | (terminal & ACCEPT ? NEXT : 0)
    }
    const own = mapTerminals(arena, compiler.chain(chain.name), pass)
    const test = this.#familyTest(table)
    const limited = test === YES ? own : combiner.combine(PLAIN_OUTCOMES.select, test, own)
    return combiner.combine(PLAIN_OUTCOMES.firstMatch, limited, following)
  }

  #familyTest(table: Table): Diagram {
    if (table.family === 'inet') return YES
    return this.#space.test(...(table.family === 'ip' ? IPV4 : IPV6))
  }

  #ofFamily(table: Table, own: Diagram, otherwise: Diagram): Diagram {
    if (table.family === 'inet') return own
    const [level] = IPV4
    const other = table.family === 'ip' ? 1n : 0n
    return this.#union(this.#where(level, one(1n - other), own), this.#where(level, one(other), otherwise))
  }

  #stage(base: BaseChain, dnat: DnatState): Stage {
    const isFirst = base.hook === 'prerouting' || base.hook === 'output'
    const destination = this.#destination(base.hook)
    return {
      isBeforeTracking: isFirst && base.priority < TRACKING_PRIORITY,
      hasNoIif: base.hook === 'output' || (base.hook === 'postrouting' && this.#way === 'output'),
      hasNoOif: base.hook === 'prerouting' || base.hook === 'input',
      isForwarded: base.hook === 'forward' || (base.hook === 'postrouting' && this.#way !== 'output'),
      ...dnat,
      ...(destination ? { destination } : {}),
    }
  }

  #destination(hook: Hook): 'local' | 'unicast' | undefined {
    if (this.#space.facts) return undefined
    if (this.#way === 'input') return 'local'
    return hook === 'forward' || hook === 'postrouting' ? 'unicast' : undefined
  }

  #compiler(table: Table, stage: Stage, targets?: NatTargets): ChainCompiler {
    if (targets) return new ChainCompiler(this.#space, table, stage, targets)
    const key = `${this.#ruleset.tables.indexOf(table)} ${JSON.stringify(stage)}`
    const known = this.#compilers.get(key)
    if (known) return known
    const made = new ChainCompiler(this.#space, table, stage)
    this.#compilers.set(key, made)
    return made
  }

  // ───────────────────────────── destination NAT ─────────────────────────────

  /**
   * New flows ask the NAT chains. Packets of known flows follow the flow's mapping, which may be the one that the rules give now or none;
   * invalid and untracked ones have none.
   */
  #dnat(stations: readonly Station[]): Diagram {
    const plain = this.#following(UNCHANGED)
    if (stations.length === 0) return plain
    const translated = this.#translated(stations)
    const [isNew, isKnown, isNone] = [one(BigInt(CT_NEW)), [{ first: 1n, last: 2n }], [...one(0n), ...one(4n)]]
    const ofState = (ranges: readonly Range[], diagram: Diagram): Diagram => this.#where('ctState', ranges, diagram)
    return this.#union(ofState(isNew, translated), ofState(isKnown, this.#union(plain, translated)), ofState(isNone, plain))
  }

  #translated(stations: readonly Station[]): Diagram {
    const { arena, combiner } = this.#space
    const targets = new NatTargets()
    const { firstMatch, select } = targets.operations
    const chains = stations.map(({ table, chain, base }) => {
      const own = this.#compiler(table, this.#stage(base, UNCHANGED), targets).chain(chain.name)
      const passed = mapTerminals(arena, own, (terminal) =>
        terminal & (ACCEPT | NEXT | RETURN) ? (terminal & ~(ACCEPT | RETURN)) | (base.policy === 'drop' && !(terminal & ACCEPT) ? DROP : NEXT) : terminal,
      )
      return combiner.combine(select, this.#familyTest(table), passed)
    })
    const mapping = combiner.combineAll(firstMatch, chains, NEXT)
    const having = (isIn: (terminal: number) => boolean): Diagram => mapTerminals(arena, mapping, (terminal) => (isIn(terminal) ? 1 : 0))
    const unchanged = combiner.combine(MASK, having((terminal) => (terminal & NEXT) !== 0), this.#following(UNCHANGED))
    const refused = mapTerminals(arena, mapping, (terminal) => terminal & (DROP | REJECT))
    const moved = targets.destinations.map((destination, index) =>
      combiner.combine(MASK, having((terminal) => targets.destinationsOf(terminal).includes(index)), this.#moved(destination)),
    )
    return combiner.combineAll(PLAIN_OUTCOMES.union, [unchanged, refused, ...moved], NOWHERE)
  }

  /** What becomes of packets that a rule sends to a new destination, by what they were before. */
  #moved(destination: NewDestination): Diagram {
    const to = destination.kind === 'unknown' ? {} : destination.to
    const isPortNew = destination.kind === 'unknown' || to.ports !== undefined
    const isAddressNew = destination.kind !== 'to' || to.addresses !== undefined
    let result = this.#following({ isAddressNew, isPortNew })
    if (to.ports) result = this.#where('dport', [{ first: BigInt(to.ports.first), last: BigInt(to.ports.last) }], result)
    if (to.addresses) result = this.#atAddresses(to.addresses, result)
    if (destination.kind === 'redirect') result = this.#atOwnAddresses(result)
    result = cofactor(this.#space.arena, result, this.#space.chunks('ctDnat').firstLevel, 1)
    return this.#asBefore(result, isAddressNew, isPortNew)
  }

  #atAddresses({ first, last }: { readonly first: Address; readonly last: Address }, following: Diagram): Diagram {
    return this.#where(first.family === 4 ? 'daddr4' : 'daddr6', [{ first: first.value, last: last.value }], following)
  }

  #atOwnAddresses(following: Diagram): Diagram {
    const { facts } = this.#space
    if (!facts) return following
    const types = destinationTypes(facts, { ...BEFORE_ROUTING, ...UNCHANGED })
    const own = (family: 4 | 6): Range[] => mergeRanges((types?.(family) ?? []).filter((range) => range.type === 2))
    return this.#byFamily((family) => this.#where(`daddr${family}`, own(family), following))
  }

  /** Forgets the new destination and reads the one kept apart in its place. */
  #asBefore(following: Diagram, isAddressNew: boolean, isPortNew: boolean): Diagram {
    const pairs: (readonly [LevelField, LevelField])[] = [
      ...(isPortNew ? [['ctOriginalDport', 'dport'] as const] : []),
      ...(isAddressNew ? [['ctOriginalDaddr4', 'daddr4'] as const, ['ctOriginalDaddr6', 'daddr6'] as const] : []),
    ]
    const gone = new Set<number>()
    const to: number[] = []
    for (const [original, current] of pairs) {
      const from = this.#space.chunks(original)
      const place = this.#space.chunks(current)
      for (let chunk = 0; chunk < from.count; chunk += 1) {
        gone.add(place.firstLevel + chunk)
        to[from.firstLevel + chunk] = place.firstLevel + chunk
      }
    }
    return relabel(this.#space.arena, forgetLevels(this.#space, following, gone), to)
  }

  // ───────────────────────────── routing, arrival ─────────────────────────────

  #byRoutes(facts: HostFacts, input: Diagram, forward: Diagram): Diagram {
    return this.#byFamily((family) => {
      const level: LevelField = `daddr${family}`
      const { local, byInterface } = routesOf(facts, family)
      const out = [...byInterface].map(([name, ranges]) => this.#where(level, ranges, this.#leavingBy(name, forward)))
      const reached = this.#union(this.#where(level, local, input), ...out)
      const everywhere: Range[] = [{ first: 0n, last: this.#space.maxOf(level) }]
      const known = mergeRanges([...local, ...[...byInterface.values()].flat()])
      const nowhere = known.reduce<Range[]>((free, range) => free.flatMap((each) => without(each, range)), everywhere)
      return this.#union(reached, this.#where(level, nowhere, DROP))
    })
  }

  #leavingBy(name: string, forward: Diagram): Diagram {
    const { firstLevel } = this.#space.chunks('oif')
    const index = this.#space.names.findIndex((each) => each.kind === 'name' && each.name === name)
    return index < 0 ? forgetLevels(this.#space, forward, new Set([firstLevel])) : cofactor(this.#space.arena, forward, firstLevel, index)
  }

  /** A packet arrives unmarked, by an interface; a new flow has no mapping and no mark yet. */
  #arriving(diagram: Diagram): Diagram {
    const { arena } = this.#space
    const zero = (fields: readonly LevelField[], from: Diagram): Diagram =>
      fields.reduce((result, field) => {
        const { firstLevel, count } = this.#space.chunks(field)
        return Array.from({ length: count }).reduce<Diagram>((each, _, chunk) => cofactor(arena, each, firstLevel + chunk, 0), result)
      }, from)
    const unmarked = zero(['mark', 'isUntracked'], diagram)
    const fresh = this.#where('ctState', one(BigInt(CT_NEW)), zero(['ctMark', 'ctDnat', 'ctSnat', 'ctDirection'], unmarked))
    const known = this.#where('ctState', [{ first: 0n, last: 2n }, ...one(4n)], unmarked)
    const any: Range[] = [{ first: 1n, last: this.#space.maxOf('iif') }]
    const arrived = this.#union(fresh, known)
    const incoming = this.#way === 'output' ? arrived : this.#where('iif', any, arrived)
    return this.#way === 'forward' || this.#way === 'output' ? this.#where('oif', any, incoming) : incoming
  }

  #byFamily(of: (family: 4 | 6) => Diagram): Diagram {
    return this.#union(this.#where(...IPV4, of(4)), this.#where(...IPV6, of(6)))
  }

  /** The diagram where a field is in the ranges, nowhere else. */
  #where(field: LevelField, ranges: readonly Range[], diagram: Diagram): Diagram {
    const { arena, combiner } = this.#space
    const test = mapTerminals(arena, this.#space.test(field, ranges), (terminal) => (terminal === YES ? 1 : 0))
    return combiner.combine(MASK, test, diagram)
  }

  #union(...diagrams: readonly Diagram[]): Diagram {
    return this.#space.combiner.combineAll(PLAIN_OUTCOMES.union, diagrams, NOWHERE)
  }
}

/** Base chains of a hook in the order in which the kernel runs them: at equal priority the one registered last comes first. */
export function stationsOf(ruleset: Ruleset, hook: Hook): Station[] {
  const stations: Station[] = []
  for (const table of ruleset.tables) {
    if (table.isDormant) continue
    for (const chain of table.chains) if (chain.base?.hook === hook) stations.unshift({ table, chain, base: chain.base })
  }
  return stations.sort((a, b) => a.base.priority - b.base.priority)
}

/** Marks that are set and asked for, and untracking where states are asked for: rules then change what later ones read. */
function changesMatter(ruleset: Ruleset): boolean {
  const written = new Set<string>()
  const readFields = new Set<string>()
  for (const table of ruleset.tables) {
    for (const chain of table.chains) for (const rule of chain.rules) for (const step of rule.steps) note(step, written, readFields)
  }
  return [...written].some((field) => readFields.has(field))
}

function note(step: Step, written: Set<string>, readFields: Set<string>): void {
  if (step.kind === 'set-mark') {
    written.add(step.field)
    if (step.copyFrom) readFields.add(step.copyFrom)
  } else if (step.kind === 'notrack') written.add('ctState')
  else if (step.kind === 'any-of') for (const match of step.alternatives.flat()) note(match, written, readFields)
  else if (step.kind === 'lookup' || step.kind === 'vmap') for (const field of step.fields) readFields.add(field.name)
}

interface Routes {
  readonly local: readonly Range[]
  readonly byInterface: ReadonlyMap<string, Range[]>
}

/** Where each destination goes: the longest prefix of the first table that holds one. */
function routesOf(facts: HostFacts, family: 4 | 6): Routes {
  const max = family === 4 ? (1n << 32n) - 1n : (1n << 128n) - 1n
  const local: Range[] = family === 4 ? [{ first: 0xe000_0000n, last: 0xefff_ffffn }, { first: max, last: max }] : [{ first: 0xffn << 120n, last: max }]
  const byInterface = new Map<string, Range[]>()
  let free = local.reduce<Range[]>((rest, range) => rest.flatMap((each) => without(each, range)), [{ first: 0n, last: max }])
  const order = ['local', 'main', 'default']
  const routes = facts.routes
    .filter((route) => route.destination.family === family && route.type !== 'throw')
    .toSorted((a, b) => order.indexOf(a.table) - order.indexOf(b.table) || b.destination.length - a.destination.length || a.metric - b.metric)
  for (const route of routes) {
    const own = { first: route.destination.value, last: lastOf(route.destination) }
    const taken = intersectRanges(free, [own])
    free = free.flatMap((each) => without(each, own))
    if (route.type === 'local' || route.type === 'broadcast' || route.type === 'anycast') local.push(...taken)
    else if (route.type === 'unicast' && facts.isForwarding[family]) {
      byInterface.set(route.oif ?? '', [...(byInterface.get(route.oif ?? '') ?? []), ...taken])
    }
  }
  return { local: mergeRanges(local), byInterface: new Map([...byInterface].map(([name, ranges]) => [name, mergeRanges(ranges)])) }
}

function without(range: Range, own: Range): Range[] {
  if (own.last < range.first || own.first > range.last) return [range]
  const rest: Range[] = []
  if (own.first > range.first) rest.push({ first: range.first, last: own.first - 1n })
  if (own.last < range.last) rest.push({ first: own.last + 1n, last: range.last })
  return rest
}
