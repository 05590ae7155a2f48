import type { Text } from '@portcullis/core/fault/fault.ts'
import { formatInstant, type MatrixText } from '@portcullis/core/inventory/matrixText.ts'
import type { DemoNeed } from '@portcullis/lab/demo/needs.ts'
import type { DemoRollouts } from '../demo/rollouts.ts'
import { STEPS } from '../demo/steps.ts'
import type { DemoSummary } from '../demo/summary.ts'
import { demoMatrix, legend } from './demoMatrix.ts'
import { reportEndpoints } from './endpoints.ts'
import { both, escape, grouped, tag } from './markup.ts'
import { page, pageHeader, section, tile, type Mood } from './page.ts'
import { rolloutStory } from './rolloutStory.ts'
import { verdictText } from './verdict.ts'

export interface DemoPageInput {
  readonly summary: DemoSummary
  readonly before: MatrixText
  readonly after: MatrixText
  readonly needs: readonly DemoNeed[]
  readonly at: number
  /** Shown first; the reader can change it. */
  readonly language: 'en' | 'zh'
}

/** The report as one file: no script, nothing loaded from elsewhere, on paper as on a screen. */
export function demoPage({ summary, before, after, needs, at, language }: DemoPageInput): string {
  const zones = summary.zones.map(({ zone }) => zone)
  const sections = [
    header(summary, at),
    tiles(summary),
    section({ en: 'Who can reach how much', zh: '各区域可达的端点数' }, zoneBars(summary)),
    summary.rollouts ? section(rolloutStory(summary.rollouts).title, story(summary.rollouts)) : '',
    summary.ok ? '' : section({ en: 'What is not as it must be', zh: '不符合预期之处' }, surprises(summary)),
    section({ en: 'The port matrix', zh: '端口状态矩阵' }, legend() + tag('div', 'wide', demoMatrix(reportEndpoints(before, after, zones), zones, needs)), ''),
    section({ en: 'What was checked', zh: '检查内容' }, checks(summary)),
    section({ en: 'How long it took', zh: '用时' }, phases(summary)),
    footer(summary, at),
  ]
  return page({ title: TITLE, language, at, sections })
}

const TITLE: Text = { en: 'Ports closed, business untouched', zh: '端口已收敛，业务未中断' }

function header(summary: DemoSummary, at: number): string {
  return pageHeader({
    title: TITLE,
    at,
    lead: {
      en: `${summary.hosts} servers with real services on one machine, used by their clients all the while.`,
      zh: `同一台机器上的 ${summary.hosts} 台服务器，运行真实业务，期间客户端始终在使用。`,
    },
    verdict: { mood: moodOf(summary.ok), text: verdictText(summary) },
  })
}

const moodOf = (isGood: boolean): Mood => (isGood ? 'good' : 'bad')

function tiles(summary: DemoSummary): string {
  const { exposedBefore, exposedAfter, servicesInterrupted, seconds, checked, zones, hosts } = summary
  const [outside] = zones
  return tag(
    'div',
    'tiles',
    [
      tile(moodOf(exposedAfter < exposedBefore), { en: 'Exposed endpoints, all zones', zh: '暴露端点（全部区域）' }, `−${percentLess(exposedBefore, exposedAfter)} %`, {
        en: `${exposedBefore} before, ${exposedAfter} after: those that are needed`,
        zh: `收敛前 ${exposedBefore} 处，收敛后 ${exposedAfter} 处，均为业务所需`,
      }),
      tile(moodOf(outside?.after === 0), { en: 'Exposed to the outside', zh: '对外部暴露' }, `${outside?.after ?? '?'} <small>← ${outside?.before ?? '?'}</small>`, {
        en: `endpoints that an outsider can reach`,
        zh: '外部可达的端点数',
      }),
      tile(moodOf(servicesInterrupted === 0), { en: 'Services interrupted', zh: '业务中断' }, `${servicesInterrupted} <small>/ ${checked.services}</small>`, {
        en: `${grouped(checked.uses)} real uses meanwhile`,
        zh: `期间真实使用 ${grouped(checked.uses)} 次`,
      }),
      tile('plain', { en: 'Time taken', zh: '用时' }, `${Math.round(seconds)} <small>s</small>`, { en: `for ${hosts} servers, checks included`, zh: `${hosts} 台服务器，含全部检查` }),
    ].join(''),
  )
}

/** Whole percent, never rounded up to more than there is. */
export const percentLess = (before: number, after: number): number => (before === 0 ? 0 : Math.floor(((before - after) / before) * 100))

function story(rollouts: DemoRollouts): string {
  const parts = rolloutStory(rollouts).parts.map(({ mark, isGood, text, note }) => {
    const notes = note.map((one) => `<br><span class="soft">${both(one)}</span>`).join('')
    return `<li class="${isGood ? '' : 'bad'}"><span class="sign">${isGood ? mark : '✗'}</span><span>${both(text)}${notes}</span></li>`
  })
  return tag('ul', 'checks', parts.join(''))
}

function zoneBars({ zones }: DemoSummary): string {
  const most = Math.max(1, ...zones.map(({ before }) => before))
  const width = (count: number): string => `style="width:${((count / most) * 100).toFixed(1)}%"`
  const rows = zones.map(
    ({ zone, vantage, before, after }) =>
      `<div class="zone">${escape(zone)}<small>${escape(vantage)}</small></div><div class="bar"><i ${width(before)}></i><i class="left" ${width(after)}></i></div><div class="count">${before} → <b>${after}</b></div>`,
  )
  return tag('div', 'bars', rows.join(''))
}

function surprises({ surprises: found, failedUses, interruptions }: DemoSummary): string {
  const row = (...cells: readonly string[]): string => `<tr>${cells.map((cell) => `<td>${cell}</td>`).join('')}</tr>`
  const rows = [
    ...found.map(({ kind, vantage, host, address, protocol, port, needs }) =>
      row(both(KINDS[kind]), escape(`${vantage} → ${host} (${address})`), port === undefined ? '' : `<code>${protocol}/${port}</code>`, escape(needs.join(', '))),
    ),
    ...failedUses.map(({ client, host, family, kind, need, because }) => row(both(KINDS.failed), escape(`${client} → ${host}, IPv${family}, ${kind}`), escape(because), escape(need))),
    ...interruptions.map(({ name, interruptions: times }) => row(both(KINDS.interrupted), escape(name), escape(times[0]?.because ?? ''), '')),
  ]
  return `<table class="found">${rows.join('')}</table>`
}

const KINDS = {
  open: { en: 'open, and must not be', zh: '不应开放' },
  closed: { en: 'closed, but needed', zh: '业务需要但不可达' },
  unknown: { en: 'nothing can be said', zh: '无法判定' },
  failed: { en: 'use failed', zh: '使用失败' },
  interrupted: { en: 'interrupted', zh: '被中断' },
} as const satisfies Record<string, Text>

function checks(summary: DemoSummary): string {
  const { checked, zones } = summary
  const everywhere = zones.length
  const item = (isGood: boolean, words: Text): string => `<li class="${isGood ? '' : 'bad'}"><span class="sign">${isGood ? '✓' : '✗'}</span><span>${both(words)}</span></li>`
  const isExact = summary.unexpectedlyOpen + summary.unexpectedlyClosed + summary.undecided === 0
  return tag(
    'ul',
    'checks',
    [
      item(isExact, {
        en: `By packets, after closing: TCP ${checked.tcpAfter} from the clients' zones and from outside (from servers' own zones: the ports of the first scan), and UDP ${commas(checked.udpAfter)}, on all ${checked.addresses} IPv4 and IPv6 addresses, from ${everywhere} zones. Open is exactly what the needs let in, no more and no less.`,
        zh: `收敛后逐包验证：从客户端各区域和外部扫描 TCP ${checked.tcpAfter}（服务器所在区域扫描收敛前的端口列表）以及 UDP ${commas(checked.udpAfter)}，覆盖全部 ${checked.addresses} 个 IPv4 与 IPv6 地址、${everywhere} 个区域。开放的端口与业务需求完全一致，不多也不少。`,
      }),
      item(summary.hostsEqualToIntent === summary.hosts, {
        en: `By comparison: on ${summary.hostsEqualToIntent} of ${summary.hosts} servers what the kernel enforces equals the intent for every possible packet.`,
        zh: `等价验证：${summary.hosts} 台服务器中 ${summary.hostsEqualToIntent} 台的内核生效规则对所有可能的报文与意图等价。`,
      }),
      item(summary.failedUses.length === 0, {
        en: `By use: each of ${checked.needs} needs was used for real: TLS, SQL, Redis, DNS, SFTP, DICOM, the market-data feed, tag locations, log lines, a published container.`,
        zh: `真实使用：${checked.needs} 项业务需求均已实际使用：TLS、SQL、Redis、DNS、SFTP、DICOM、行情推送、定位上报、日志、容器发布端口。`,
      }),
      item(summary.servicesInterrupted === 0, {
        en: `All the while ${checked.services} clients' uses went on, ${grouped(checked.uses)} times in all; connections that were open stayed open.`,
        zh: `全程 ${checked.services} 项客户端使用持续进行，共 ${grouped(checked.uses)} 次；已建立的连接保持不断。`,
      }),
      item(true, {
        en: `The scan before: TCP ${commas(checked.tcpBefore)}, UDP ${commas(checked.udpBefore)}. Together ${grouped(checked.probes)} probes.`,
        zh: `收敛前的扫描：TCP ${commas(checked.tcpBefore)}，UDP ${commas(checked.udpBefore)}。两次共 ${grouped(checked.probes)} 个探测包。`,
      }),
    ].join(''),
  )
}

const commas = (ports: string): string => ports.replaceAll(',', ', ')

function phases({ phases: all }: DemoSummary): string {
  const longest = Math.max(0.1, ...all.map(({ seconds }) => seconds))
  const titles = new Map<string, Text>(Object.values(STEPS).map(({ name, title }) => [name, title]))
  const rows = all.map(
    ({ name, seconds }) =>
      `<div>${both(titles.get(name) ?? { en: name, zh: name })}</div><div class="bar"><i style="width:${((seconds / longest) * 100).toFixed(1)}%"></i></div><div class="count">${seconds.toFixed(1)} s</div>`,
  )
  return tag('div', 'time', rows.join(''))
}

const footer = ({ plan }: DemoSummary, at: number): string =>
  `<footer>${both({ en: 'Change plan', zh: '变更计划' })} <code>${escape(plan.id.slice(0, 12))}</code> · ${plan.closes} ${both({ en: 'endpoints close', zh: '个端点关闭' })}, ${plan.narrows} ${both({ en: 'narrow', zh: '个收窄' })} · ${formatInstant(at)}</footer>`
