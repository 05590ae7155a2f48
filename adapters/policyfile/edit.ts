import { isCollection, isMap, isNode, isScalar, isSeq, parseDocument, type Document } from 'yaml'
import { succeed, type Result, type Text } from '@portcullis/core/fault/fault.ts'
import type { Selector } from '@portcullis/core/policy/policy.ts'
import type { DraftNeed } from '@portcullis/core/policy/recommend/draftNeeds.ts'
import { formatServicePort } from '@portcullis/core/policy/service.ts'
import type { PolicyFragment } from './fragment.ts'
import { renderPolicyFile } from './render.ts'
import type { NeedEntry } from './schema.ts'

/**
 * The policy file with the needs added, and nothing else changed: the new lines are put behind the last ones of their section, in its
 * indentation. A section that is written in one line, or is not there, is rendered anew. Faults: those of `readYaml`.
 */
export function addNeeds(text: string, file: string, needs: readonly DraftNeed[], language: keyof Text): Result<string> {
  const services = needs.flatMap(({ service, ports }) => (ports ? [[service, formatServicePort(ports)] as const] : []))
  const fragment: PolicyFragment = {
    ...(services.length > 0 ? { services: Object.fromEntries(services) } : {}),
    ...(needs.length > 0 ? { needs: needs.map((need) => entryOf(need, language)) } : {}),
  }
  const rendered = renderPolicyFile(fragment, text, file)
  if (!rendered.ok) return rendered
  const inserted = insertSections(text, fragment)
  // What was inserted must read as what is meant, whatever the file looks like.
  return inserted !== undefined && isSame(inserted, rendered.value) ? succeed(inserted) : rendered
}

function insertSections(text: string, fragment: PolicyFragment): string | undefined {
  const needs = insertSection(text.endsWith('\n') ? text : `${text}\n`, 'needs', fragment)
  return needs === undefined ? undefined : insertSection(needs, 'services', fragment)
}

/** Undefined where the section is not a block of lines. */
function insertSection(text: string, name: 'needs' | 'services', { [name]: added }: PolicyFragment): string | undefined {
  if (added === undefined) return text
  const lines = sectionLines(name, { [name]: added })
  const document = parseDocument(text, { stringKeys: true, uniqueKeys: false })
  const root = document.contents
  if (!isMap(root)) return undefined
  const section = root.get(name)
  if (section === undefined) {
    // Services stand before the needs that name them.
    const at = name === 'services' ? keyLine(document, text, 'needs') : text.length
    return `${text.slice(0, at)}${at > 0 && name === 'needs' ? '\n' : ''}${name}:\n${lines.map((line) => (line === '' ? '' : `  ${line}`)).join('\n')}\n${name === 'services' ? '\n' : ''}${text.slice(at)}`
  }
  if (!(isSeq(section) || isMap(section)) || section.flow === true || section.items.length === 0 || section.range === undefined || section.range === null) return undefined
  const start = section.range[0]
  const indent = start - (text.lastIndexOf('\n', start - 1) + 1)
  const at = lineEnd(text, endOf(section))
  const gap = name === 'needs' ? '\n' : ''
  return `${text.slice(0, at)}${gap}${lines.map((line) => (line === '' ? '' : ' '.repeat(indent) + line)).join('\n')}\n${text.slice(at)}`
}

/** What the section would look like in a file of its own, without its indentation. */
function sectionLines(name: string, fragment: PolicyFragment): string[] {
  const alone = renderPolicyFile(fragment)
  const lines = alone.ok ? alone.value.trimEnd().split('\n') : []
  const from = lines.indexOf(`${name}:`) + 1
  const to = lines.findIndex((line, index) => index >= from && line !== '' && !line.startsWith(' '))
  return lines.slice(from, to < 0 ? undefined : to).join('\n').trimEnd().split('\n').map((line) => line.slice(2))
}

/** Where the last value in it ends, without comments and blank lines below. */
function endOf(node: unknown): number {
  if (!isNode(node)) return 0
  if (!isCollection(node) || node.flow === true) return node.range?.[1] ?? 0
  const last = node.items.at(-1)
  const value = last !== undefined && last !== null && typeof last === 'object' && 'value' in last && !isScalar(last) ? last.value : last
  return value === null || value === undefined ? (node.range?.[1] ?? 0) : endOf(value)
}

function lineEnd(text: string, at: number): number {
  if (text[at - 1] === '\n') return at
  const newline = text.indexOf('\n', at)
  return newline < 0 ? text.length : newline + 1
}

/** Where the line of a top-level key, and the comments that stand right above it, begin; the end of the text where it is absent. */
function keyLine(document: Document.Parsed, text: string, name: string): number {
  const pair = isMap(document.contents) ? document.contents.items.find(({ key }) => isScalar(key) && key.value === name) : undefined
  let at = isScalar(pair?.key) && pair.key.range ? pair.key.range[0] : text.length
  while (at > 0 && text.slice(text.lastIndexOf('\n', at - 2) + 1, at).startsWith('#')) at = text.lastIndexOf('\n', at - 2) + 1
  return at
}

const isSame = (a: string, b: string): boolean => {
  const [left, right] = [a, b].map((text) => parseDocument(text, { schema: 'failsafe', stringKeys: true, uniqueKeys: false }))
  return left !== undefined && right !== undefined && left.errors.length === 0 && canonical(left.toJS()) === canonical(right.toJS())
}

/** Keys in one order: where a section stands makes no difference. */
const canonical = (value: unknown): string =>
  JSON.stringify(value, (_, inner: unknown) => (typeof inner === 'object' && inner !== null && !Array.isArray(inner) ? Object.fromEntries(Object.entries(inner).toSorted(([a], [b]) => (a < b ? -1 : 1))) : inner))

const entryOf = ({ service, selector, from, owner, because, review }: DraftNeed, language: keyof Text): NeedEntry => ({
  service,
  to: selectorEntry(selector),
  from: from.length === 1 ? (from[0] ?? 'any') : [...from],
  owner: owner ?? OWNER_MISSING[language],
  because: because[language].slice(0, BECAUSE_MAX),
  review,
})

/** A word that a reviewer finds, in a file that is valid all the same. */
export const OWNER_MISSING: Text = { en: 'MISSING', zh: '待定' }
const BECAUSE_MAX = 500

function selectorEntry(selector: Selector): NeedEntry['to'] {
  if (selector.kind === 'all') return 'all'
  if (selector.kind === 'names') return selector.names.length === 1 ? (selector.names[0] ?? '') : [...selector.names]
  return Object.fromEntries(Object.entries(selector.labels).map(([label, values]) => [label, values.length === 1 ? (values[0] ?? '') : [...values]]))
}
