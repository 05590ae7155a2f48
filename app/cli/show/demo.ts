import type { Text } from '@portcullis/core/fault/fault.ts'
import type { DemoSummary } from '../../demo/summary.ts'
import { percentLess } from '../../report/demoPage.ts'
import { verdictText } from '../../report/verdict.ts'
import { layTable } from '../table.ts'
import { rolloutLines } from './demoRollouts.ts'
import { t, type Pen } from './words.ts'

const LINES_MAX = 20

/** The end of a demo for someone who did not watch it. `kept` is the prefix of a lab that stands on. */
export function showDemo(pen: Pen, summary: DemoSummary, kept?: string): string {
  const { paint } = pen
  const verdict = t(pen, verdictText(summary))
  const lines = [
    '',
    summary.ok ? paint.green(paint.bold(`✓ ${verdict}`)) : paint.red(paint.bold(`✗ ${verdict}`)),
    '',
    ...layTable(figures(pen, summary), '  '),
    '',
    ...layTable(zoneRows(pen, summary), '  '),
    ...(summary.rollouts ? rolloutLines(pen, summary.rollouts) : []),
    ...wrongLines(pen, summary),
    '',
    ...checkedLines(pen, summary),
    '',
    `  ${t(pen, { en: 'Report', zh: '报告' })}  ${paint.cyan(summary.files.report)}`,
    ...(kept === undefined ? [] : [`  ${t(pen, { en: 'Lab', zh: '实验环境' })}  ${paint.cyan(`node lab/main.ts shell portal-1 --prefix ${kept}`)}`]),
  ]
  return `${lines.join('\n')}\n`
}

function figures(pen: Pen, { exposedBefore, exposedAfter, zones, servicesInterrupted, checked, seconds, hosts }: DemoSummary): string[][] {
  const [outside] = zones
  const row = (name: Text, figure: string, note: Text): string[] => [t(pen, name), pen.paint.bold(figure), pen.paint.dim(t(pen, note))]
  return [
    row({ en: 'Exposed endpoints', zh: '暴露端点' }, `${exposedBefore} → ${exposedAfter}`, { en: `−${percentLess(exposedBefore, exposedAfter)} %; what is left is needed`, zh: `−${percentLess(exposedBefore, exposedAfter)} %，其余均为业务所需` }),
    row({ en: 'To the outside', zh: '对外部暴露' }, `${outside?.before ?? '?'} → ${outside?.after ?? '?'}`, { en: `−${percentLess(outside?.before ?? 0, outside?.after ?? 0)} %`, zh: `−${percentLess(outside?.before ?? 0, outside?.after ?? 0)} %` }),
    row({ en: 'Services interrupted', zh: '业务中断' }, String(servicesInterrupted), { en: `of ${checked.services}, used ${checked.uses} times meanwhile`, zh: `共 ${checked.services} 项，期间使用 ${checked.uses} 次` }),
    row({ en: 'Time taken', zh: '用时' }, `${Math.round(seconds)} s`, { en: `${hosts} servers`, zh: `${hosts} 台服务器` }),
  ]
}

const zoneRows = (pen: Pen, { zones }: DemoSummary): string[][] => [
  [{ en: 'FROM ZONE', zh: '来源区域' }, { en: 'BEFORE', zh: '收敛前' }, { en: 'AFTER', zh: '收敛后' }].map((head) => pen.paint.dim(t(pen, head))),
  ...zones.map(({ zone, before, after }) => [zone, String(before), pen.paint.green(String(after))]),
]

function wrongLines(pen: Pen, { surprises, failedUses, interruptions }: DemoSummary): string[] {
  const words: Record<DemoSummary['surprises'][number]['kind'], Text> = {
    open: { en: 'open', zh: '不应开放' },
    closed: { en: 'closed', zh: '不可达' },
    unknown: { en: 'unknown', zh: '无法判定' },
  }
  const lines = [
    ...surprises.map(({ kind, vantage, host, address, protocol, port, needs }) =>
      [t(pen, words[kind]), `${vantage} → ${host} ${address}`, port === undefined ? '' : `${protocol}/${port}`, needs.join(' ')],
    ),
    ...failedUses.map(({ client, host, family, kind, need, because }) => [t(pen, { en: 'use failed', zh: '使用失败' }), `${client} → ${host} IPv${family}`, `${kind}: ${because}`, need]),
    ...interruptions.map(({ name, interruptions: times }) => [t(pen, { en: 'interrupted', zh: '中断' }), name, times[0]?.because ?? '']),
  ]
  if (lines.length === 0) return []
  const more = lines.length - LINES_MAX
  return ['', ...layTable(lines.slice(0, LINES_MAX), `  ${pen.paint.red('✗')} `), ...(more > 0 ? [`  ${t(pen, { en: `and ${more} more`, zh: `另有 ${more} 处` })}`] : [])]
}

function checkedLines(pen: Pen, { checked, hosts, hostsEqualToIntent, zones }: DemoSummary): string[] {
  const millions = (checked.probes / 1e6).toFixed(1)
  const lines: Text[] = [
    {
      en: `Checked by ${millions} million packets: TCP ${checked.tcpAfter} and ${checked.udpAfter.split(',').length} UDP ports, ${checked.addresses} addresses, IPv4 and IPv6, from ${zones.length} zones`,
      zh: `逐包验证：${(checked.probes / 1e4).toFixed(0)} 万个探测包，TCP ${checked.tcpAfter} 与 ${checked.udpAfter.split(',').length} 个 UDP 端口，${checked.addresses} 个 IPv4/IPv6 地址，${zones.length} 个区域`,
    },
    { en: `(from servers' own zones: the ports of the scan before, ${checked.tcpBefore})`, zh: `（服务器所在区域扫描收敛前的端口列表：${checked.tcpBefore}）` },
    { en: `Compared for every packet: ${hostsEqualToIntent} of ${hosts} kernels enforce exactly the intent`, zh: `等价验证：${hosts} 台中 ${hostsEqualToIntent} 台的内核生效规则与意图完全等价` },
  ]
  return lines.map((line) => `  ${pen.paint.dim(t(pen, line))}`)
}
