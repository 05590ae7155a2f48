import { fail, succeed, type Fault, type Result } from '../fault/fault.ts'
import type { Instant } from '../inventory/observation.ts'
import type { DifferenceText } from '../verify/differenceText.ts'
import { canonicalJson, type Json } from './canonicalJson.ts'
import type { HostDraft } from './draft.ts'
import type { ChangePlan, Finding, HostPlan, PlanCause } from './plan.ts'

/** SHA-256 of the text's UTF-8, in hex. Handed in: core has no hash of its own. */
export type Digest = (text: string) => string

/** How the text that a dialect rendered compares with the intent it was rendered from. */
export type Comparison =
  | { readonly kind: 'equal'; readonly by: string }
  | {
      readonly kind: 'counterexample'
      readonly packet: string
      readonly because: string
      /** From the intent to the ruleset, by service and source; absent where the dialect does not tell. */
      readonly differences?: readonly DifferenceText[]
      /** How many were left out. */
      readonly more?: number
    }
  | { readonly kind: 'undecided'; readonly because: string }

export interface DraftedHost {
  readonly draft: HostDraft
  readonly findings: readonly Finding[]
  /** The rendered ruleset. */
  readonly text: string
  readonly comparison: Comparison
}

export interface DraftPlan {
  readonly hosts: readonly DraftedHost[]
  readonly unchanged: readonly string[]
  /** Findings about the fleet as a whole. */
  readonly findings: readonly Finding[]
  readonly policy: string
  readonly cause: PlanCause
}

/**
 * Makes a plan that nobody can change any more. Refused while a guard vetoes, and unless every text equals its intent:
 * an undecided comparison is no equality. Faults: PLAN_VETO, PLAN_NOT_EQUAL, PLAN_UNDECIDED.
 */
export function seal(drafted: DraftPlan, created: Instant, parent: string | undefined, digest: Digest): Result<ChangePlan> {
  const refusals = refusalsOf(drafted)
  if (refusals.length > 0) return fail(...refusals)
  const hosts = drafted.hosts.map((host) => sealHost(host, digest)).toSorted((a, b) => (a.host < b.host ? -1 : 1))
  const body: Omit<ChangePlan, 'id'> = {
    format: 1,
    ...(parent === undefined ? {} : { parent }),
    created,
    policy: drafted.policy,
    cause: drafted.cause,
    hosts,
    unchanged: drafted.unchanged.toSorted(),
    findings: drafted.findings,
  }
  return succeed({ ...body, id: digest(canonicalJson(body as unknown as Json)) })
}

/** Whether a plan still is what was sealed: false for one that was edited, or damaged on its way. */
export function isSealed(plan: ChangePlan, digest: Digest): boolean {
  const { id, ...body } = plan
  return id === digest(canonicalJson(body as unknown as Json))
}

function refusalsOf(drafted: DraftPlan): Fault[] {
  const findings = [...drafted.findings, ...drafted.hosts.flatMap((host) => host.findings)]
  const vetoes = findings.filter((finding) => finding.level === 'veto').map(vetoed)
  return [...vetoes, ...drafted.hosts.flatMap(({ draft, comparison }) => unequal(draft.host, comparison))]
}

export function vetoed(finding: Finding): Fault {
  const host = finding.host === undefined ? '' : `${finding.host}: `
  return {
    code: 'PLAN_VETO',
    what: { en: `${host}${finding.because.en} (${finding.guard})`, zh: `${host}${finding.because.zh}（${finding.guard}）` },
    ...(finding.until === undefined ? {} : { next: { en: `not before: ${finding.until.en}`, zh: `需先满足：${finding.until.zh}` } }),
  }
}

function unequal(host: string, comparison: Comparison): Fault[] {
  if (comparison.kind === 'equal') return []
  return [comparison.kind === 'undecided' ? undecided(host, comparison.because) : differs(host, comparison.packet, comparison.because)]
}

const differs = (host: string, packet: string, because: string): Fault => ({
  code: 'PLAN_NOT_EQUAL',
  what: {
    en: `${host}: the rendered ruleset is not the intent: ${packet} (${because})`,
    zh: `${host}：生成的规则集与意图不一致：${packet}（${because}）`,
  },
})

const undecided = (host: string, because: string): Fault => ({
  code: 'PLAN_UNDECIDED',
  what: {
    en: `${host}: whether the rendered ruleset is the intent could not be decided: ${because}`,
    zh: `${host}：无法判定生成的规则集是否与意图一致：${because}`,
  },
})

function sealHost({ draft, findings, text, comparison }: DraftedHost, digest: Digest): HostPlan {
  const by = comparison.kind === 'equal' ? comparison.by : ''
  return { ...draft, rulesetDigest: digest(text), verification: { kind: 'equal', by }, findings }
}
