import type { Approval } from '@portcullis/core/plan/approval.ts'
import type { ChangePlan, EndpointChange, Finding, HostPlan } from '@portcullis/core/plan/plan.ts'
import { layTable } from '../table.ts'
import { count, shortId, sourceWords, t, timeWords, type Pen } from './words.ts'

export interface StoredPlan {
  readonly plan: ChangePlan
  readonly isSealed: boolean
  readonly approvals: readonly Approval[]
  readonly findings: readonly Finding[]
}

/** A sealed plan as people decide on it: what each host loses and gains, who would be hurt, which needs are not served, what is not known. */
export function showStoredPlan(pen: Pen, { plan, isSealed, approvals, findings }: StoredPlan): string {
  const { paint } = pen
  const seal = isSealed ? paint.green(t(pen, { en: 'sealed', zh: '已封存' })) : paint.red(t(pen, { en: 'not what was sealed', zh: '与封存时不一致' }))
  const lines = [
    `${paint.bold(`${t(pen, { en: 'Change plan', zh: '变更计划' })} ${shortId(plan.id)}`)} · ${count(pen, plan.hosts.length, 'host', '台主机')} · ${timeWords(plan.created)} · ${seal}`,
    `${t(pen, { en: 'parent', zh: '上一计划' })} ${plan.parent === undefined ? '-' : shortId(plan.parent)} · ${t(pen, { en: 'policy', zh: '策略' })} ${shortId(plan.policy)}`,
    ...approvals.map(({ by, at }) => `${paint.green('✓')} ${t(pen, { en: `approved by ${by}, ${timeWords(at)}`, zh: `${by} 于 ${timeWords(at)} 批准` })}`),
    ...findings.map((finding) => `${paint.red('✗')} ${finding.host === undefined ? '' : `${finding.host}: `}${t(pen, finding.because)}${finding.until ? ` → ${t(pen, finding.until)}` : ''} ${paint.dim(`[${finding.guard}]`)}`),
    '',
    ...plan.hosts.flatMap((host) => [...hostLines(pen, host), '']),
  ]
  return `${lines.join('\n')}\n`
}

function hostLines(pen: Pen, host: HostPlan): string[] {
  const { paint } = pen
  const changed = host.changes.filter((change) => change.kind !== 'stays')
  const unserved = host.needs.filter((need) => need.state !== 'served')
  const served = host.needs.length - unserved.length
  return [
    `${paint.bold(host.host)}  ${paint.dim(`${t(pen, { en: 'generation', zh: '代次' })} ${host.baseGeneration} → ${host.generation}  ${shortId(host.rulesetDigest)}`)}`,
    ...layTable(changed.map((change) => [change.kind, `${change.protocol}/${change.ports}`, change.listener ?? '-', `${sourceWords(pen, change.before)} → ${sourceWords(pen, change.after)}`]), '  '),
    ...layTable(host.flows.map((flow) => [paint[flow.isLive ? 'red' : 'yellow'](flow.isLive ? t(pen, { en: 'cut', zh: '中断' }) : t(pen, { en: 'used', zh: '曾用' })), flow.source, `${flow.protocol}/${flow.port}`, count(pen, flow.connections, 'connection', '条连接'), `${timeWords(flow.since)} … ${timeWords(flow.lastSeen)}`]), '  '),
    `  ${t(pen, { en: `${served} of ${host.needs.length} needs served`, zh: `业务需求 ${served}/${host.needs.length} 有监听` })}${unserved.map((need) => paint.yellow(` · ${need.need}: ${need.silentPorts.join(' ')}`)).join('')}`,
    ...(host.evidence.lost === 0 ? [] : [paint.yellow(`  ${t(pen, { en: `${host.evidence.lost} observations lost`, zh: `丢失 ${host.evidence.lost} 条观测` })}: ${host.evidence.because.join('; ')}`)]),
    ...host.findings.map((finding) => paint.yellow(`  ! ${t(pen, finding.because)} [${finding.guard}]`)),
  ]
}

export interface HostDifference {
  readonly host: string
  readonly kind: 'only-first' | 'only-second' | 'differs'
  /** After the first plan and after the second. */
  readonly endpoints: readonly { readonly endpoint: string; readonly first: readonly string[]; readonly second: readonly string[] }[]
}

/** What the second plan leaves behind otherwise than the first, endpoint by endpoint. */
export function showPlanDiff(pen: Pen, first: ChangePlan, second: ChangePlan): { readonly text: string; readonly isEqual: boolean; readonly hosts: readonly HostDifference[] } {
  const names = [...new Set([...first.hosts, ...second.hosts].map(({ host }) => host))].toSorted()
  const hosts = names.flatMap((name) => differenceOf(first.hosts.find(({ host }) => host === name), second.hosts.find(({ host }) => host === name), name))
  const lines = hosts.flatMap(({ host, kind, endpoints }) => [
    `${pen.paint.bold(host)}${kind === 'differs' ? '' : `  ${t(pen, kind === 'only-first' ? { en: 'only in the first', zh: '仅在第一个计划中' } : { en: 'only in the second', zh: '仅在第二个计划中' })}`}`,
    ...layTable(endpoints.map(({ endpoint, first: before, second: after }) => [endpoint, `${sourceWords(pen, before)} → ${sourceWords(pen, after)}`]), '  '),
  ])
  const isEqual = hosts.length === 0
  return { text: isEqual ? `${t(pen, { en: 'Both leave every host with the same rules.', zh: '两个计划的结果相同。' })}\n` : `${lines.join('\n')}\n`, isEqual, hosts }
}

function differenceOf(first: HostPlan | undefined, second: HostPlan | undefined, host: string): HostDifference[] {
  const endpoints = new Map<string, { first: readonly string[]; second: readonly string[] }>()
  const note = (changes: readonly EndpointChange[] | undefined, side: 'first' | 'second'): void => {
    for (const { protocol, ports, after } of changes ?? []) {
      const endpoint = `${protocol}/${ports}`
      endpoints.set(endpoint, { ...(endpoints.get(endpoint) ?? { first: [], second: [] }), [side]: after })
    }
  }
  note(first?.changes, 'first')
  note(second?.changes, 'second')
  const differing = [...endpoints].filter(([, sides]) => sides.first.join(' ') !== sides.second.join(' ')).map(([endpoint, sides]) => ({ endpoint, ...sides }))
  if (first && second) return differing.length === 0 ? [] : [{ host, kind: 'differs', endpoints: differing }]
  return [{ host, kind: first ? 'only-first' : 'only-second', endpoints: differing }]
}
