import type { Chain, Hook, Rule, Table } from '../ruleset/ruleset.ts'
import type { TraceLine } from './linear.ts'

/** The rules that a packet meets in one hook, as a tree: base chains in their order, each with the chains that it jumps into. */
export interface HookPath {
  readonly hook: Hook
  readonly chains: readonly ChainPath[]
}

export interface ChainPath {
  readonly table: Table
  readonly chain: Chain
  readonly steps: readonly PathStep[]
}

/** A rule that matched, or the chain's policy. */
export interface PathStep {
  /** Absent: the policy. */
  readonly rule?: Rule
  readonly effect: string
  /** False: an unknown match decides whether it matched. */
  readonly isSure: boolean
  readonly into?: ChainPath
}

/** Hangs the lines of a trace under one another. Where a packet has several ways, what is the same on them stands once. */
export function rulePath(trace: readonly TraceLine[]): HookPath[] {
  const hooks: { readonly hook: Hook; readonly chains: ChainPath[] }[] = []
  const reader = new TraceReader(trace)
  for (let path = reader.chain(0); path; path = reader.chain(0)) {
    const hook = path.chain.base?.hook ?? 'prerouting'
    const open = hooks.at(-1)
    if (open?.hook !== hook) hooks.push({ hook, chains: [path] })
    else if (!open.chains.some((each) => sameChain(each, path))) open.chains.push(path)
  }
  return hooks
}

class TraceReader {
  readonly #trace: readonly TraceLine[]
  #at = 0

  constructor(trace: readonly TraceLine[]) {
    this.#trace = trace
  }

  /** The lines of one chain at a depth, with all that is deeper. */
  chain(depth: number): ChainPath | undefined {
    const first = this.#trace[this.#at]
    if (!first || first.depth < depth) return undefined
    const steps: PathStep[] = []
    for (let line = this.#next(first); line; line = this.#next(first)) {
      const into = this.chain(depth + 1)
      const step = { ...(line.rule ? { rule: line.rule } : {}), effect: line.effect, isSure: line.isSure, ...(into ? { into } : {}) }
      if (!steps.some((each) => sameStep(each, step))) steps.push(step)
    }
    return { table: first.table, chain: first.chain, steps }
  }

  /** The next line, where it is of the same chain and depth. */
  #next(first: TraceLine): TraceLine | undefined {
    const line = this.#trace[this.#at]
    if (line?.depth !== first.depth || line.chain !== first.chain || line.table !== first.table) return undefined
    this.#at += 1
    return line
  }
}

const sameStep = (a: PathStep, b: PathStep): boolean => a.rule === b.rule && a.effect === b.effect && a.isSure === b.isSure && sameChain(a.into, b.into)

function sameChain(a: ChainPath | undefined, b: ChainPath | undefined): boolean {
  if (!a || !b) return a === b
  return a.table === b.table && a.chain === b.chain && a.steps.length === b.steps.length && a.steps.every((step, index) => sameStep(step, b.steps[index] ?? step))
}
