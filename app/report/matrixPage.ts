import type { Text } from '@portcullis/core/fault/fault.ts'
import type { Contradiction } from '@portcullis/core/inventory/contradiction.ts'
import type { MatrixRow } from '@portcullis/core/inventory/matrix.ts'
import { formatInstant } from '@portcullis/core/inventory/matrixText.ts'
import { risksOf, type EndpointRisk, type RiskLevel } from '@portcullis/core/inventory/risk.ts'
import { both, escape, grouped, tag } from './markup.ts'
import { CONTRADICTION_WORDS } from './contradictionWords.ts'
import { MATRIX_STYLE } from './matrixStyle.ts'
import { matrixTable } from './matrixTable.ts'
import { page, pageHeader, section, tile, type PageLanguage } from './page.ts'

export interface MatrixPageInput {
  readonly rows: readonly MatrixRow[]
  readonly hosts: number
  /** Hosts of the policy of which no observation is there. */
  readonly unseenHosts: readonly string[]
  readonly at: number
  /** From when on observations were taken into account. */
  readonly since: number
  /** Shown first; the reader can change it. */
  readonly language: PageLanguage
}

/** How many a section names; the rest is counted, and all of it is in the CSV. */
export const CLOSABLE_SHOWN_MAX = 25
export const EXAMPLES_SHOWN_MAX = 8
const HOSTS_SHOWN_MAX = 12

/** The port matrix for people who decide: what stands open and why, what can be closed, what does not fit, what nobody knows. */
export function matrixPage(input: MatrixPageInput): string {
  const risks = risksOf(input.rows)
  const sections = [
    header(input, risks),
    tiles(input, risks),
    section({ en: 'Exposure by risk', zh: '按风险划分的暴露面' }, exposure(risks)),
    section({ en: 'What can be closed first', zh: '优先收敛的端点' }, closable(risks), ''),
    section({ en: 'What does not fit together', zh: '相互矛盾的观测' }, contradictions(input.rows), ''),
    section({ en: 'What is still unknown', zh: '仍属未知' }, unknowns(input, risks)),
    section({ en: 'The port matrix', zh: '端口状态矩阵' }, matrixTable(input.rows), ''),
    footer(input),
  ]
  return page({ title: 'Portcullis', language: input.language, sections, style: MATRIX_STYLE })
}

const isUnneeded = (risk: EndpointRisk): boolean => risk.unneededTo.length > 0

function header({ hosts }: MatrixPageInput, risks: readonly EndpointRisk[]): string {
  const unneeded = risks.filter(isUnneeded).length
  const high = risks.filter(({ level }) => level === 'high').length
  return pageHeader({
    title: { en: 'What stands open, and why', zh: '哪些端口开放，为何开放' },
    lead: { en: `${grouped(hosts)} servers: who listens, who can reach it, who used it, and which need it serves.`, zh: `${grouped(hosts)} 台服务器：谁在监听、谁可达、谁在使用、服务于哪项业务需求。` },
    verdict:
      unneeded === 0
        ? { isGood: true, text: { en: 'Nothing was found open that no need asks for', zh: '未发现无业务需求的开放端口' } }
        : {
            isGood: false,
            text: {
              en: `${grouped(unneeded)} ${unneeded === 1 ? 'endpoint is' : 'endpoints are'} open to zones that no need lets in${high === 0 ? '' : `, ${grouped(high)} at high risk`}`,
              zh: `${grouped(unneeded)} 个端点向无业务需求的区域开放${high === 0 ? '' : `，其中 ${grouped(high)} 个为高风险`}`,
            },
          },
  })
}

function tiles({ rows, unseenHosts }: MatrixPageInput, risks: readonly EndpointRisk[]): string {
  const open = risks.filter(({ openTo }) => openTo.length > 0)
  const unneeded = open.filter(isUnneeded)
  const unused = unneeded.filter(({ unneededUse }) => unneededUse === 'unused').length
  const odd = new Set(rows.filter((row) => row.contradictions.length > 0).map(endpointName)).size
  const unknown = risks.filter(({ unknownTo }) => unknownTo.length > 0).length
  return tag(
    'div',
    'tiles',
    [
      tile(true, { en: 'Open endpoints', zh: '开放端点' }, grouped(open.length), { en: `of ${grouped(risks.length)} that were seen`, zh: `共观测到 ${grouped(risks.length)} 个端点` }),
      tile(unneeded.length === 0, { en: 'Open without a need', zh: '开放但无业务需求' }, grouped(unneeded.length), { en: `${grouped(unused)} of them watched and not used`, zh: `其中 ${grouped(unused)} 个已观测且未使用` }),
      tile(odd === 0, { en: 'Contradictions', zh: '矛盾' }, grouped(odd), { en: 'endpoints of which observations do not fit together', zh: '个端点的观测相互矛盾' }),
      tile(unknown + unseenHosts.length === 0, { en: 'Still unknown', zh: '仍属未知' }, grouped(unknown), { en: `endpoints whose reach nobody has tried${unseenHosts.length === 0 ? '' : `; ${unseenHosts.length} servers not observed`}`, zh: `个端点的可达性未经探测${unseenHosts.length === 0 ? '' : `；${unseenHosts.length} 台服务器未观测`}` }),
    ].join(''),
  )
}

const LEVELS: readonly (readonly [level: RiskLevel, name: Text, meaning: Text])[] = [
  ['high', { en: 'High', zh: '高' }, { en: 'administration, data, files or clear text, open to those who do not need it', zh: '管理、数据、文件或明文服务向无需求方开放' }],
  ['medium', { en: 'Medium', zh: '中' }, { en: 'open to anyone, or sensitive and open within', zh: '向任何人开放，或敏感服务在内部开放' }],
  ['low', { en: 'Low', zh: '低' }, { en: 'open within, or open because a need says so', zh: '仅在内部开放，或依业务需求开放' }],
]

function exposure(risks: readonly EndpointRisk[]): string {
  const counts = LEVELS.map(([level]) => risks.filter((risk) => risk.level === level).length)
  const most = Math.max(1, ...counts)
  const bars = LEVELS.map(
    ([level, name, meaning], index) =>
      `<div class="zone">${both(name)}<small>${both(meaning)}</small></div><div class="bar"><i class="risk-${level}" style="width:${(((counts[index] ?? 0) / most) * 100).toFixed(1)}%"></i></div><div class="count">${grouped(counts[index] ?? 0)}</div>`,
  )
  return tag('div', 'bars risks', bars.join('')) + hostList(risks)
}

/** The hosts with the most to close; one number for each, so that owners can be asked. */
function hostList(risks: readonly EndpointRisk[]): string {
  const byHost = [...Map.groupBy(risks.filter(isUnneeded), ({ host }) => host)]
    .map(([host, all]) => ({ host, all: all.length, high: all.filter(({ level }) => level === 'high').length }))
    .toSorted((a, b) => b.high - a.high || b.all - a.all || (a.host < b.host ? -1 : 1))
  if (byHost.length === 0) return ''
  const items = byHost.slice(0, HOSTS_SHOWN_MAX).map(({ host, all, high }) => `<li><b>${escape(host)}</b> ${grouped(all)}${high === 0 ? '' : ` <em>${grouped(high)} ${both({ en: 'high', zh: '高' })}</em>`}</li>`)
  const rest = byHost.length - items.length
  return `<h3>${both({ en: 'Servers with the most to close', zh: '待收敛最多的服务器' })}</h3><ul class="hosts">${items.join('')}${rest > 0 ? `<li class="soft">+ ${grouped(rest)}</li>` : ''}</ul>`
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

function closable(risks: readonly EndpointRisk[]): string {
  const all = risks.filter(isUnneeded)
  if (all.length === 0) return `<p>${both({ en: 'Nothing: no endpoint was found open to a zone without a need.', zh: '无：未发现向无需求区域开放的端点。' })}</p>`
  const order = ['unused', 'unknown', 'used']
  const shown = all.toSorted((a, b) => b.points - a.points || order.indexOf(a.unneededUse) - order.indexOf(b.unneededUse)).slice(0, CLOSABLE_SHOWN_MAX)
  const rows = shown.map(({ host, protocol, port, owner, unneededTo, unneededUse, level, sensitive }) => {
    const [className, words] = USE[unneededUse]
    const kind = sensitive === undefined ? '' : `<span class="soft">${both(SENSITIVE[sensitive])}</span>`
    return `<tr><td><i class="dot risk-${level}" title="${level}"></i><b>${escape(host)}</b></td><td><code>${protocol}/${port}</code> ${kind}</td><td>${escape(owner)}</td><td>${unneededTo.map(escape).join(', ')}</td><td class="${className}">${both(words)}</td></tr>`
  })
  const heads: readonly Text[] = [{ en: 'Server', zh: '服务器' }, { en: 'Endpoint', zh: '端点' }, { en: 'Who answers', zh: '应答方' }, { en: 'Open without need to', zh: '无需求而开放给' }, { en: 'What to do', zh: '处置建议' }]
  return `<table class="found"><thead><tr>${heads.map((head) => `<th>${both(head)}</th>`).join('')}</tr></thead><tbody>${rows.join('\n')}</tbody></table>${more(all.length - shown.length)}`
}

function contradictions(rows: readonly MatrixRow[]): string {
  const byKind = new Map<Contradiction['kind'], Set<string>>()
  for (const row of rows) {
    for (const { kind } of row.contradictions) {
      const names = byKind.get(kind)
      if (names) names.add(endpointName(row))
      else byKind.set(kind, new Set([endpointName(row)]))
    }
  }
  if (byKind.size === 0) return `<p>${both({ en: 'Nothing: all observations agree.', zh: '无：全部观测一致。' })}</p>`
  const items = [...byKind].toSorted(([, a], [, b]) => b.size - a.size).map(([kind, all]) => {
    const { title, meaning } = CONTRADICTION_WORDS[kind]
    const names = [...all]
    const chips = names.slice(0, EXAMPLES_SHOWN_MAX).map((name) => `<code>${escape(name)}</code>`).join(' ')
    const rest = names.length - EXAMPLES_SHOWN_MAX
    return `<dt><b>${grouped(names.length)}</b> ${both(title)}</dt><dd>${both(meaning)}<br>${chips}${rest > 0 ? ` <span class="soft">+ ${grouped(rest)}</span>` : ''}</dd>`
  })
  return `<dl class="odd">${items.join('')}</dl>`
}

const endpointName = ({ host, protocol, port }: MatrixRow): string => `${host} ${protocol}/${port}`

function unknowns({ rows, unseenHosts }: MatrixPageInput, risks: readonly EndpointRisk[]): string {
  const count = (isIt: (row: MatrixRow) => boolean): number => new Set(rows.filter(isIt).map(endpointName)).size
  const listeners = count((row) => row.listening.kind === 'unknown')
  const unwatched = count((row) => row.used.kind === 'unknown' && row.used.because === 'not watched')
  const lost = count((row) => row.used.kind === 'unknown' && row.used.because === 'evidence lost')
  const untried = risks.filter(({ unknownTo }) => unknownTo.length > 0).length
  const item = (amount: number, words: Text): string => (amount === 0 ? '' : `<li class="bad"><span class="sign">?</span><span><b>${grouped(amount)}</b> ${both(words)}</span></li>`)
  const named = unseenHosts.slice(0, HOSTS_SHOWN_MAX).join(', ') + (unseenHosts.length > HOSTS_SHOWN_MAX ? ', …' : '')
  const items = [
    item(unseenHosts.length, { en: `servers were never observed: ${named}. Run portcullis observe.`, zh: `台服务器从未观测：${named}。请运行 portcullis observe。` }),
    item(untried, { en: 'endpoints listen, and nobody has tried from every zone whether they can be reached. Scan from there, or let the rules be verified.', zh: '个端点在监听，但未从每个区域探测其可达性。请从相应区域扫描，或进行规则等价验证。' }),
    item(listeners, { en: 'endpoints of servers whose listeners nobody has read. Run portcullis observe.', zh: '个端点所在服务器的监听情况未读取。请运行 portcullis observe。' }),
    item(unwatched, { en: 'endpoints whose use was not watched. Apply observe mode, and wait for as long as the business has a rhythm: a month-end job is not seen in a week.', zh: '个端点的使用情况未观测。请启用 observe 模式，并覆盖完整业务周期：月末任务在一周内看不到。' }),
    item(lost, { en: 'endpoints of which evidence was lost: unused cannot be said of them.', zh: '个端点的证据有丢失，不能断定未使用。' }),
  ].join('')
  return items === '' ? `<p>${both({ en: 'Nothing that these sensors could have told.', zh: '无。' })}</p>` : tag('ul', 'checks', items)
}

export const more = (amount: number): string =>
  amount <= 0 ? '' : `<p class="soft">${both({ en: `${grouped(amount)} more are not shown here; portcullis matrix --csv has them all.`, zh: `另有 ${grouped(amount)} 条未列出；portcullis matrix --csv 可导出全部。` })}</p>`

const footer = ({ rows, at, since }: MatrixPageInput): string =>
  `<footer>${grouped(rows.length)} ${both({ en: 'rows', zh: '行' })} · ${both({ en: 'observations since', zh: '观测起始' })} ${formatInstant(since).slice(0, 10)} · ${formatInstant(at)} · ${both({ en: 'The level of risk orders the work; it is no measure of damage.', zh: '风险等级用于排定工作顺序，不代表损失大小。' })}</footer>`
