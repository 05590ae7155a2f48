import type { Text } from '@portcullis/core/fault/fault.ts'
import type { EndpointRisk } from '@portcullis/core/inventory/risk.ts'
import { isUnneeded, levelName } from './exposure.ts'
import { both, escape, grouped } from './markup.ts'
import { tableHead } from './page.ts'
import { byZone, zoneMarkup } from './zoneName.ts'

/** The rest is counted, and all of it is in the CSV. */
export const CLOSABLE_SHOWN_MAX = 25

/** What stands open without a need: the riskiest first, and of those what nobody used. */
export function closable(risks: readonly EndpointRisk[]): string {
  const all = risks.filter(isUnneeded)
  if (all.length === 0) return `<p>${both({ en: 'Nothing: no endpoint was found open to a zone without a need.', zh: '无：未发现向无需求区域开放的端点。' })}</p>`
  const order = ['unused', 'unknown', 'used']
  const shown = all.toSorted((a, b) => b.points - a.points || order.indexOf(a.unneededUse) - order.indexOf(b.unneededUse)).slice(0, CLOSABLE_SHOWN_MAX)
  return `<div class="wide"><table class="found">${tableHead(HEADS)}<tbody>${shown.map(line).join('\n')}</tbody></table></div>${more(all.length - shown.length)}`
}

const HEADS: readonly { readonly text: Text }[] = [
  { text: { en: 'Risk', zh: '风险' } },
  { text: { en: 'Server', zh: '服务器' } },
  { text: { en: 'Endpoint', zh: '端点' } },
  { text: { en: 'Who answers', zh: '应答方' } },
  { text: { en: 'Open without need to', zh: '无需求而开放给' } },
  { text: { en: 'What to do', zh: '处置建议' } },
]

function line({ host, protocol, port, owner, unneededTo, unneededUse, level, sensitive }: EndpointRisk): string {
  const [className, words] = USE[unneededUse]
  const kind = sensitive === undefined ? '' : ` <span class="soft">${both(SENSITIVE[sensitive])}</span>`
  const zones = unneededTo.toSorted(byZone)
  return `<tr><td class="risk"><i class="dot risk-${level}"></i>${both(levelName(level))}</td><th scope="row">${escape(host)}</th><td class="end"><code>${protocol}/${port}</code>${kind}</td><td>${escape(owner)}</td><td class="zones">${zoneList(zones)}</td><td class="${className}">${both(words)}</td></tr>`
}

const ZONES_NAMED_MAX = 6

function zoneList(zones: readonly string[]): string {
  // The place that is no zone stands last, and matters most.
  const named = zones.length <= ZONES_NAMED_MAX ? zones : [...zones.slice(0, ZONES_NAMED_MAX - 1), ...zones.slice(-1)]
  const rest = zones.length - named.length
  return named.map(zoneMarkup).join(', ') + (rest > 0 ? ` ${both({ en: `and ${rest} more`, zh: `等 ${zones.length} 个` })}` : '')
}

const USE: Readonly<Record<EndpointRisk['unneededUse'], readonly [className: string, words: Text]>> = {
  unused: ['ready', { en: 'not used while watched: close', zh: '观测期内未使用：可关闭' }],
  used: ['ask', { en: 'in use: ask who, then write the need or close', zh: '正在使用：先确认使用方，再登记需求或关闭' }],
  unknown: ['ask', { en: 'use not known: observe first', zh: '使用情况未知：先观测' }],
}

const SENSITIVE: Readonly<Record<NonNullable<EndpointRisk['sensitive']>, Text>> = {
  administration: { en: 'usually administration', zh: '通常为管理端口' },
  data: { en: 'usually a database', zh: '通常为数据库' },
  files: { en: 'usually files', zh: '通常为文件共享' },
  'clear text': { en: 'usually clear text', zh: '通常为明文协议' },
}

const more = (amount: number): string =>
  amount <= 0 ? '' : `<p class="soft">${both({ en: `${grouped(amount)} more are not shown here; portcullis matrix --csv has them all.`, zh: `另有 ${grouped(amount)} 条未列出；portcullis matrix --csv 可导出全部。` })}</p>`
