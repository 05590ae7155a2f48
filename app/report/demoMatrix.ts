import type { Text } from '@portcullis/core/fault/fault.ts'
import { CATALOGUE } from '@portcullis/core/policy/catalogue.ts'
import { DEMO_SERVICES, type DemoNeed } from '@portcullis/lab/demo/needs.ts'
import type { ReportCell, ReportEndpoint } from './endpoints.ts'
import { both, escape } from './markup.ts'

/** Every endpoint that anyone could reach, a host a block, each zone twice: before and after. */
export function demoMatrix(endpoints: readonly ReportEndpoint[], zones: readonly string[], needs: readonly DemoNeed[]): string {
  const hosts = Map.groupBy(endpoints, ({ host }) => host)
  const bodies = [...hosts].map(([host, rows]) => `<tbody>${rows.map((row, index) => matrixRow(row, index === 0 ? hostCell(host, rows.length) : '', needs)).join('')}</tbody>`)
  return `<table class="matrix">${head(zones)}${bodies.join('\n')}</table>`
}

export const legend = (): string =>
  `<div class="legend">${KEYS.map(([className, words]) => `<span class="key"><i class="box ${className}"></i>${both(words)}</span>`).join('')}</div>`

const KEYS: readonly (readonly [className: string, Text])[] = [
  ['bad', { en: 'open, and nobody needs it', zh: '开放，但无业务需要' }],
  ['need', { en: 'open, because a need says so', zh: '开放，有业务需求' }],
  ['', { en: 'cannot be reached', zh: '不可达' }],
  ['unknown', { en: 'not scanned: this is where the scan stood', zh: '未扫描：扫描即从该主机发起' }],
]

function head(zones: readonly string[]): string {
  const span = zones.length
  const names = zones.map((zone) => `<th scope="col" class="up"><div>${escape(zone)}</div></th>`).join('')
  return `<thead><tr><td colspan="2"></td><th scope="colgroup" class="group" colspan="${span}">${both({ en: 'Before', zh: '收敛前' })}</th><td class="gap"></td><th scope="colgroup" class="group" colspan="${span}">${both({ en: 'After', zh: '收敛后' })}</th><td></td></tr>
<tr>${column({ en: 'Server', zh: '服务器' }, 'left')}${column({ en: 'Endpoint', zh: '端点' }, 'left')}${names}<td class="gap"></td>${names}${column({ en: 'Why it is open', zh: '开放原因' }, 'why')}</tr></thead>`
}

const column = (text: Text, className: string): string => `<th scope="col" class="${className}">${both(text)}</th>`

const hostCell = (host: string, rows: number): string => `<th scope="rowgroup" class="host" rowspan="${rows}">${escape(host)}</th>`

function matrixRow({ endpoint, listener, families, zones, needs: ids }: ReportEndpoint, host: string, needs: readonly DemoNeed[]): string {
  const only = families.length === 1 ? ` · ${families[0]}` : ''
  const label = `<th scope="row" class="end"><code>${escape(endpoint)}</code><span class="who">${escape(listener)}${only}</span></th>`
  const why = needs.filter(({ id }) => ids.includes(id)).map(needWords)
  const isManaged = ids.includes('management') && why.length === 0
  const cells = (when: 'before' | 'after'): string => zones.map((cell) => box(cell, when)).join('')
  return `<tr>${host}${label}${cells('before')}<td class="gap"></td>${cells('after')}<td class="why">${isManaged ? both(MANAGEMENT) : why.join('<br>')}</td></tr>\n`
}

const MANAGEMENT: Text = { en: 'the way in for administrators', zh: '管理通道' }

const needWords = ({ service, owner, because }: DemoNeed): string => `<b>${both(titleOf(service))}</b>: ${escape(because)} (${escape(owner)})`

export function titleOf(service: string): Text {
  const known = CATALOGUE.get(service)
  return DEMO_SERVICES.find(({ name }) => name === service)?.title ?? known?.titles ?? { en: service, zh: service }
}

const SIGHTS = { open: { en: 'open', zh: '开放' }, shut: { en: 'cannot be reached', zh: '不可达' }, unknown: { en: 'unknown', zh: '未知' } } as const

/** Colour alone tells nothing to a reader who does not see it: each box says its state. */
function box({ zone, isNeeded, ...sights }: ReportCell, when: 'before' | 'after'): string {
  const sight = sights[when]
  const className = sight === 'open' ? (isNeeded ? 'need' : 'bad') : sight === 'unknown' ? 'unknown' : ''
  const { en, zh } = SIGHTS[sight]
  return `<td class="cell"><i class="box ${className}" role="img" aria-label="${escape(zone)}: ${en} ${zh}" title="${escape(zone)}: ${en} · ${zh}"></i></td>`
}
