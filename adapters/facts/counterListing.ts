import { member } from './counterSet.ts'
import type { Sections } from './section.ts'

/** What nft listed of the gate's counting: its objects by kind and name. Undefined: not listed, or not understood. */
export interface CounterListing {
  of(kind: 'set' | 'counter', name: string): unknown
  /** The comment in which the gate says what it is. */
  readonly about: string | undefined
}

/** From one listing of the whole table, as the host gives it of a small one, or from a section of each object. */
export function readCounterListing(sections: Sections): CounterListing {
  const table = sections.get('table')
  if (table !== undefined) {
    const items = itemsOf(table.text)
    return { of: (kind, name) => items.map((item) => member(item, kind)).find((object) => member(object, 'name') === name), about: commentOf(items) }
  }
  const sectionOf = (name: string): unknown[] => itemsOf(sections.get(name)?.text ?? '')
  return { of: (kind, name) => sectionOf(name).map((item) => member(item, kind)).find((object) => object !== undefined), about: commentOf(sectionOf('about')) }
}

/** Of the one rule in the chain `about`. */
function commentOf(items: readonly unknown[]): string | undefined {
  const rules = items.map((item) => member(item, 'rule')).filter((rule) => rule !== undefined)
  const comment = member(rules.find((rule) => member(rule, 'chain') === 'about'), 'comment')
  return typeof comment === 'string' ? comment : undefined
}

/** nft wraps what it lists: `{"nftables": [{"metainfo": …}, {"set": …}]}`. */
function itemsOf(text: string): unknown[] {
  const items = member(parsed(text), 'nftables')
  return Array.isArray(items) ? (items as unknown[]) : []
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
