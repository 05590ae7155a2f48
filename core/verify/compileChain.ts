import {
  CT_STATES,
  isMatch,
  type Chain,
  type Element,
  type MarkStatement,
  type NamedSet,
  type NatAddress,
  type NatTarget,
  type NatVerdict,
  type Rule,
  type Step,
  type Table,
  type Verdict,
  type VerdictMap,
} from '../ruleset/ruleset.ts'
import type { Diagram } from '../space/arena.ts'
import { boxDiagram, boxesDiagram, compareBoxes, type Box } from '../space/box.ts'
import { isTerminal } from '../space/combine.ts'
import { ACCEPT, BOTH, DROP, MASK, NEXT, NO, NOWHERE, PLAIN_OUTCOMES, REJECT, RETURN, YES, type OutcomeOperations } from '../space/outcome.ts'
import { readFrom } from '../space/readFrom.ts'
import { mapTerminals, rewriteLevel } from '../space/transform.ts'
import { HAS_ENTRY } from './compileField.ts'
import { Conjunction, elementsDiagram, elementsOf, matchDiagram, type MatchContext } from './compileMatch.ts'
import { CT_CLASSES } from './fieldValues.ts'
import type { NatEffect } from './natEffects.ts'
import type { PacketSpace } from './packetSpace.ts'
import type { Stage } from './stage.ts'

/** The kernel refuses deeper nesting at load (nf_tables.h, NFT_JUMP_STACK_SIZE). */
export const JUMP_DEPTH_MAX = 16

const ANYTHING = ACCEPT | DROP | REJECT | NEXT

/**
 * Turns the chains of one table into diagrams of outcomes at one stage of the packet's way. Each chain is built once:
 * rules become diagrams of one rule, merged in a balanced tree.
 */
export class ChainCompiler {
  readonly #space: PacketSpace
  readonly #context: MatchContext
  readonly #chains: ReadonlyMap<string, Chain>
  readonly #sets: ReadonlyMap<string, NamedSet>
  readonly #isNat: boolean
  readonly #operations: OutcomeOperations
  readonly #built = new Map<string, Diagram>()
  #depth = 0

  /** `isNat`: terminals also tell what NAT rules do, by the space's {@link NatEffects}. */
  constructor(space: PacketSpace, table: Table, stage: Stage, isNat = false) {
    this.#space = space
    this.#sets = new Map(table.sets.map((set) => [set.name, set]))
    this.#context = { space, stage, sets: this.#sets }
    this.#chains = new Map(table.chains.map((chain) => [chain.name, chain]))
    this.#isNat = isNat
    this.#operations = isNat ? space.natEffects.operations : PLAIN_OUTCOMES
  }

  /** Outcomes of a chain by itself; `next` at its end. */
  chain(name: string): Diagram {
    const known = this.#built.get(name)
    if (known !== undefined) return known
    const chain = this.#chains.get(name)
    if (!chain || this.#depth > JUMP_DEPTH_MAX) return ANYTHING
    this.#depth += 1
    const built = this.#rules(chain.rules)
    this.#depth -= 1
    this.#built.set(name, built)
    return built
  }

  /** What one rule does by itself: `next` where it does not act. */
  rule(rule: Rule): Diagram {
    return this.#steps(rule.steps, 0)
  }

  #rules(rules: readonly Rule[]): Diagram {
    const { combiner } = this.#space
    const parts: Diagram[] = []
    let run = new Run(0)
    const close = (): void => {
      if (run.boxes.length > 0) parts.push(this.#runDiagram(run))
    }
    for (const rule of rules) {
      const plain = this.#plainRule(rule)
      if (plain === 'nothing') continue
      if (plain && (plain.outcome === run.outcome || run.boxes.length === 0)) {
        if (run.boxes.length === 0) run = new Run(plain.outcome)
        run.boxes.push(plain.box)
        continue
      }
      close()
      run = new Run(plain ? plain.outcome : 0)
      if (plain) run.boxes.push(plain.box)
      else parts.push(this.rule(rule))
    }
    close()
    return combiner.combineAll(this.#operations.firstMatch, parts, NEXT)
  }

  /** Rules of one verdict that follow one another commute: they are one union of boxes. */
  #runDiagram(run: Run): Diagram {
    const { combiner, arena } = this.#space
    const [first] = run.boxes
    if (run.boxes.length === 1 && first) return boxDiagram(arena, first, run.outcome, NEXT)
    return boxesDiagram(combiner, run.boxes.toSorted((a, b) => compareBoxes(a, b)), run.outcome, NEXT, this.#operations.firstMatch)
  }

  /** A rule that is one box and a final verdict; `nothing`: it cannot act. */
  #plainRule(rule: Rule): PlainRule | 'nothing' | undefined {
    const matches = new Conjunction(this.#context)
    for (const step of rule.steps) {
      if (isMatch(step)) {
        matches.add(step)
        if (matches.isNever) return 'nothing'
        continue
      }
      const outcome = PLAIN_VERDICTS[step.kind]
      if (outcome === undefined) {
        if (step.kind === 'note' || step.kind === 'set-mark' || step.kind === 'notrack' || step.kind === 'continue') continue
        return undefined
      }
      return matches.isUnknown || matches.diagrams.length > 0 ? undefined : { box: matches.box, outcome }
    }
    return 'nothing'
  }

  /** From one step of a rule on: a run of matches, then what follows them. */
  #steps(steps: readonly Step[], from: number): Diagram {
    const matches = new Conjunction(this.#context)
    let at = from
    for (let step = steps[at]; step && !isVerdict(step); step = steps[at]) {
      if (isMatch(step)) matches.add(step)
      at += 1
    }
    const step = steps[at]
    if (matches.isNever || !step || !isVerdict(step)) return NEXT
    const then = this.#verdict(step, () => this.#steps(steps, at + 1))
    return this.#guard(matches, then)
  }

  #guard(matches: Conjunction, then: Diagram): Diagram {
    const { combiner, arena } = this.#space
    const { select, union } = this.#operations
    const outcome = matches.isUnknown ? combiner.combine(union, then, NEXT) : then
    if (matches.diagrams.length === 0 && isTerminal(outcome)) return boxDiagram(arena, matches.box, outcome, NEXT)
    const box = boxDiagram(arena, matches.box, YES, NO)
    const test = combiner.combineAll(BOTH, [box, ...matches.diagrams], YES)
    return combiner.combine(select, test, outcome)
  }

  #verdict(verdict: Verdict | VerdictMap, rest: () => Diagram): Diagram {
    const plain = PLAIN_VERDICTS[verdict.kind]
    if (plain !== undefined) return plain
    if (verdict.kind === 'jump') return this.#called(verdict.chain, NEXT)
    if (verdict.kind === 'goto') return this.#called(verdict.chain, RETURN)
    if (verdict.kind === 'vmap') return this.#verdictMap(verdict, rest)
    if (verdict.kind === 'nat') return this.#nat(verdict)
    return verdict.kind === 'continue' ? rest() : ANYTHING
  }

  /** The end of a called chain is the caller's next rule; after a goto it is the end of the chain that went there. */
  #called(name: string, end: typeof NEXT | typeof RETURN): Diagram {
    return mapTerminals(this.#space.arena, this.chain(name), (terminal) =>
      terminal & (NEXT | RETURN) ? (terminal & ~(NEXT | RETURN)) | end : terminal,
    )
  }

  #verdictMap(map: VerdictMap, rest: () => Diagram): Diagram {
    const { combiner } = this.#space
    const elements = this.#mapElements(map)
    if (!elements) return ANYTHING
    const parts = this.#byVerdict(elements).map(([verdict, group]) =>
      combiner.combine(this.#operations.select, elementsDiagram(this.#context, map.fields, group), this.#verdict(verdict, rest)),
    )
    return combiner.combineAll(this.#operations.firstMatch, parts, NEXT)
  }

  #mapElements(map: VerdictMap): readonly (Element & { verdict?: Verdict })[] | undefined {
    if (map.among.kind === 'inline') return map.among.elements
    return elementsOf(this.#context, map.among)
  }

  #byVerdict(elements: readonly (Element & { readonly verdict?: Verdict })[]): [Verdict, Element[]][] {
    const groups = new Map<string, [Verdict, Element[]]>()
    for (const element of elements) {
      if (!element.verdict) continue
      const key = JSON.stringify(element.verdict)
      const group = groups.get(key)
      if (group) group[1].push(element)
      else groups.set(key, [element.verdict, [element]])
    }
    return [...groups.values()]
  }

  #nat(verdict: NatVerdict): Diagram {
    if (!this.#isNat) return ACCEPT
    if (verdict.target.kind === 'map') return this.#natMap(verdict.change, verdict.target)
    return this.#space.natEffects.terminalOf(effectOf(verdict.change, verdict.target))
  }

  #natMap(change: NatVerdict['change'], map: NatMap): Diagram {
    const { combiner, natEffects } = this.#space
    const elements = this.#natElements(map)
    if (!elements) return combiner.combine(this.#operations.union, natEffects.terminalOf({ kind: 'unknown' }), NEXT)
    const parts = elements.map((element) => {
      const outcome = natEffects.terminalOf(effectOf(change, { kind: 'to', to: withPorts(element.target, map) }))
      return combiner.combine(this.#operations.select, elementsDiagram(this.#context, map.fields, [element]), outcome)
    })
    return combiner.combineAll(this.#operations.firstMatch, parts, NEXT)
  }

  #natElements(map: NatMap): readonly (Element & { readonly target?: NatAddress })[] | undefined {
    return map.among.kind === 'inline' ? map.among.elements : elementsOf(this.#context, map.among)
  }

  // ───────────────────────────── chains that change what later matches read ─────────────────────────────

  /**
   * A chain together with all that follows it. Needed where rules set marks or untrack packets: what comes later is then read with
   * the change in place.
   */
  chainBefore(name: string, after: Following): Diagram {
    const chain = this.#chains.get(name)
    if (!chain || this.#depth > JUMP_DEPTH_MAX) return this.bind(ANYTHING, after)
    if (!this.#changes(chain, new Set())) return this.bind(this.chain(name), after)
    this.#depth += 1
    let next = after.end
    for (const rule of chain.rules.toReversed()) next = this.#stepsBefore(rule.steps, 0, { ...after, next })
    this.#depth -= 1
    return next
  }

  #stepsBefore(steps: readonly Step[], from: number, after: FollowingRule): Diagram {
    const step = steps[from]
    if (!step) return after.next
    const rest = (): Diagram => this.#stepsBefore(steps, from + 1, after)
    if (isMatch(step)) return this.#ifMatch(matchDiagram(this.#context, step), rest(), after.next)
    if (step.kind === 'set-mark') return this.#afterMark(step, rest())
    if (step.kind === 'notrack') return this.#afterNotrack(rest())
    if (!isVerdict(step)) return rest()
    if (step.kind === 'jump') return this.chainBefore(step.chain, { ...after, end: after.next })
    if (step.kind === 'goto') return this.chainBefore(step.chain, after)
    if (step.kind === 'vmap') return this.#mapBefore(step, rest, after)
    if (step.kind === 'continue') return rest()
    const outcome = this.#verdict(step, () => NEXT)
    return this.bind(outcome, step.kind === 'return' ? after : { ...after, end: after.next })
  }

  #mapBefore(map: VerdictMap, rest: () => Diagram, after: FollowingRule): Diagram {
    const elements = this.#mapElements(map)
    if (!elements) return this.bind(ANYTHING, { ...after, end: after.next })
    let otherwise = after.next
    for (const [verdict, group] of this.#byVerdict(elements)) {
      const then = verdict.kind === 'continue' ? rest() : this.#stepsBefore([verdict], 0, after)
      otherwise = this.#ifMatch(elementsDiagram(this.#context, map.fields, group), then, otherwise)
    }
    return otherwise
  }

  #ifMatch(match: Diagram, then: Diagram, otherwise: Diagram): Diagram {
    const { arena, combiner } = this.#space
    const may = (bit: number): Diagram => mapTerminals(arena, match, (terminal) => (terminal & bit ? 1 : 0))
    return combiner.combine(PLAIN_OUTCOMES.union, combiner.combine(MASK, may(YES), then), combiner.combine(MASK, may(NO), otherwise))
  }

  /** Puts what follows in the place of `accept`, of the chain's end and of what NAT does. */
  bind(diagram: Diagram, after: Following): Diagram {
    const { arena, combiner, natEffects } = this.#space
    const where = (isIn: (terminal: number) => boolean, then: () => Diagram): Diagram => {
      const test = mapTerminals(arena, diagram, (terminal) => (isIn(terminal) ? 1 : 0))
      return test === 0 ? NOWHERE : combiner.combine(MASK, test, then())
    }
    const effects = new Set<number>()
    const refused = mapTerminals(arena, diagram, (terminal) => {
      if (this.#isNat) for (const effect of natEffects.effectsOf(terminal)) effects.add(effect)
      return terminal & (DROP | REJECT)
    })
    const accepted = where((terminal) => (terminal & ACCEPT) !== 0, () => after.accept)
    const ended = where((terminal) => (terminal & (NEXT | RETURN)) !== 0, () => after.end)
    const mapped = [...effects].map((index) =>
      where((terminal) => natEffects.effectsOf(terminal).includes(index), () => after.mapped(natEffects.all[index] ?? { kind: 'unknown' })),
    )
    return combiner.combineAll(PLAIN_OUTCOMES.union, [refused, accepted, ended, ...mapped], NOWHERE)
  }

  /** Of a packet without a connection tracking entry the mark of that is neither read nor written. */
  #afterMark(step: MarkStatement, then: Diagram): Diagram {
    const isOfEntry = step.field === 'ctMark' || step.copyFrom === 'ctMark'
    if (!isOfEntry) return this.#marked(step, then)
    return this.#context.stage.isBeforeTracking ? then : this.#space.choose(this.#space.test(...HAS_ENTRY), this.#marked(step, then), then)
  }

  #marked(step: MarkStatement, then: Diagram): Diagram {
    if (step.isUnknown) return this.#space.forget([step.field], then)
    const written = this.#space.chunks(step.field)
    const read = this.#space.chunks(step.copyFrom ?? step.field)
    let result = then
    for (let chunk = 0; chunk < written.count; chunk += 1) {
      const shift = BigInt((written.count - 1 - chunk) * written.bits)
      const keep = Number((step.keep >> shift) & 0xffn)
      const flip = Number((step.flip >> shift) & 0xffn)
      const values = Uint8Array.from({ length: 256 }, (_, value) => (value & keep) ^ flip)
      result = readFrom(this.#space.combiner, result, written.firstLevel + chunk, read.firstLevel + chunk, values)
    }
    return result
  }

  /** Before connection tracking every packet is without an entry, later the invalid ones are. */
  #afterNotrack(then: Diagram): Diagram {
    const { arena } = this.#space
    const [invalid, untracked] = [CT_CLASSES.indexOf(CT_STATES.invalid), CT_CLASSES.indexOf(CT_STATES.untracked)]
    const { isBeforeTracking } = this.#context.stage
    const states = CT_CLASSES.map((_, index) => (isBeforeTracking || index === invalid ? untracked : index))
    const marked = rewriteLevel(arena, then, this.#space.chunks('isUntracked').firstLevel, [1, 1])
    return rewriteLevel(arena, isBeforeTracking ? marked : then, this.#space.chunks('ctState').firstLevel, states)
  }

  #changes(chain: Chain, seen: Set<string>): boolean {
    if (seen.has(chain.name)) return false
    seen.add(chain.name)
    return chain.rules.some((rule) => rule.steps.some((step) => this.#stepChanges(step, seen)))
  }

  #stepChanges(step: Step, seen: Set<string>): boolean {
    if (step.kind === 'set-mark' || step.kind === 'notrack') return true
    const called = step.kind === 'vmap' ? (this.#mapElements(step) ?? []).map((element) => element.verdict) : [isMatch(step) ? undefined : step]
    return called.some((verdict) => {
      if (verdict?.kind !== 'jump' && verdict?.kind !== 'goto') return false
      const chain = this.#chains.get(verdict.chain)
      return chain !== undefined && this.#changes(chain, seen)
    })
  }
}

class Run {
  readonly outcome: number
  readonly boxes: Box[] = []

  constructor(outcome: number) {
    this.outcome = outcome
  }
}

interface PlainRule {
  readonly box: Box
  readonly outcome: number
}

/** What comes after a chain, as diagrams of outcomes. */
export interface Following {
  /** After its end. */
  readonly end: Diagram
  /** After an accept. */
  readonly accept: Diagram
  /** After a NAT rule. */
  readonly mapped: (effect: NatEffect) => Diagram
}

interface FollowingRule extends Following {
  /** After this rule. */
  readonly next: Diagram
}

type NatMap = NatTarget & { readonly kind: 'map' }

const withPorts = (target: NatAddress | undefined, map: NatMap): NatAddress => ({ ...target, ...(map.ports ? { ports: map.ports } : {}) })

function effectOf(change: NatVerdict['change'], target: Exclude<NatTarget, NatMap>): NatEffect {
  if (change === 'snat' || change === 'masquerade') return { kind: 'source' }
  if (target.kind === 'unknown') return { kind: 'unknown' }
  const to = target.kind === 'to' ? target.to : {}
  return change === 'redirect' ? { kind: 'redirect', to } : { kind: 'to', to }
}

/** Verdicts that are the same for every packet. A queueing program says accept or drop. */
const PLAIN_VERDICTS: Partial<Record<Step['kind'], number>> = {
  accept: ACCEPT,
  drop: DROP,
  reject: REJECT,
  return: RETURN,
  queue: ACCEPT | DROP,
  unmodelled: ANYTHING,
}

const isVerdict = (step: Step): step is Verdict | VerdictMap =>
  !isMatch(step) && step.kind !== 'note' && step.kind !== 'set-mark' && step.kind !== 'notrack'
