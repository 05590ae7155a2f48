import type { Ruleset, Source, Table } from '@portcullis/core/ruleset/ruleset.ts'
import type { Way } from '@portcullis/core/verify/compose.ts'
import type { SourcesText } from '@portcullis/core/verify/differenceText.ts'
import { count, sourceWords, t, type Pen } from './words.ts'

/** `rules.nft:12`, or nft's own number of the rule where there are no lines. */
export function placeWords({ file, line, handle, pointer }: Source): string {
  if (line !== undefined) return `${file}:${line}`
  return handle === undefined ? `${file}${pointer ?? ''}` : `${file}#${handle}`
}

export const ruleWords = (source: Source): string => source.text.trim().replaceAll(/\s+/g, ' ')

export const tableWords = (table: Table): string => `${table.backend === 'legacy' ? 'legacy ' : ''}${table.family} ${table.name}`

const LISTED_MAX = 12

/** `any` where there are none. */
export function listWords(pen: Pen, list: readonly string[]): string {
  if (list.length === 0) return t(pen, ANY)
  const more = list.length - LISTED_MAX
  return list.slice(0, LISTED_MAX).join(',') + (more > 0 ? ` +${more}` : '')
}

/** `tcp/22,443`; the protocol alone where ports do not matter. */
export const serviceWords = (pen: Pen, protocols: readonly string[], ports: readonly string[]): string =>
  ports.length === 0 ? listWords(pen, protocols) : `${listWords(pen, protocols)}/${listWords(pen, ports)}`

export function fromWords(pen: Pen, { prefixes, more, except, family }: SourcesText): string {
  if (except) {
    const all = family === 4 ? ['0.0.0.0/0'] : family === 6 ? ['::/0'] : ['0.0.0.0/0', '::/0']
    const [anyone, others] = [sourceWords(pen, all), sourceWords(pen, except)]
    return t(pen, { en: `${anyone} but ${others}`, zh: `${anyone}（除 ${others}）` })
  }
  const listed = sourceWords(pen, prefixes)
  return more > 0 ? `${listed} ${t(pen, { en: `and ${more} more`, zh: `另有 ${more} 个` })}` : listed
}

export const WAYS: Readonly<Record<Way, { readonly en: string; readonly zh: string }>> = {
  input: { en: 'input', zh: '入站 (input)' },
  forward: { en: 'forward', zh: '转发 (forward)' },
  output: { en: 'output', zh: '出站 (output)' },
  arrival: { en: 'as the routes say', zh: '按路由' },
}

/** What was read and is not part of the model: never passed over in silence. */
export function unmodelledLines(pen: Pen, ruleset: Pick<Ruleset, 'unmodelled'>, facts?: { readonly unmodelled: readonly string[] }): string[] {
  const named = [...ruleset.unmodelled.map(({ construct, source }) => `${placeWords(source)}  ${construct}`), ...(facts?.unmodelled ?? [])]
  if (named.length === 0) return []
  const title = t(pen, { en: `Outside the model, and not judged: ${count(pen, named.length, 'thing', '')}`, zh: `模型之外、未作判断：${named.length} 项` })
  return ['', pen.paint.yellow(title), ...named.map((each) => `  ${each}`)]
}

const ANY = { en: 'any', zh: '任意' }
