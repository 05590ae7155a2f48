import { isInterfaceName, type Element, type Elements, type Field, type LookupMatch, type Match, type Table, type Value } from '../ruleset/ruleset.ts'
import { readField, type KnownBits, type Reading } from './linearField.ts'
import type { Path, Scene, Station } from './linearPath.ts'

/** `unknown` carries the question: for a deterministic one the same text has the same answer wherever it is asked of this packet. */
export type Answer = 'yes' | 'no' | { readonly what: string; readonly isDeterministic: boolean; readonly isOpposite: boolean }

/** Asks one match on one way. An answer that this way has assumed already is given again. */
export function ask(scene: Scene, path: Path, station: Station, table: Table, match: Match): Answer {
  switch (match.kind) {
    case 'lookup':
      return settle(path, askLookup(scene, path, station, table, match))
    case 'any-of':
      return askAlternatives(scene, path, station, table, match.alternatives, match.isNegated)
    case 'unknown':
      return settle(path, { what: match.what, isDeterministic: match.isDeterministic, isOpposite: match.isNegated })
  }
}

/** Answers a tuple of readings against one element: all must hold. */
export function askElement(readings: readonly Reading[], element: Element): 'yes' | 'no' | 'unknown' {
  let isUnknown = false
  for (const [index, reading] of readings.entries()) {
    const value = element.values[index]
    const answer = value === undefined ? 'no' : compare(reading, value)
    if (answer === 'no') return 'no'
    if (answer === 'unknown') isUnknown = true
  }
  return isUnknown ? 'unknown' : 'yes'
}

export const readFields = (scene: Scene, path: Path, station: Station, fields: readonly Field[]): readonly Reading[] =>
  fields.map((field) => readField(scene, path, station, field))

/** The elements of a set or map; undefined when the table lacks it or rules fill it, so that its content is not known. */
export function elementsOf(table: Table, among: Elements): readonly Element[] | undefined {
  if (among.kind === 'inline') return among.elements
  const named = table.sets.find((set) => set.name === among.name)
  return named && !named.isDynamic ? named.elements : undefined
}

export function describeLookup(match: { readonly fields: readonly Field[]; readonly among: Elements }): string {
  const fields = match.fields.map((field) => (field.mask === undefined ? field.name : `${field.name}&${field.mask}`)).join(' . ')
  if (match.among.kind === 'named') return `${fields} in @${match.among.name}`
  const shown = match.among.elements.slice(0, 64).map((element) => element.values.map(describeValue).join(' . '))
  return `${fields} in {${shown.join(', ')}}${match.among.elements.length > 64 ? `+${match.among.elements.length}` : ''}`
}

function askLookup(scene: Scene, path: Path, station: Station, table: Table, match: LookupMatch): Answer {
  const readings = readFields(scene, path, station, match.fields)
  if (readings.includes('unreadable')) return 'no'
  const elements = elementsOf(table, match.among)
  if (!elements) return { what: describeLookup(match), isDeterministic: false, isOpposite: match.isNegated }
  const answers = elements.map((element) => askElement(readings, element))
  if (answers.includes('yes')) return match.isNegated ? 'no' : 'yes'
  if (answers.includes('unknown')) return { what: describeLookup(match), isDeterministic: true, isOpposite: match.isNegated }
  return match.isNegated ? 'yes' : 'no'
}

function askAlternatives(scene: Scene, path: Path, station: Station, table: Table, alternatives: readonly (readonly Match[])[], isNegated: boolean): Answer {
  let open: Answer | undefined
  for (const alternative of alternatives) {
    const answers = alternative.map((match) => ask(scene, path, station, table, match))
    if (answers.includes('no')) continue
    const unknown = answers.find((answer) => typeof answer === 'object')
    if (!unknown) return isNegated ? 'no' : 'yes'
    open = unknown
  }
  if (!open) return isNegated ? 'yes' : 'no'
  // Which of several open questions decides is not one question any more: asked afresh each time.
  return { what: `one of: ${typeof open === 'object' ? open.what : ''}`, isDeterministic: false, isOpposite: isNegated }
}

function settle(path: Path, answer: Answer): Answer {
  if (typeof answer === 'string' || !answer.isDeterministic) return answer
  const assumed = path.assumed.get(answer.what)
  return assumed === undefined ? answer : assumed !== answer.isOpposite ? 'yes' : 'no'
}

function compare(reading: Reading, value: Value): 'yes' | 'no' | 'unknown' {
  if (reading === 'unknown') return isEverything(value) ? 'yes' : 'unknown'
  if (reading === 'unreadable') return 'no'
  if (typeof reading === 'object' && 'bits' in reading) return compareBits(reading, value)
  if ('name' in reading) return isInterfaceName(value) && isSameName(reading.name, value) ? 'yes' : 'no'
  if (isInterfaceName(value)) return 'no'
  if (reading.last < value.first || value.last < reading.first) return 'no'
  return value.first <= reading.first && reading.last <= value.last ? 'yes' : 'unknown'
}

/** Bits that are not known may be anything. */
function compareBits({ bits, known }: KnownBits, value: Value): 'yes' | 'no' | 'unknown' {
  if (isInterfaceName(value)) return 'no'
  const most = bits | (0xffff_ffffn & ~known)
  if (value.first <= bits && most <= value.last) return 'yes'
  if (value.first === value.last) return ((value.first ^ bits) & known) === 0n && value.first <= 0xffff_ffffn ? 'unknown' : 'no'
  return value.first <= most && bits <= value.last ? 'unknown' : 'no'
}

const isEverything = (value: Value): boolean => isInterfaceName(value) && value.isPrefix && value.name === ''

const isSameName = (name: string, value: { name: string; isPrefix: boolean }): boolean =>
  value.isPrefix ? name.startsWith(value.name) : name === value.name

const describeValue = (value: Value): string => {
  if (isInterfaceName(value)) return value.isPrefix ? `${value.name}*` : value.name
  return value.first === value.last ? String(value.first) : `${value.first}-${value.last}`
}
