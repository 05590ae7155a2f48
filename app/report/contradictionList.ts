import type { Contradiction } from '@portcullis/core/inventory/contradiction.ts'
import type { MatrixRow } from '@portcullis/core/inventory/matrix.ts'
import { CONTRADICTION_WORDS } from './contradictionWords.ts'
import { both, escape, grouped } from './markup.ts'

export const EXAMPLES_SHOWN_MAX = 8

/** Each kind of contradiction, of how many endpoints, what it may mean, and some of them. */
export function contradictionList(rows: readonly MatrixRow[]): string {
  const byKind = new Map<Contradiction['kind'], Set<string>>()
  for (const row of rows) {
    for (const { kind } of row.contradictions) {
      const names = byKind.get(kind)
      if (names) names.add(endpointName(row))
      else byKind.set(kind, new Set([endpointName(row)]))
    }
  }
  if (byKind.size === 0) return `<p>${both({ en: 'Nothing: no two observations contradict each other.', zh: '无：未发现相互矛盾的观测。' })}</p>`
  const items = [...byKind].toSorted(([, a], [, b]) => b.size - a.size).map(([kind, all]) => {
    const { title, meaning } = CONTRADICTION_WORDS[kind]
    const names = [...all]
    const chips = names.slice(0, EXAMPLES_SHOWN_MAX).map((name) => `<code>${escape(name)}</code>`).join(' ')
    const rest = names.length - EXAMPLES_SHOWN_MAX
    const more = rest > 0 ? ` <span class="soft">${both({ en: `and ${grouped(rest)} more`, zh: `另有 ${grouped(rest)} 个` })}</span>` : ''
    return `<div><dt><b>${grouped(names.length)}</b> <span>${both(title)}</span></dt><dd>${both(meaning)}<br>${chips}${more}</dd></div>`
  })
  return `<dl class="odd">${items.join('')}</dl>`
}

export const endpointName = ({ host, protocol, port }: MatrixRow): string => `${host} ${protocol}/${port}`
