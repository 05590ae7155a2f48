import type { Approval } from '@portcullis/core/plan/approval.ts'
import type { ChangePlan, EndpointChange, Finding, HostPlan } from '@portcullis/core/plan/plan.ts'
import { layTable } from '../table.ts'
import { changeRow, findingLine, flowLines } from './plan.ts'
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
  const changed = host.changes.filter((change) => change.kind !== 'stays' || (change.ifEnforced?.kind ?? 'stays') !== 'stays')
  const stays = host.changes.length - changed.length
  const core = host.tier === 'core' ? `  ${paint.red(t(pen, { en: 'core host', zh: '核心主机' }))}` : ''
  return [
    `${paint.bold(host.host)}  ${paint.dim(`${t(pen, { en: 'generation', zh: '代次' })} ${host.baseGeneration} → ${host.generation}  ${shortId(host.rulesetDigest)}`)}${core}`,
    ...layTable(changed.map((change) => changeRow(pen, change)), '  '),
    ...(stays === 0 ? [] : [paint.dim(`  = ${t(pen, { en: `${stays} ${stays === 1 ? 'endpoint stays as it is' : 'endpoints stay as they are'}`, zh: `${stays} 个端点不变` })}`)]),
    ...flowsOf(pen, host),
    ...needLines(pen, host.needs),
    `  ${evidenceWords(pen, host)}`,
    ...host.findings.map((finding) => findingLine(pen, finding, '  ')),
  ]
}

function flowsOf(pen: Pen, { flows, endings, intent }: HostPlan): string[] {
  const live = flows.filter(({ isLive }) => isLive)
  if (flows.length === 0) return [pen.paint.dim(`  ${t(pen, { en: 'no client that was seen loses anything', zh: '已观测到的客户端均不受影响' })}`)]
  const clients = new Set(live.map(({ source }) => source)).size
  const warned = endings && live.some(({ end }) => end === 'warn-then-cut') ? t(pen, { en: `, ${endings.warnSeconds} s after the warning`, zh: `，告警后 ${endings.warnSeconds} 秒` }) : ''
  const title = intent.mode === 'observe' ? { en: 'would no longer be let in', zh: '将不再放行' } : { en: 'are no longer let in', zh: '不再放行' }
  return [`  ${t(pen, { en: `${count(pen, clients, 'client', '')} with live flows, ${flows.length - live.length} seen before, ${title.en}${warned}:`, zh: `${clients} 个客户端有活动流，另有 ${flows.length - live.length} 个曾用，${title.zh}${warned}：` })}`, ...flowLines(pen, flows)]
}

function needLines(pen: Pen, needs: HostPlan['needs']): string[] {
  const unserved = needs.filter((need) => need.state !== 'served')
  const critical = needs.filter((need) => need.isCritical).map(({ need }) => need)
  const summary = t(pen, { en: `${needs.length - unserved.length} of ${needs.length} needs served`, zh: `业务需求 ${needs.length - unserved.length}/${needs.length} 有监听` })
  return [
    `  ${summary}${critical.length === 0 ? '' : ` · ${t(pen, { en: `critical: ${critical.join(' ')}`, zh: `关键：${critical.join(' ')}` })}`}`,
    ...layTable(unserved.map((need) => [pen.paint.yellow(t(pen, need.state === 'partly' ? { en: 'served in part', zh: '部分有监听' } : { en: 'not served', zh: '无监听' })), need.need, t(pen, { en: `nothing listens on ${need.silentPorts.join(' ')}`, zh: `${need.silentPorts.join(' ')} 无监听` })]), '      '),
  ]
}

function evidenceWords(pen: Pen, { evidence }: HostPlan): string {
  const facts = t(pen, { en: `facts of ${timeWords(evidence.factsAt)}`, zh: `主机信息采集于 ${timeWords(evidence.factsAt)}` })
  const since = evidence.since === undefined ? '' : t(pen, { en: `, flows watched since ${timeWords(evidence.since)}`, zh: `，流量自 ${timeWords(evidence.since)} 起观察` })
  const lost = evidence.lost === 0 ? '' : pen.paint.yellow(t(pen, { en: ` · ${evidence.lost} observations lost: ${evidence.because.join('; ')}`, zh: ` · 丢失 ${evidence.lost} 条观测：${evidence.because.join('；')}` }))
  return pen.paint.dim(facts + since) + lost
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
