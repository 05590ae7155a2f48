import type { Address } from '../net/address.ts'
import type { HostFacts } from '../ruleset/hostfacts.ts'
import type { Packet } from '../ruleset/packet.ts'
import {
  isMatch,
  isStatement,
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
import { ctStateAt, destinationOf, hasEntry, mergePaths, startPath, type Path, type Scene, type Station } from './linearPath.ts'
import { destinyOf } from './linearRoute.ts'

/**
 * The second, independent evaluator: takes one packet through the rules one after the other, as the kernel does.
 * It shares no matching code with the decision diagram, so that the two can check each other.
 * A question that cannot be answered splits the way; ways that cannot be told apart any more are joined again.
 * Cost: O(rules × ways); without unknowns there is one way.
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
/** More open ways than this in one place, and everything is said to be possible. */
const PATHS_MAX = 4096
const POSSIBLE: readonly Outcome[] = ['accept', 'drop', 'reject']

export function evaluateLinear(ruleset: Ruleset, packet: Packet, options: LinearOptions = {}): LinearResult {
  const walk = new Walk(ruleset, { packet, facts: options.facts, hook: options.hook }, options.isTraced ?? false)
  const start = [startPath(packet)]
  if (options.hook === 'output') walk.finish(walk.passHook('output', start, packet.oif))
  else for (const way of route(walk, walk.passHook('prerouting', start, undefined), options)) walk.finish(walk.passHook(way.hook, [way.path], way.oif))
  return { outcomes: walk.outcomes, unknowns: walk.unknowns, trace: walk.trace }
}

interface Way {
  readonly hook: Hook
  readonly path: Path
  readonly oif: string | undefined
}

function route(walk: Walk, paths: readonly Path[], options: LinearOptions): readonly Way[] {
  return paths.flatMap((path): readonly Way[] => {
    const { packet, facts } = walk.scene
    if (options.hook) return [{ hook: options.hook, path, oif: options.hook === 'forward' ? packet.oif : undefined }]
    if (path.isRedirected) return [{ hook: 'input', path, oif: undefined }]
    const destination = destinationOf(walk.scene, path)
    if (!facts || !destination) {
      walk.doubt('where the packet is routed to')
      return [{ hook: 'input', path, oif: undefined }, { hook: 'forward', path, oif: packet.oif }]
    }
    const destiny = destinyOf(facts, destination)
    if (destiny.kind === 'nowhere') walk.outcomes.add('drop')
    if (destiny.kind === 'nowhere') return []
    return [destiny.kind === 'input' ? { hook: 'input', path, oif: undefined } : { hook: 'forward', path, oif: destiny.oif ?? packet.oif }]
  })
}

interface Registered {
  readonly table: Table
  readonly chain: Chain
  readonly priority: number
}

class Walk {
  readonly outcomes = new Set<Outcome>()
  readonly unknowns: Unknown[] = []
  readonly trace: TraceLine[] = []
  readonly scene: Scene
  readonly #ruleset: Ruleset
  readonly #isTraced: boolean

  constructor(ruleset: Ruleset, scene: Scene, isTraced: boolean) {
    this.#ruleset = ruleset
    this.scene = scene
    this.#isTraced = isTraced
  }

  finish(paths: readonly Path[]): void {
    if (paths.length > 0) this.outcomes.add('accept')
  }

  doubt(what: string, rule?: Rule): void {
    if (!this.unknowns.some((unknown) => unknown.what === what && unknown.rule === rule)) this.unknowns.push(rule ? { what, rule } : { what })
  }

  passHook(hook: Hook, paths: readonly Path[], oif: string | undefined): readonly Path[] {
    let open = paths.map((path) => ({ ...path, isMapped: false }))
    for (const registered of registeredAt(this.#ruleset, hook, this.scene.packet.source.family)) {
      const station = { hook, priority: registered.priority, oif, isForwarded: hook === 'forward' }
      open = [...this.#passBase(registered, open, station)]
    }
    return open
  }

  #passBase(registered: Registered, paths: readonly Path[], station: Station): readonly Path[] {
    const isNat = registered.chain.base?.type === 'nat'
    const asked = paths.filter((path) => !isNat || this.#isFirstOfFlow(path, station))
    const passing = paths.filter((path) => !asked.includes(path))
    if (asked.length === 0) return paths
    const run = new ChainRun(this, registered, station, this.#isTraced)
    const ended = run.chain(registered.chain, asked, 0)
    if (ended.length > 0) run.note(registered.chain, undefined, 0, true, `policy ${registered.chain.base?.policy ?? 'accept'}`)
    if (ended.length > 0 && registered.chain.base?.policy === 'drop') this.outcomes.add('drop')
    return mergePaths([...passing, ...run.accepted, ...(registered.chain.base?.policy === 'drop' ? [] : ended)])
  }

  #isFirstOfFlow(path: Path, station: Station): boolean {
    const state = ctStateAt(this.scene, path, station)
    return (state === 'new' || state === 'related') && !path.isMapped
  }
}

/** The base chains of a hook in the order in which they run; see {@link BaseChain} for ties and for NAT. */
function registeredAt(ruleset: Ruleset, hook: Hook, family: 4 | 6): readonly Registered[] {
  const natPriority = hook === 'prerouting' || hook === 'output' ? -100 : 100
  const sees = (table: Table): boolean => !table.isDormant && (table.family === 'inet' || table.family === (family === 4 ? 'ip' : 'ip6'))
  const found = ruleset.tables.filter(sees).flatMap((table) =>
    table.chains.flatMap((chain) => (chain.base?.hook === hook ? [{ table, chain, stated: chain.base.priority, priority: chain.base.type === 'nat' ? natPriority : chain.base.priority }] : [])),
  )
  return found.toReversed().toSorted((a, b) => a.priority - b.priority || a.stated - b.stated)
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
      const next: Path[] = []
      this.#rule(chain, rule, open, depth, next, ended)
      open = mergePaths(next)
      if (open.length > PATHS_MAX) return this.#giveUp(open, rule)
    }
    return mergePaths([...ended, ...open])
  }

  note(chain: Chain, rule: Rule | undefined, depth: number, isSure: boolean, effect: string): void {
    if (!this.#isTraced) return
    this.#walk.trace.push({ depth, table: this.#table, chain, ...(rule ? { rule } : {}), isSure, effect })
  }

  #giveUp(paths: readonly Path[], rule: Rule): readonly Path[] {
    this.#walk.doubt(`more than ${PATHS_MAX} open ways`, rule)
    for (const outcome of POSSIBLE) this.#walk.outcomes.add(outcome)
    return paths.slice(0, 1)
  }

  #rule(chain: Chain, rule: Rule, paths: readonly Path[], depth: number, next: Path[], ended: Path[]): void {
    const asked = paths.filter((path) => !this.#isRuledOut(rule, path))
    next.push(...paths.filter((path) => !asked.includes(path)))
    let running = asked.map((path) => ({ path, isSure: true }))
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
      if (typeof answer === 'object') at.next.push(assume(path, answer, false))
      return answer === 'no' ? [] : [{ path: assume(path, answer, true), isSure: at.isSure && answer === 'yes' }]
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
    if (step.field === 'ctMark' && !hasEntry(state)) return path
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
        this.accepted.push(this.#mapped(verdict, { ...to, ...(target.ports ? { ports: target.ports } : {}) }, way))
      })
      return
    }
    this.accepted.push(this.#mapped(verdict, target.kind === 'to' ? target.to : target.kind === 'none' ? {} : undefined, path))
  }

  #mapped(verdict: NatVerdict, to: NatAddress | undefined, path: Path): Path {
    const mapped = { ...path, isMapped: true }
    if (verdict.change === 'snat' || verdict.change === 'masquerade') return mapped
    const ports = to?.ports ? { first: BigInt(to.ports.first), last: BigInt(to.ports.last) } : path.destinationPort
    if (!to) return { ...mapped, isDnat: true, destination: undefined, destinationPort: undefined }
    if (verdict.change === 'redirect') {
      const own = this.#ownAddress()
      return { ...mapped, isDnat: true, isRedirected: true, destination: own ? { first: own.value, last: own.value } : undefined, destinationPort: ports }
    }
    const destination = to.addresses ? { first: to.addresses.first.value, last: to.addresses.last.value } : path.destination
    return { ...mapped, isDnat: true, destination, destinationPort: ports }
  }

  /** nf_nat_redirect.c: the incoming interface's first address, for loopback the loopback address. */
  #ownAddress(): Address | undefined {
    const { packet, facts } = this.#walk.scene
    const { family } = packet.source
    if (packet.iif === 'lo') return { family, value: family === 4 ? 0x7f00_0001n : 1n }
    return facts?.interfaces.find((each) => each.name === packet.iif)?.addresses.find((each) => each.address.family === family)?.address
  }
}

interface RuleRun {
  readonly chain: Chain
  readonly rule: Rule
  readonly depth: number
  readonly next: Path[]
  readonly ended: Path[]
  readonly isSure: boolean
}

function assume(path: Path, answer: Answer, isYes: boolean): Path {
  if (typeof answer === 'string' || !answer.isDeterministic) return path
  return { ...path, assumed: new Map(path.assumed).set(answer.what, isYes !== answer.isOpposite) }
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
