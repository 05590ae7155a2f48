import type { Text } from '@portcullis/core/fault/fault.ts'
import type { EndpointRisk, RiskLevel } from '@portcullis/core/inventory/risk.ts'
import { both, escape, grouped, tag } from './markup.ts'

export const HOSTS_SHOWN_MAX = 12

export const isUnneeded = (risk: EndpointRisk): boolean => risk.unneededTo.length > 0

const LEVELS: readonly (readonly [level: RiskLevel, name: Text, meaning: Text])[] = [
  ['high', { en: 'High', zh: '高' }, { en: 'administration, data, files or clear text, open to those who do not need it', zh: '管理、数据、文件或明文服务向无需求方开放' }],
  ['medium', { en: 'Medium', zh: '中' }, { en: 'open to anyone, or sensitive and open within', zh: '向任何人开放，或敏感服务在内部开放' }],
  ['low', { en: 'Low', zh: '低' }, { en: 'open within, or open because a need says so', zh: '仅在内部开放，或依业务需求开放' }],
]

export const levelName = (level: RiskLevel): Text => LEVELS.find(([name]) => name === level)?.[1] ?? { en: '', zh: '' }

/** How much stands open at which risk, and on which servers. */
export function exposure(risks: readonly EndpointRisk[]): string {
  const counts = LEVELS.map(([level]) => risks.filter((risk) => risk.level === level).length)
  const most = Math.max(1, ...counts)
  const bars = LEVELS.map(
    ([level, name, meaning], index) =>
      `<div class="zone">${both(name)}<small>${both(meaning)}</small></div><div class="bar"><i class="risk-${level}" style="width:${(((counts[index] ?? 0) / most) * 100).toFixed(1)}%"></i></div><div class="count">${grouped(counts[index] ?? 0)}</div>`,
  )
  return tag('div', 'bars risks', bars.join('')) + hostList(risks)
}

export interface HostExposure {
  readonly host: string
  readonly endpoints: number
  readonly unneeded: number
  readonly high: number
}

/** Those with the most to close first. */
export function hostsByExposure(risks: readonly EndpointRisk[]): HostExposure[] {
  const hosts = new Map<string, { endpoints: number; unneeded: number; high: number }>()
  for (const risk of risks) {
    let of = hosts.get(risk.host)
    if (of === undefined) hosts.set(risk.host, (of = { endpoints: 0, unneeded: 0, high: 0 }))
    of.endpoints += 1
    if (isUnneeded(risk)) of.unneeded += 1
    if (risk.level === 'high') of.high += 1
  }
  return [...hosts].map(([host, counts]) => ({ host, ...counts })).toSorted((a, b) => b.high - a.high || b.unneeded - a.unneeded || (a.host < b.host ? -1 : 1))
}

/** Few enough that their owners can be asked. */
function hostList(risks: readonly EndpointRisk[]): string {
  const hosts = hostsByExposure(risks).filter(({ unneeded }) => unneeded > 0)
  if (hosts.length === 0) return ''
  const items = hosts.slice(0, HOSTS_SHOWN_MAX).map(({ host, unneeded, high }) => `<li><b>${escape(host)}</b> ${grouped(unneeded)}${high === 0 ? '' : ` <em>${grouped(high)} ${both({ en: 'high', zh: '高' })}</em>`}</li>`)
  const rest = hosts.length - items.length
  const more = rest > 0 ? `<li class="soft">${both({ en: `and ${grouped(rest)} more`, zh: `另有 ${grouped(rest)} 台` })}</li>` : ''
  return `<h3>${both({ en: 'Servers with the most to close', zh: '待收敛最多的服务器' })} <small>${both({ en: 'endpoints, and how many of them at high risk', zh: '端点数，及其中高风险数' })}</small></h3><ul class="hosts">${items.join('')}${more}</ul>`
}
