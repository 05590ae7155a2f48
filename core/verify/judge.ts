import type { Packet } from '../ruleset/packet.ts'
import type { Ruleset } from '../ruleset/ruleset.ts'
import { Decider, type DecideOptions, type PacketVerdict } from './decide.ts'
import { evaluateLinear, type Outcome } from './linear.ts'
import { doAgree, linearOptions } from './replay.ts'
import { rulePath, type HookPath } from './rulePath.ts'

/** What becomes of one packet, by both evaluators, and by which rules. */
export interface Judgement {
  readonly verdict: PacketVerdict
  /** By the linear evaluator, which also gives the path. */
  readonly linear: readonly Outcome[]
  /** False: a defect of this program; neither is to be trusted. */
  readonly doAgree: boolean
  readonly path: readonly HookPath[]
}

export function judge(ruleset: Ruleset, packet: Packet, options: DecideOptions): Judgement {
  const verdict = new Decider(ruleset, options).decide(packet)
  const { outcomes, trace } = evaluateLinear(ruleset, packet, { ...linearOptions(options.way, options.facts), isTraced: true })
  const linear = [...outcomes]
  return { verdict, linear, doAgree: doAgree(outcomesOf(verdict), linear), path: rulePath(trace) }
}

export function outcomesOf(verdict: PacketVerdict): readonly Outcome[] {
  switch (verdict.kind) {
    case 'accepted':
      return ['accept']
    case 'dropped':
      return ['drop']
    case 'rejected':
      return ['reject']
    case 'undecided':
      return verdict.outcomes
  }
}
