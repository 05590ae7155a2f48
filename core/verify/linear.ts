import type { HostFacts } from '../ruleset/hostfacts.ts'
import type { Packet } from '../ruleset/packet.ts'
import {
  CT_STATUS,
  isMatch,
  isStatement,
  type BaseChain,
  type Chain,
  type Element,
  type Elements,
  type Hook,
  type MarkStatement,
  type NatAddress,
  type NatVerdict,
  type Rule,
  type Ruleset,
  type Step,
  type Table,
  type Verdict,
  type VerdictMap,
} from '../ruleset/ruleset.ts'
import { ask, askElement, describeLookup, elementsOf, readFields, type Answer } from './linearMatch.ts'
import { ctStateAt, destinationOf, hasEntry, mergePaths, single, startPath, type Path, type Scene, type Station } from './linearPath.ts'
import { destinyOf } from './linearRoute.ts'

/**
 * The second, independent evaluator: takes one packet through the rules one after the other, as the kernel does.
 * It shares no matching code with the decision diagram, so that the two can check each other.
 * A question that cannot be answered splits the way; ways that cannot be told apart any more are joined again.
 * Cost: O(rules × ways); without unknowns there is one way. With them it is bounded by {@link LIMITS}: then more is said to be possible, never less.
 */
export interface LinearOptions {
  readonly facts?: HostFacts
  /** The hook after routing. Without it the facts route the packet; without both, input and forward are both possible. */
  readonly hook?: 'input' | 'forward' | 'output'
  readonly isTraced?: boolean
}

export type Outcome = 'accept' | 'drop' | 'reject'

export interface LinearResult {
  /** All that may happen to the packet; more than one: undecided. */
  readonly outcomes: ReadonlySet<Outcome>
  /** What could not be answered on the way, in the order of asking. */
  readonly unknowns: readonly Unknown[]
  /** The rules that matched or may have matched, in the order visited; empty unless asked for. */
  readonly trace: readonly TraceLine[]
  /** Why the stack itself stops the packet, whatever the rules say: no route, no hop left. */
  readonly refusals: readonly string[]
}

export interface Unknown {
  readonly what: string
  readonly rule?: Rule
}

export interface TraceLine {
  /** 0 for a base chain, one more for each jump. */
  readonly depth: number
  readonly table: Table
  readonly chain: Chain
  /** Absent: the chain's policy. */
  readonly rule?: Rule
  readonly isSure: boolean
  readonly effect: string
}

// The kernel refuses deeper nesting at load (NFT_JUMP_STACK_SIZE).
const JUMP_DEPTH_MAX = 16
/** What a walk may cost: about a second. */
const LIMITS = {
  /** As many answers are remembered as the diagram remembers; of what is asked beyond them each asking stands for itself. */
  questionsMax: 16,
  /** More ways than this in one place, and what was answered on them is forgotten. */
  pathsMax: 256,
  /** Ways through rules once a question has split them; beyond it everything is said to be possible. */
  visitsMax: 50_000,
  /** Longer paths of rules are read by nobody. */
  traceLinesMax: 10_000,
} as const
const TARGETS_APART_MAX = 64n
const POSSIBLE: readonly Outcome[] = ['accept', 'drop', 'reject']

export function evaluateLinear(ruleset: Ruleset, packet: Packet, options: LinearOptions = {}): LinearResult {
  const walk = new Walk(ruleset, { packet, facts: options.facts, hook: options.hook }, options.isTraced ?? false)
  const start = [startPath(packet)]
  if (options.hook === 'output') walk.finish(walk.passHook({ hook: 'postrouting', oif: packet.oif, isForwarded: false }, walk.passHook({ hook: 'output', oif: packet.oif, isForwarded: false }, start)))
  else for (const way of route(walk, walk.passHook({ hook: 'prerouting', oif: undefined, isForwarded: false }, start), options)) goOn(walk, way)
  return { outcomes: walk.outcomes, unknowns: walk.unknowns, trace: walk.trace, refusals: walk.refusals }
}

interface Way {
  readonly hook: 'input' | 'forward'
  readonly path: Path
  readonly oif: string | undefined
}

function goOn(walk: Walk, { hook, path, oif }: Way): void {
  if (hook === 'input') return walk.finish(walk.passHook({ hook, oif: undefined, isForwarded: false }, [path]))
  const refusal = whyNotForwarded(walk.scene.packet, oif)
  if (refusal) return walk.refuse(refusal)
  walk.finish(walk.passHook({ hook: 'postrouting', oif, isForwarded: true }, walk.passHook({ hook, oif, isForwarded: true }, [path])))
}

function route(walk: Walk, paths: readonly Path[], options: LinearOptions): readonly Way[] {
  return paths.flatMap((path): readonly Way[] => {
    const { packet, facts } = walk.scene
    if (options.hook === 'input') return [{ hook: 'input', path, oif: undefined }]
    if (options.hook) return [{ hook: 'forward', path, oif: packet.oif }]
    if (path.isRedirected) return [{ hook: 'input', path, oif: undefined }]
    const destination = destinationOf(walk.scene, path)
    if (!facts || !destination) return walk.anywhere(path)
    const destiny = destinyOf(facts, destination, packet.iif)
    if (destiny.kind === 'input') return [{ hook: 'input', path, oif: undefined }]
    if (destiny.kind === 'nowhere') walk.refuse(destiny.because)
    if (destiny.kind === 'nowhere') return []
    if (destiny.oifs.length > 1) walk.doubt('which of several routes is taken')
    return destiny.oifs.map((oif) => ({ hook: 'forward', path, oif: oif ?? packet.oif }))
  })
}

interface Registered {
  readonly table: Table
  readonly chain: Chain
  readonly base: BaseChain
  /** In the order of registration. */
  readonly index: number
}

class Walk {
  readonly outcomes = new Set<Outcome>()
  readonly unknowns: Unknown[] = []
  readonly trace: TraceLine[] = []
  readonly refusals: string[] = []
  readonly scene: Scene
  readonly #ruleset: Ruleset
  readonly #isTraced: boolean
  readonly #doubted = new Map<Rule | undefined, Set<string>>()
  readonly #questions = new Set<string>()
  #visits = 0
  /** The rule where the limit was met. */
  #spentAt: Rule | undefined

  constructor(ruleset: Ruleset, scene: Scene, isTraced: boolean) {
    this.#ruleset = ruleset
    this.scene = scene
    this.#isTraced = isTraced
  }

  finish(paths: readonly Path[]): void {
    if (paths.length > 0) this.outcomes.add('accept')
  }

  refuse(because: string): void {
    this.outcomes.add('drop')
    if (!this.refusals.includes(because)) this.refusals.push(because)
  }

  doubt(what: string, rule?: Rule): void {
    const known = this.#doubted.get(rule) ?? new Set()
    this.#doubted.set(rule, known)
    if (known.has(what)) return
    known.add(what)
    this.unknowns.push(rule ? { what, rule } : { what })
  }

  /** Whether the walk may go on through a rule on so many ways. */
  mayVisit(rule: Rule, ways: number): boolean {
    if (this.unknowns.length > 0) this.#visits += ways
    if (this.#visits <= LIMITS.visitsMax) return true
    this.doubt(`budget: more than ${LIMITS.visitsMax} steps over open questions`, this.#spentAt ??= rule)
    for (const outcome of POSSIBLE) this.outcomes.add(outcome)
    return false
  }

  assume(path: Path, answer: Answer, isYes: boolean): Path {
    if (typeof answer === 'string' || !answer.isDeterministic) return path
    if (!this.#questions.has(answer.what) && this.#questions.size === LIMITS.questionsMax) return path
    this.#questions.add(answer.what)
    return { ...path, assumed: new Map(path.assumed).set(answer.what, isYes !== answer.isOpposite) }
  }

  /** Where the packet goes cannot be told: perhaps nowhere. */
  anywhere(path: Path): readonly Way[] {
    this.doubt('where the packet is routed to')
    if (this.scene.facts) this.outcomes.add('drop')
    return [{ hook: 'input', path, oif: undefined }, { hook: 'forward', path, oif: this.scene.packet.oif }]
  }

  passHook(at: Omit<Station, 'isBeforeTracking'>, paths: readonly Path[]): readonly Path[] {
    const isFirst = at.hook === 'prerouting' || at.hook === 'output'
    let open: readonly Path[] = paths.map((path) => ({ ...path, isMapped: false }))
    for (const stop of stopsAt(this.#ruleset, at.hook, this.scene.packet.source.family)) {
      const station = { ...at, isBeforeTracking: isFirst && stop.priority < TRACKING_PRIORITY }
      if (stop.kind === 'nat') open = this.#passNat(stop.chains, open, station)
      else if (isFirst && stop.priority === TRACKING_PRIORITY) open = this.#passBesideTracking(stop.chain, open, station)
      else open = this.#passBase(stop.chain, open, station)
    }
    return open
  }

  /** Which of the two was registered first, no listing tells. */
  #passBesideTracking(chain: Registered, paths: readonly Path[], station: Station): readonly Path[] {
    this.doubt(`whether chain ${chain.chain.name} comes before connection tracking or behind it`)
    return mergePaths([true, false].flatMap((isBeforeTracking) => this.#passBase(chain, paths, { ...station, isBeforeTracking })))
  }

  #passBase(registered: Registered, paths: readonly Path[], station: Station): readonly Path[] {
    if (paths.length === 0) return paths
    const { chain, base } = registered
    const run = new ChainRun(this, registered, station, this.#isTraced)
    const ended = run.chain(chain, paths, 0)
    if (ended.length > 0) run.note(chain, undefined, 0, true, `policy ${base.policy}`)
    if (ended.length > 0 && base.policy === 'drop') this.outcomes.add('drop')
    return boundedPaths([...run.accepted, ...(base.policy === 'drop' ? [] : ended)])
  }

  /** New flows ask the NAT chains until one has set a mapping; packets of known flows follow their flow's. */
  #passNat(chains: readonly Registered[], paths: readonly Path[], station: Station): readonly Path[] {
    const ways = paths.flatMap((path) => this.#natWays(path, station).map((way) => ({ path, way })))
    let open: readonly Path[] = ways.filter(({ way }) => way === 'ask').map(({ path }) => path)
    for (const chain of chains) {
      const mapped = open.filter((path) => path.isMapped)
      open = [...mapped, ...this.#passBase(chain, open.filter((path) => !path.isMapped), station)]
    }
    return mergePaths([...open, ...ways.filter(({ way }) => way !== 'ask').map(({ path, way }) => (way === 'follow' ? this.#turned(path, station) : path))])
  }

  /** nf_nat_core.c, nf_nat_inet_fn: errors that belong to a flow follow it; the first packet of a related flow asks, unless it was given a mapping. */
  #natWays(path: Path, station: Station): readonly ('ask' | 'follow' | 'pass')[] {
    const state = ctStateAt(this.scene, path, station)
    if (!hasEntry(state)) return ['pass']
    if (state === 'new') return ['ask']
    const { ctStatus, ctDirection, protocol } = this.scene.packet
    const unmapped = state === 'related' && protocol !== 1 && protocol !== 58 ? 'ask' : 'pass'
    if (ctStatus === undefined) this.doubt('whether NAT has mapped the flow')
    if (ctStatus === undefined) return [unmapped, 'follow']
    const isOfDestination = isDestinationHook(station.hook)
    const bit = isOfDestination === (ctDirection !== 'reply') ? CT_STATUS.dnat : CT_STATUS.snat
    return [ctStatus & bit ? 'follow' : unmapped]
  }

  /** The flow's own packets go to where its answers come from; answers go to where its own packets come from. */
  #turned(path: Path, station: Station): Path {
    if (!isDestinationHook(station.hook)) return { ...path, isSourceNew: true }
    const { ctDirection, ctOriginal, ctReply } = this.scene.packet
    const to = ctDirection === 'reply' ? ctOriginal : ctReply
    return { ...path, destination: single(to?.source.value), destinationPort: single(to?.sourcePort) }
  }
}

const TRACKING_PRIORITY = -200

const isDestinationHook = (hook: Hook): boolean => hook === 'prerouting' || hook === 'output'

/** net/ipv4/ip_forward.c, ip_forward; net/ipv6/ip6_output.c, ip6_forward. What is not stated does not stand in the way. */
function whyNotForwarded({ source, iif, ttl = 64, pkttype = 0 }: Packet, oif: string | undefined): string | undefined {
  if (ttl <= 1) return `a packet with ${source.family === 4 ? 'TTL' : 'hop limit'} ${ttl} is not forwarded`
  if (pkttype !== 0) return 'a frame that was not sent to this host is not forwarded'
  const isOfOneLink = source.family === 6 && (source.value <= 1n || source.value >> 118n === 0x3fan || source.value >> 120n === 0xffn)
  const isOther = iif !== undefined && oif !== undefined && iif !== oif
  return isOfOneLink && isOther ? 'a packet with a source of one link alone does not leave that link' : undefined
}

type Stop =
  | { readonly kind: 'chain'; readonly priority: number; readonly index: number; readonly chain: Registered }
  | { readonly kind: 'nat'; readonly priority: number; readonly index: number; readonly chains: readonly Registered[] }

/** What a packet passes in a hook, in the order in which it runs; see {@link BaseChain} for ties and for NAT. */
function stopsAt(ruleset: Ruleset, hook: Hook, family: 4 | 6): readonly Stop[] {
  const all = registeredFor(ruleset, family)
  const here = all.filter(({ base }) => base.hook === hook).toSorted((a, b) => a.base.priority - b.base.priority || b.index - a.index)
  const stops = here.filter(({ base }) => base.type !== 'nat').map((chain): Stop => ({ kind: 'chain', priority: chain.base.priority, index: chain.index, chain }))
  const firstNat = all.find(({ base }) => base.type === 'nat')
  if (firstNat && hook !== 'forward') {
    stops.push({ kind: 'nat', priority: isDestinationHook(hook) ? -100 : 100, index: firstNat.index, chains: here.filter(({ base }) => base.type === 'nat') })
  }
  return stops.toSorted((a, b) => a.priority - b.priority || b.index - a.index)
}

function registeredFor(ruleset: Ruleset, family: 4 | 6): readonly Registered[] {
  const sees = (table: Table): boolean => !table.isDormant && (table.family === 'inet' || table.family === (family === 4 ? 'ip' : 'ip6'))
  return ruleset.tables
    .flatMap((table) => table.chains.flatMap((chain) => (chain.base ? [{ table, chain, base: chain.base }] : [])))
    .map((each, index) => ({ ...each, index }))
    .filter(({ table }) => sees(table))
}

/** One run through one base chain. */
class ChainRun {
  accepted: Path[] = []
  readonly #walk: Walk
  readonly #table: Table
  readonly #station: Station
  readonly #isTraced: boolean

  constructor(walk: Walk, registered: Registered, station: Station, isTraced: boolean) {
    this.#walk = walk
    this.#table = registered.table
    this.#station = station
    this.#isTraced = isTraced
  }

  /** Gives the paths that reach the chain's end or return from it. */
  chain(chain: Chain, paths: readonly Path[], depth: number): readonly Path[] {
    const ended: Path[] = []
    let open = paths
    for (const rule of chain.rules) {
      if (open.length === 0) break
      if (!this.#walk.mayVisit(rule, open.length)) return []
      const next: Path[] = []
      this.#rule(chain, rule, open, depth, next, ended)
      open = boundedPaths(next)
    }
    return boundedPaths([...ended, ...open])
  }

  note(chain: Chain, rule: Rule | undefined, depth: number, isSure: boolean, effect: string): void {
    if (!this.#isTraced || this.#walk.trace.length === LIMITS.traceLinesMax) return
    this.#walk.trace.push({ depth, table: this.#table, chain, ...(rule ? { rule } : {}), isSure, effect })
  }

  #rule(chain: Chain, rule: Rule, paths: readonly Path[], depth: number, next: Path[], ended: Path[]): void {
    let running: { path: Path; isSure: boolean }[] = []
    for (const path of paths) {
      if (this.#isRuledOut(rule, path)) next.push(path)
      else running.push({ path, isSure: true })
    }
    for (const step of rule.steps) {
      running = running.flatMap((way) => this.#step({ chain, rule, depth, next, ended, isSure: way.isSure }, step, way.path))
      if (running.length === 0) return
    }
    next.push(...running.map((way) => way.path))
  }

  /** A match that surely fails settles the rule, whatever those before it would answer: no question stays open that nothing depends on. */
  #isRuledOut(rule: Rule, path: Path): boolean {
    for (const step of rule.steps) {
      if (isMatch(step) && ask(this.#walk.scene, path, this.#station, this.#table, step) === 'no') return true
      if (!isMatch(step) && step.kind !== 'note') return false
    }
    return false
  }

  /** Gives the paths that go on within the rule. */
  #step(at: RuleRun, step: Step, path: Path): { path: Path; isSure: boolean }[] {
    if (isMatch(step)) {
      const answer = ask(this.#walk.scene, path, this.#station, this.#table, step)
      if (typeof answer === 'object') this.#walk.doubt(answer.what, at.rule)
      if (answer === 'no') at.next.push(path)
      if (typeof answer === 'object') at.next.push(this.#walk.assume(path, answer, false))
      return answer === 'no' ? [] : [{ path: this.#walk.assume(path, answer, true), isSure: at.isSure && answer === 'yes' }]
    }
    if (isStatement(step)) return [{ path: this.#act(step, path), isSure: at.isSure }]
    if (step.kind === 'vmap') this.#verdictMap(at, step, path)
    else this.#verdict(at, step, path)
    return []
  }

  #act(step: Step & { kind: 'note' | 'set-mark' | 'notrack' }, path: Path): Path {
    if (step.kind === 'note') return path
    const state = ctStateAt(this.#walk.scene, path, this.#station)
    if (step.kind === 'notrack') return hasEntry(state) ? path : { ...path, isUntracked: true }
    if ((step.field === 'ctMark' || step.copyFrom === 'ctMark') && !hasEntry(state)) return path
    return { ...path, [step.field]: markAfter(step, path) }
  }

  #verdictMap(at: RuleRun, map: VerdictMap, path: Path): void {
    this.#lookUp(at, map, path, (element, way, isSure) => {
      const verdict = 'verdict' in element ? (element.verdict as Verdict | undefined) : undefined
      if (verdict) this.#verdict({ ...at, isSure }, verdict, way)
      else at.next.push(way)
    })
  }

  /** Not found, or not readable: the next rule is asked. */
  #lookUp(at: RuleRun, map: { readonly fields: VerdictMap['fields']; readonly among: Elements }, path: Path, found: (element: Element, path: Path, isSure: boolean) => void): void {
    const readings = readFields(this.#walk.scene, path, this.#station, map.fields)
    const elements = elementsOf(this.#table, map.among)
    if (!elements) return this.#unmodelled(at, path, describeLookup(map))
    for (const element of readings.includes('unreadable') ? [] : elements) {
      const answer = askElement(readings, element)
      if (answer === 'unknown') this.#walk.doubt(describeLookup(map), at.rule)
      if (answer !== 'no') found(element, path, answer === 'yes' && at.isSure)
      if (answer === 'yes') return
    }
    at.next.push(path)
  }

  #verdict(at: RuleRun, verdict: Verdict, path: Path): void {
    this.note(at.chain, at.rule, at.depth, at.isSure, describeVerdict(verdict))
    switch (verdict.kind) {
      case 'accept':
        this.accepted.push(path)
        return
      case 'drop':
      case 'reject':
        this.#walk.outcomes.add(verdict.kind)
        return
      case 'queue':
        this.#walk.doubt(`queue ${verdict.number}`, at.rule)
        this.#walk.outcomes.add('drop')
        this.accepted.push(path)
        return
      case 'return':
        at.ended.push(path)
        return
      case 'continue':
        at.next.push(path)
        return
      case 'jump':
      case 'goto':
        return this.#enter(at, verdict, path)
      case 'nat':
        return this.#nat(at, verdict, path)
      case 'unmodelled':
        return this.#unmodelled(at, path, verdict.what)
    }
  }

  #enter(at: RuleRun, verdict: Verdict & { kind: 'jump' | 'goto' }, path: Path): void {
    const chain = this.#table.chains.find((each) => each.name === verdict.chain)
    if (!chain || at.depth >= JUMP_DEPTH_MAX) return this.#unmodelled(at, path, `${verdict.kind} ${verdict.chain}`)
    const back = this.chain(chain, [path], at.depth + 1)
    if (back.length > 1 && !this.#walk.mayVisit(at.rule, back.length)) return
    if (verdict.kind === 'jump') at.next.push(...back)
    else at.ended.push(...back)
  }

  #unmodelled(at: RuleRun, path: Path, what: string): void {
    this.#walk.doubt(what, at.rule)
    this.#walk.outcomes.add('drop').add('reject')
    this.accepted.push(path)
    at.next.push(path)
  }

  #nat(at: RuleRun, verdict: NatVerdict, path: Path): void {
    const { target } = verdict
    if (target.kind === 'map') {
      this.#lookUp(at, target, path, (element, way) => {
        const to = 'target' in element ? (element.target as NatAddress | undefined) : undefined
        this.#map(verdict, { ...to, ...(target.ports ? { ports: target.ports } : {}) }, way)
      })
      return
    }
    this.#map(verdict, target.kind === 'to' ? target.to : target.kind === 'none' ? {} : undefined, path)
  }

  #map(verdict: NatVerdict, to: NatAddress | undefined, path: Path): void {
    const mapped = { ...path, isMapped: true }
    if (verdict.change === 'snat' || verdict.change === 'masquerade') this.accepted.push({ ...mapped, isSnat: true, isSourceNew: true })
    else if (!to) this.accepted.push({ ...mapped, isDnat: true, destination: undefined, destinationPort: undefined })
    else if (verdict.change === 'redirect') this.#redirect({ ...mapped, isDnat: true, destinationPort: portsOf(to, path) })
    else {
      const destination = to.addresses ? { first: to.addresses.first.value, last: to.addresses.last.value } : path.destination
      for (const each of this.#apart(destination)) this.accepted.push({ ...mapped, isDnat: true, destination: each, destinationPort: portsOf(to, path) })
    }
  }

  /** A few addresses are a way each, so that each is routed. */
  #apart(interval: Path['destination']): readonly Path['destination'][] {
    if (!interval || interval.first === interval.last || interval.last - interval.first >= TARGETS_APART_MAX) return [interval]
    this.#walk.doubt('which of several addresses NAT takes')
    return Array.from({ length: Number(interval.last - interval.first) + 1 }, (_, index) => single(interval.first + BigInt(index)))
  }

  /** nf_nat_redirect.c: the incoming interface's first address, of the destination's scope in IPv6; without one the packet is dropped. */
  #redirect(path: Path): void {
    const { packet, facts } = this.#walk.scene
    const { family } = packet.source
    if (this.#station.hook === 'output') return void this.accepted.push({ ...path, isRedirected: true, destination: single(family === 4 ? 0x7f00_0001n : 1n) })
    const device = facts?.interfaces.find((each) => each.name === packet.iif)
    if (!device) return void this.accepted.push({ ...path, isRedirected: true, destination: undefined })
    const own = device.addresses.find(({ address }) => address.family === family && (family === 4 || hasScopeOf(address.value, path.destination?.first ?? 0n)))
    if (own) this.accepted.push({ ...path, isRedirected: true, destination: single(own.address.value) })
    else this.#walk.refuse('redirect finds no address on the incoming interface')
  }
}

const portsOf = (to: NatAddress, path: Path): Path['destinationPort'] => (to.ports ? { first: BigInt(to.ports.first), last: BigInt(to.ports.last) } : path.destinationPort)

/** An IPv6 address of one's own in place of a destination (nf_nat_redirect_ipv6_usable): any for a global one. */
function hasScopeOf(own: bigint, destination: bigint): boolean {
  const scopeOf = (address: bigint): 'node' | 'link' | 'site' | 'global' => {
    const multicast = address >> 120n === 0xffn ? Number((address >> 112n) & 0xfn) : undefined
    if (address === 1n || multicast === 1) return 'node'
    if (address >> 118n === 0x3fan || multicast === 2) return 'link'
    return address >> 118n === 0x3fbn || multicast === 5 ? 'site' : 'global'
  }
  const wanted = scopeOf(destination)
  return wanted === 'global' || scopeOf(own) === wanted
}

interface RuleRun {
  readonly chain: Chain
  readonly rule: Rule
  readonly depth: number
  readonly next: Path[]
  readonly ended: Path[]
  readonly isSure: boolean
}

/** Ways that differ by nothing but what was answered on them become one where there are too many. */
function boundedPaths(paths: readonly Path[]): readonly Path[] {
  const merged = mergePaths(paths)
  return merged.length <= LIMITS.pathsMax ? merged : mergePaths(merged.map((path) => ({ ...path, assumed: new Map() })))
}

function markAfter(step: MarkStatement, path: Path): bigint | undefined {
  const old = path[step.copyFrom ?? step.field]
  if (step.isUnknown) return undefined
  if (step.keep === 0n) return step.flip
  return old === undefined ? undefined : (old & step.keep) ^ step.flip
}

function describeVerdict(verdict: Verdict): string {
  if (verdict.kind === 'jump' || verdict.kind === 'goto') return `${verdict.kind} ${verdict.chain}`
  if (verdict.kind === 'nat') return verdict.change
  return verdict.kind === 'unmodelled' ? verdict.what : verdict.kind
}
