import type { AffectedFlow, EndpointChange, Finding } from '@portcullis/core/plan/plan.ts'
import type { DraftedHost } from '@portcullis/core/plan/seal.ts'
import type { PlanReport } from '@portcullis/engine/planChange.ts'
import { layTable } from '../table.ts'
import { faultLines, unreadLines } from './faults.ts'
import { byteWords, endWords } from './flows.ts'
import { count, shortId, sourceWords, t, timeWords, type Pen } from './words.ts'

/** A plan as a person reads it: what each host loses and gains, who would be hurt, what guards found, and how to go on unless it goes on by itself. */
export function showPlan(pen: Pen, report: PlanReport, goesOn = false): string {
  const { hosts, findings, unchanged } = report.drafted
  const lines = [
    headline(pen, report),
    '',
    ...hosts.toSorted((a, b) => (a.draft.host < b.draft.host ? -1 : 1)).flatMap((host) => [...showHost(pen, host, digestOf(report, host)), '']),
    ...findings.map((finding) => findingLine(pen, finding, '')),
    ...(unchanged.length === 0 ? [] : [pen.paint.dim(`= ${unchangedWords(pen, unchanged)}`)]),
    ...unreadLines(pen, report.unread),
    ...faultLines(pen, report.faults),
    ...closing(pen, report, goesOn),
  ]
  return `${lines.join('\n')}\n`
}

function headline(pen: Pen, { plan, drafted, kind }: PlanReport): string {
  if (kind === 'nothing') return pen.paint.green(t(pen, { en: 'Nothing to do: every host that was read is as the policy wants it.', zh: '无需变更：已读取的主机均符合策略。' }))
  const name = plan ? `${t(pen, { en: 'Change plan', zh: '变更计划' })} ${shortId(plan.id)}` : t(pen, { en: 'Change plan, not sealed', zh: '变更计划（未封存）' })
  const totals = totalsOf(drafted.hosts.flatMap((host) => host.draft.changes))
  const hosts = count(pen, drafted.hosts.length, 'host', '台主机')
  return [pen.paint.bold(name), hosts, ...totalWords(pen, totals)].join(' · ')
}

/** Of the ruleset's text, as the host will name it; nothing is promised before the plan is sealed. */
const digestOf = ({ plan }: PlanReport, { draft }: DraftedHost): string =>
  plan?.hosts.find(({ host }) => host === draft.host)?.rulesetDigest ?? ''

function showHost(pen: Pen, { draft, findings }: DraftedHost, digest: string): string[] {
  const { paint } = pen
  const changed = draft.changes.filter((change) => change.kind !== 'stays' || (change.ifEnforced?.kind ?? 'stays') !== 'stays')
  const stays = draft.changes.length - changed.length
  const generation = t(pen, { en: 'generation', zh: '代次' })
  const mode = draft.intent.mode === 'observe' ? `  ${paint.yellow(t(pen, { en: 'observe mode: counts, denies nothing', zh: '观察模式：只计数，不拒绝' }))}` : ''
  return [
    `${paint.bold(draft.host)}  ${paint.dim(`${generation} ${draft.baseGeneration} → ${draft.generation}  ${shortId(digest)}`.trimEnd())}${mode}`,
    ...layTable(changed.map((change) => changeRow(pen, change)), '  '),
    ...(stays === 0 ? [] : [paint.dim(`  = ${t(pen, { en: `${stays} ${stays === 1 ? 'endpoint stays as it is' : 'endpoints stay as they are'}`, zh: `${stays} 个端点不变` })}`)]),
    ...findings.map((finding) => findingLine(pen, finding, '  ')),
    ...flowLines(pen, draft.flows),
  ]
}

const MARKS: Readonly<Record<EndpointChange['kind'], readonly [mark: string, paint: keyof Pen['paint'], en: string, zh: string]>> = {
  closes: ['✕', 'red', 'closes', '关闭'],
  narrows: ['▾', 'yellow', 'narrows', '收窄'],
  moves: ['↔', 'yellow', 'moves', '变更'],
  opens: ['✓', 'green', 'opens', '放行'],
  widens: ['▴', 'green', 'widens', '放宽'],
  stays: ['=', 'dim', 'stays', '不变'],
}

export function changeRow(pen: Pen, change: EndpointChange): string[] {
  const isOnly = change.kind === 'stays' && change.ifEnforced !== undefined
  const [mark, colour, en, zh] = MARKS[isOnly ? change.ifEnforced.kind : change.kind]
  const words = isOnly ? pen.paint.dim(`${mark} ${t(pen, { en: `would ${infinitive(en)}`, zh: `将会${zh}` })}`) : pen.paint[colour](`${mark} ${t(pen, { en, zh })}`)
  return [
    words,
    `${change.protocol}/${change.ports}`,
    change.listener ?? pen.paint.dim(t(pen, { en: 'nothing listens', zh: '无监听' })),
    `${sourceWords(pen, change.before)} → ${sourceWords(pen, isOnly ? change.ifEnforced.after : change.after)}`,
    change.needs.length === 0 ? '' : pen.paint.dim(change.needs.join(' ')),
  ]
}

export function findingLine(pen: Pen, { guard, level, because, until, host }: Finding, indent: string): string {
  const [mark, paint] = level === 'veto' ? (['✗', pen.paint.red] as const) : (['!', pen.paint.yellow] as const)
  const way = until === undefined ? '' : ` → ${t(pen, until)}`
  const about = host !== undefined && indent === '' ? `${host}: ` : ''
  return `${indent}${paint(`${mark} ${about}${t(pen, because)}`)}${way} ${pen.paint.dim(`[${guard}]`)}`
}

const FLOWS_SHOWN_MAX = 10

export function flowLines(pen: Pen, flows: readonly AffectedFlow[]): string[] {
  const rows = flows.slice(0, FLOWS_SHOWN_MAX).map((flow) => [
    flow.isLive ? endWords(pen, flow) : pen.paint.dim(t(pen, { en: 'used', zh: '曾用' })),
    flow.source,
    `→ ${flow.protocol}/${flow.port}`,
    count(pen, flow.connections, 'connection', '条连接'),
    flow.isLive
      ? `${t(pen, { en: 'since', zh: '自' })} ${timeWords(flow.since)}`
      : `${t(pen, { en: 'last', zh: '最近' })} ${timeWords(flow.lastSeen)}`,
    byteWords(pen, flow),
  ])
  const more = flows.length - rows.length
  return [...layTable(rows, '      '), ...(more > 0 ? [pen.paint.dim(`      ${t(pen, { en: `and ${more} more`, zh: `另有 ${more} 个` })}`)] : [])]
}

const unchangedWords = (pen: Pen, hosts: readonly string[]): string =>
  t(pen, { en: `already as wanted: ${hosts.join(' ')}`, zh: `已符合策略：${hosts.join(' ')}` })

function closing(pen: Pen, { kind, plan, drafted }: PlanReport, goesOn: boolean): string[] {
  if (kind === 'refused') return [pen.paint.red(t(pen, { en: 'Not sealed. Nothing was changed.', zh: '未封存，未做任何改动。' }))]
  if (!plan) return []
  const by = drafted.hosts.flatMap(({ comparison }) => (comparison.kind === 'equal' ? [comparison.by] : []))[0] ?? ''
  return [
    t(pen, { en: `Every rendered ruleset was read again and equals its intent (${by}).`, zh: `每份规则集均已回读并与意图等价（${by}）。` }),
    ...(goesOn ? [] : [`${t(pen, { en: 'Next:', zh: '下一步：' })} ${pen.paint.cyan(`portcullis apply ${shortId(plan.id)}`)}`]),
  ]
}

const infinitive = (verb: string): string => verb.replace(/s$/, '')

type Totals = Readonly<Record<EndpointChange['kind'], number>>

function totalsOf(changes: readonly EndpointChange[]): Totals {
  const totals = { closes: 0, narrows: 0, moves: 0, opens: 0, widens: 0, stays: 0 }
  for (const change of changes) totals[change.kind] += 1
  return totals
}

const totalWords = (pen: Pen, totals: Totals): string[] =>
  (Object.keys(MARKS) as EndpointChange['kind'][])
    .filter((kind) => kind !== 'stays' && totals[kind] > 0)
    .map((kind) => {
      const [, colour, en, zh] = MARKS[kind]
      return pen.paint[colour](`${totals[kind]} ${t(pen, { en: totals[kind] === 1 ? en : infinitive(en), zh })}`)
    })
