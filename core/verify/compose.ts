import type { Family } from '../net/address.ts'
import type { BaseChain, Hook, NatAddress, Ruleset, Step, Table } from '../ruleset/ruleset.ts'
import { CT_STATUS, NUMBER_FIELD_BITS } from '../ruleset/ruleset.ts'
import type { Diagram } from '../space/arena.ts'
import { ACCEPT, BOTH, DROP, EITHER, NOWHERE, PLAIN_OUTCOMES, THROUGH } from '../space/outcome.ts'
import { complementRanges, intersectRanges, mergeRanges, type Range } from '../space/ranges.ts'
import { cofactor, relabel, rewriteLevel } from '../space/transform.ts'
import { ChainCompiler, type Following } from './compileChain.ts'
import { CT_ESTABLISHED, CT_NEW, IPV4, IPV6, one } from './fieldValues.ts'
import { forwardable } from './forwardable.ts'
import type { LevelField } from './levels.ts'
import type { NatEffect } from './natEffects.ts'
import type { PacketSpace } from './packetSpace.ts'
import { ownAddresses } from './redirect.ts'
import { LEFT_OUT, TOLD_APART, type Refused } from './refused.ts'
import { ALWAYS_INPUT, destinyOfRoutes, rangesWhere, type RoutedRange, type Routing } from './routing.ts'
import type { Stage } from './stage.ts'
import { hookStations, natFamilies, TRACKING_PRIORITY, type HookStations, type Station } from './stations.ts'

/**
 * Where the packets of an analysis go. `input`, `forward`: every packet, as if routing had said so. `output`: the host's own packets.
 * `arrival`: as the host's routes say, which needs facts.
 */
export type Way = 'input' | 'forward' | 'output' | 'arrival'

/**
 * Outcomes of every packet on its whole way through all base chains: accept, drop, reject, and more than one where a match is unknown.
 * None: no such packet comes through, whatever the rules say (see {@link forwardable}). New flows are seen for the first time, without a mapping.
 */
export function composeWay(space: PacketSpace, ruleset: Ruleset, way: Way): Diagram {
  return new Composer(space, ruleset, way, FIRST_SEEN).whole()
}

/** The same for packets that may state anything of themselves, also that their flow was mapped before the rules saw it. What the stack refuses is told apart, see {@link Refused}. */
export function composeStated(space: PacketSpace, ruleset: Ruleset, way: Way): Diagram {
  return new Composer(space, ruleset, way, { ...FIRST_SEEN, statusOfNew: CT_STATUS.confirmed | CT_STATUS.snat | CT_STATUS.dnat, refused: TOLD_APART }).whole()
}

/** The same as if the stack forwarded everything: what the rules alone say, for people and for digests. */
export function composeRules(space: PacketSpace, ruleset: Ruleset, way: Way): Diagram {
  return new Composer(space, ruleset, way, { ...FIRST_SEEN, isForwardingAll: true }).whole()
}

interface Packets {
  /** Bits that a new flow may have when its packet arrives. */
  readonly statusOfNew: number
  readonly isForwardingAll: boolean
  /** What becomes of those that the stack does not forward: where nothing else is said, they are left out. */
  readonly refused: Refused
}
const FIRST_SEEN: Packets = { statusOfNew: 0, isForwardingAll: false, refused: LEFT_OUT }

/** What NAT has changed of a packet so far. */
interface Changed {
  readonly isAddressNew: boolean
  readonly isPortNew: boolean
  readonly isSourceNew: boolean
}
const UNCHANGED: Changed = { isAddressNew: false, isPortNew: false, isSourceNew: false }
const MOVED: Changed = { isAddressNew: true, isPortNew: true, isSourceNew: false }

/** Where levels read what destination NAT has written. */
const NEW_LEVELS = { address: [['daddr4', 'newDaddr4'], ['daddr6', 'newDaddr6']], port: [['dport', 'newDport']] } as const satisfies Record<string, readonly (readonly [LevelField, LevelField])[]>
const NEW_FIELDS: readonly LevelField[] = ['newDport', 'newDaddr4', 'newDaddr6']

class Composer {
  readonly #space: PacketSpace
  readonly #ruleset: Ruleset
  readonly #way: Way
  readonly #packets: Packets
  readonly #firstHook: Hook
  readonly #reading: Reading
  readonly #compilers = new Map<string, ChainCompiler>()
  readonly #afterNat = new Map<string, Diagram>()

  constructor(space: PacketSpace, ruleset: Ruleset, way: Way, packets: Packets) {
    this.#space = space
    this.#ruleset = ruleset
    this.#way = way
    this.#packets = packets
    this.#firstHook = way === 'output' ? 'output' : 'prerouting'
    this.#reading = readingOf(ruleset)
  }

  whole(): Diagram {
    const { before, nat } = this.#stations(this.#firstHook)
    return this.#arriving(this.#through(before, this.#destinationNat(nat), UNCHANGED))
  }

  #stations(hook: Hook): HookStations {
    return hookStations(this.#ruleset, hook)
  }

  /** What follows destination NAT in the same hook and all later ones, for packets whose destination was or was not changed. */
  #following(changed: Changed): Diagram {
    const key = `${changed.isAddressNew} ${changed.isPortNew}`
    const known = this.#afterNat.get(key)
    if (known !== undefined) return known
    const result = !(changed.isAddressNew || changed.isPortNew) || this.#reading.ofOrigin ? this.#through(this.#stations(this.#firstHook).after, this.#routed(changed), changed) : this.#readNew(changed)
    this.#afterNat.set(key, result)
    return result
  }

  /** Where no rule asks for the destination from before NAT, the new one simply stands in its place. */
  #readNew(changed: Changed): Diagram {
    const to: number[] = []
    for (const [old, fresh] of [...(changed.isAddressNew ? NEW_LEVELS.address : []), ...(changed.isPortNew ? NEW_LEVELS.port : [])]) {
      const from = this.#space.chunks(old)
      for (let chunk = 0; chunk < from.count; chunk += 1) to[from.firstLevel + chunk] = this.#space.chunks(fresh).firstLevel + chunk
    }
    return relabel(this.#space.arena, this.#following(UNCHANGED), to)
  }

  #routed(changed: Changed): Diagram {
    if (this.#way === 'output') return this.#hook('postrouting', ACCEPT, changed)
    if (this.#way === 'input') return this.#hook('input', ACCEPT, changed)
    const passed = this.#hook('forward', this.#hook('postrouting', ACCEPT, changed), changed)
    const forward = this.#packets.isForwardingAll ? passed : forwardable(this.#space, passed, this.#packets.refused)
    const { routing } = this.#space
    if (this.#way === 'forward' || !routing) return forward
    return this.#byRoutes(routing, this.#hook('input', ACCEPT, changed), forward, changed)
  }

  /** A hook after routing: its chains, source NAT among them. */
  #hook(hook: Hook, following: Diagram, changed: Changed): Diagram {
    const stations = this.#stations(hook)
    const rest = (isSourceNew: boolean): Diagram => this.#through(stations.after, following, { ...changed, isSourceNew })
    return this.#through(stations.before, this.#sourceNat(stations, rest, changed), changed)
  }

  #through(stations: readonly Station[], following: Diagram, changed: Changed): Diagram {
    return stations.reduceRight((after, station) => this.#station(station, after, changed), following)
  }

  /** Whether tracking comes before a chain of its own priority depends on which was registered first, which no listing tells: both. */
  #station(station: Station, following: Diagram, changed: Changed): Diagram {
    const stage = this.#stage(station.base, changed)
    if (station.base.hook !== this.#firstHook || station.base.priority !== TRACKING_PRIORITY) return this.#run(station, following, stage)
    return this.#union(this.#run(station, following, stage), this.#run(station, following, { ...stage, isBeforeTracking: true }))
  }

  /** One base chain and all that follows it. An accept ends this chain only; a drop is final. */
  #run({ table, chain, base, family }: Station, following: Diagram, stage: Stage): Diagram {
    const compiler = this.#compiler(table, stage)
    if (this.#reading.ofChanges) {
      const end = base.policy === 'accept' ? following : DROP
      return this.#ofFamily(family, compiler.chainBefore(chain.name, { end, accept: following, mapped: () => following }), following)
    }
    return this.#ofFamily(family, this.#space.combiner.combine(THROUGH[base.policy], compiler.chain(chain.name), following), following)
  }

  #ofFamily(family: Family | undefined, own: Diagram, otherwise: Diagram): Diagram {
    return family === undefined ? own : this.#space.choose(this.#space.test(...(family === 4 ? IPV4 : IPV6)), own, otherwise)
  }

  #stage({ hook, priority }: BaseChain, changed: Changed): Stage {
    const destination = this.#destination(hook)
    const isOwn = this.#way === 'output'
    return {
      ...changed,
      isBeforeTracking: hook === this.#firstHook && priority < TRACKING_PRIORITY,
      hasNoIif: isOwn,
      hasNoOif: hook === 'prerouting' || hook === 'input',
      isForwarded: hook === 'forward' || (hook === 'postrouting' && !isOwn),
      linkSide: hook === 'output' ? undefined : hook === 'postrouting' ? 'oif' : 'iif',
      ...(destination ? { destination } : {}),
    }
  }

  #destination(hook: Hook): 'local' | 'unicast' | undefined {
    if (this.#space.routing) return undefined
    if (this.#way === 'input') return 'local'
    return hook === 'forward' || hook === 'postrouting' ? 'unicast' : undefined
  }

  #compiler(table: Table, stage: Stage, isNat = false): ChainCompiler {
    const key = `${this.#ruleset.tables.indexOf(table)} ${isNat} ${JSON.stringify(stage)}`
    const known = this.#compilers.get(key)
    if (known) return known
    const made = new ChainCompiler(this.#space, table, stage, isNat)
    this.#compilers.set(key, made)
    return made
  }

  // ───────────────────────────── NAT ─────────────────────────────

  /** New flows ask the NAT chains; packets of known flows follow the mapping of their flow, which is none of the rules' business any more. */
  #destinationNat(stations: readonly Station[]): Diagram {
    const plain = this.#following(UNCHANGED)
    const families = natFamilies(this.#ruleset)
    if (families.length === 0) return plain
    const asked = this.#natChains(stations, UNCHANGED, plain, (effect) => this.#moved(effect))
    return this.#byMapping('destination', families, { plain, asked, mapped: () => this.#following(MOVED) })
  }

  /** Only chains behind it see what source NAT has done. */
  #sourceNat({ nat, after }: HookStations, rest: (isSourceNew: boolean) => Diagram, changed: Changed): Diagram {
    const plain = rest(false)
    const families = natFamilies(this.#ruleset)
    if (families.length === 0 || (nat.length === 0 && after.length === 0)) return plain
    const asked = this.#natChains(nat, changed, plain, () => this.#withStatus(CT_STATUS.snat, rest(true)))
    return this.#byMapping('source', families, { plain, asked, mapped: () => rest(true) })
  }

  /** The chain that first does something ends the walk through the NAT chains of a hook. */
  #natChains(stations: readonly Station[], changed: Changed, plain: Diagram, mapped: Following['mapped']): Diagram {
    return stations.reduceRight((after, { table, chain, base, family }) => {
      const compiler = this.#compiler(table, this.#stage(base, changed), true)
      const following = { end: base.policy === 'accept' ? after : DROP, accept: after, mapped }
      const own = this.#reading.ofChanges ? compiler.chainBefore(chain.name, following) : compiler.bind(compiler.chain(chain.name), following)
      return this.#ofFamily(family, own, after)
    }, plain)
  }

  /** Errors that belong to a flow follow its mapping; the first packet of a related flow asks, unless it was given one (nf_nat_core.c, nf_nat_inet_fn). */
  #byMapping(side: 'source' | 'destination', families: readonly Family[], { plain, asked, mapped }: { plain: Diagram; asked: Diagram; mapped: () => Diagram }): Diagram {
    const space = this.#space
    const isMapped = this.#isMapped(side)
    const known = space.choose(isMapped, mapped(), plain)
    const related = space.choose(space.test('l4proto', ICMP_PROTOCOLS), known, space.choose(isMapped, mapped(), asked))
    const ofFlow = space.choose(space.test('ctState', one(BigInt(CT_ESTABLISHED))), known, related)
    const tracked = space.choose(space.test('ctState', one(BigInt(CT_NEW))), asked, ofFlow)
    const all = space.choose(space.test('ctState', [{ first: 1n, last: 3n }]), tracked, plain)
    const [only] = families
    return families.length === 2 ? all : this.#ofFamily(only, all, plain)
  }

  /** Destination NAT rewrites the destination of the flow's own packets, source NAT that of their answers; and the other way round for the source. */
  #isMapped(side: 'source' | 'destination'): Diagram {
    const { combiner } = this.#space
    const [own, answers] = side === 'destination' ? [CT_STATUS.dnat, CT_STATUS.snat] : [CT_STATUS.snat, CT_STATUS.dnat]
    const test = (direction: bigint, bit: number): Diagram =>
      combiner.combine(BOTH, this.#space.test('ctDirection', one(direction)), this.#space.test('ctStatus', statusWith(bit)))
    return combiner.combine(EITHER, test(0n, own), test(1n, answers))
  }

  /** What becomes of packets that a rule sends to a new destination. */
  #moved(effect: NatEffect): Diagram {
    if (effect.kind === 'source') return this.#following(UNCHANGED)
    const to: NatAddress = effect.kind === 'unknown' ? {} : effect.to
    const isPortNew = effect.kind === 'unknown' || to.ports !== undefined
    const isAddressNew = effect.kind !== 'to' || to.addresses !== undefined
    let result = this.#following({ isAddressNew, isPortNew, isSourceNew: false })
    if (to.ports) result = this.#space.where('newDport', [{ first: BigInt(to.ports.first), last: BigInt(to.ports.last) }], result)
    if (to.addresses) result = this.#space.where(`newDaddr${to.addresses.first.family}`, [{ first: to.addresses.first.value, last: to.addresses.last.value }], result)
    if (effect.kind === 'redirect') result = ownAddresses(this.#space, this.#firstHook, result)
    return this.#withStatus(CT_STATUS.dnat, this.#space.forget(NEW_FIELDS, result))
  }

  #withStatus(bit: number, following: Diagram): Diagram {
    const { arena } = this.#space
    return rewriteLevel(arena, following, this.#space.chunks('ctStatus').firstLevel, Uint8Array.from({ length: 64 }, (_, bits) => bits | bit))
  }

  // ───────────────────────────── routing, arrival ─────────────────────────────

  #byRoutes(routing: Routing, input: Diagram, forward: Diagram, changed: Changed): Diagram {
    return this.#byFamily((family) => {
      const level: LevelField = changed.isAddressNew ? `newDaddr${family}` : `daddr${family}`
      const free = complementRanges(mergeRanges(ALWAYS_INPUT[family]), this.#space.maxOf(level))
      const among = (ranges: readonly RoutedRange[]): Diagram => this.#union(...this.#destinies(routing, family, ranges, level, free, input, forward))
      const always = this.#space.where(level, mergeRanges(ALWAYS_INPUT[family]), input)
      const near = family === 4 ? NOWHERE : this.#space.byInterface('iif', (name) => among(routing.linkLocal(routing.deviceOf(name))))
      return this.#union(always, among(routing.everywhere(family)), near)
    })
  }

  #destinies(routing: Routing, family: Family, ranges: readonly RoutedRange[], level: LevelField, free: readonly Range[], input: Diagram, forward: Diagram): Diagram[] {
    const destinies = new Map<string, 'input' | readonly (string | undefined)[]>()
    const keyOf = (range: RoutedRange): string => {
      const destiny = destinyOfRoutes(routing.facts, family, range.routes)
      const key = destiny === 'input' ? destiny : JSON.stringify(destiny)
      destinies.set(key, destiny)
      return key
    }
    for (const range of ranges) keyOf(range)
    return [...destinies].map(([key, destiny]) => {
      const outcome = destiny === 'input' ? input : destiny.length === 0 ? DROP : this.#union(...destiny.map((name) => this.#leavingBy(name, forward)))
      return this.#space.where(level, intersectRanges(free, rangesWhere(ranges, (range) => keyOf(range) === key)), outcome)
    })
  }

  #leavingBy(name: string | undefined, forward: Diagram): Diagram {
    const { firstLevel } = this.#space.chunks('oif')
    const index = this.#space.names.findIndex((each) => each.kind === 'name' && each.name === name)
    return index < 0 ? this.#space.forget(['oif'], forward) : cofactor(this.#space.arena, forward, firstLevel, index)
  }

  /** A packet arrives unmarked, by an interface; a new flow has no mark yet. */
  #arriving(diagram: Diagram): Diagram {
    const { arena } = this.#space
    const unmarked = this.#zero(['mark', 'isUntracked'], diagram)
    const fresh = rewriteLevel(arena, this.#zero(['ctMark', 'ctDirection'], unmarked), this.#space.chunks('ctStatus').firstLevel, Uint8Array.from({ length: 64 }, (_, bits) => bits & this.#packets.statusOfNew))
    const arrived = this.#space.choose(this.#space.test('ctState', one(BigInt(CT_NEW))), fresh, unmarked)
    const any: Range[] = [{ first: 1n, last: this.#space.maxOf('iif') }]
    const incoming = this.#way === 'output' ? arrived : this.#space.where('iif', any, arrived)
    return this.#way === 'forward' || this.#way === 'output' ? this.#space.where('oif', any, incoming) : incoming
  }

  #zero(fields: readonly LevelField[], diagram: Diagram): Diagram {
    return fields.reduce((result, field) => {
      const { firstLevel, count } = this.#space.chunks(field)
      return Array.from({ length: count }).reduce<Diagram>((each, _, chunk) => cofactor(this.#space.arena, each, firstLevel + chunk, 0), result)
    }, diagram)
  }

  #byFamily(of: (family: Family) => Diagram): Diagram {
    return this.#space.choose(this.#space.test(...IPV4), of(4), of(6))
  }

  #union(...diagrams: readonly Diagram[]): Diagram {
    return this.#space.combiner.combineAll(PLAIN_OUTCOMES.union, diagrams, NOWHERE)
  }
}

const ICMP_PROTOCOLS: readonly Range[] = [...one(1n), ...one(58n)]

const statusWith = (bit: number): Range[] =>
  mergeRanges(Array.from({ length: 64 }, (_, bits) => bits).filter((bits) => bits & bit).flatMap((bits) => one(BigInt(bits))))

// ───────────────────────────── what the rules ask ─────────────────────────────

interface Reading {
  /** Marks that are set and asked for, and untracking where states are asked for: rules then change what later ones read. */
  readonly ofChanges: boolean
  /** The flow's first packet before NAT. */
  readonly ofOrigin: boolean
}

function readingOf(ruleset: Ruleset): Reading {
  const written = new Set<string>()
  const fields = new Set<string>()
  for (const table of ruleset.tables) {
    for (const chain of table.chains) {
      // Only new flows ask it.
      if (chain.base?.type === 'nat') fields.add('ctState')
      for (const rule of chain.rules) for (const step of rule.steps) note(step, written, fields)
    }
  }
  return { ofChanges: [...written].some((field) => fields.has(field)), ofOrigin: [...fields].some((field) => field.startsWith('ctOriginal')) }
}

/** What is read of a packet's entry, which an untracked one has not. */
const OF_ENTRY = Object.keys(NUMBER_FIELD_BITS).filter((name) => name.startsWith('ct'))

function note(step: Step, written: Set<string>, fields: Set<string>): void {
  if (step.kind === 'set-mark') {
    written.add(step.field)
    if (step.copyFrom) fields.add(step.copyFrom)
  } else if (step.kind === 'notrack') for (const field of OF_ENTRY) written.add(field)
  else if (step.kind === 'any-of') for (const match of step.alternatives.flat()) note(match, written, fields)
  else if (step.kind === 'lookup' || step.kind === 'vmap') for (const field of step.fields) fields.add(field.name)
  else if (step.kind === 'nat' && step.target.kind === 'map') for (const field of step.target.fields) fields.add(field.name)
}
