import type { Fault } from '@portcullis/core/fault/fault.ts'
import { describeIssue, isOptional } from './issue.ts'
import { valueOf, type Path } from './located.ts'
import { POLICY_FILE, type PolicyFile } from './schema.ts'
import type { LocatedText } from './yamlReader.ts'

/** As much of the file as has the right shape, so that what names mean can be checked even beside a mistake. */
export interface Shape {
  /** Absent when too little is left. */
  readonly file?: PolicyFile
  readonly faults: readonly Fault[]
  /** Index in the text of each need that `file` holds. */
  readonly needIndexes: readonly number[]
  /** Names of entries that were left out: references to them are not unknown. */
  readonly broken: ReadonlySet<string>
}

export function readShape(text: LocatedText): Shape {
  const value = valueOf(text.root)
  const whole = POLICY_FILE.safeParse(value)
  if (whole.success) return { file: whole.data, faults: [], needIndexes: (whole.data.needs ?? []).map((_, index) => index), broken: new Set() }
  const shapeFaults = whole.error.issues.flatMap((issue) => describeIssue(issue, value, text))
  const faults = shapeFaults.map(({ fault }) => fault)
  const broken = new Set<string>()
  // First only what can be missing is taken out, so that the rest of its entry is still checked; then whole entries.
  for (const { path } of shapeFaults) if (!fillIn(value, path)) cutOptional(value, path, broken)
  const left = POLICY_FILE.safeParse(value)
  const needIndexes = cutEntries(value, (left.error?.issues ?? []).flatMap((issue) => describeIssue(issue, value, text)).map(({ path }) => path), broken)
  const rest = POLICY_FILE.safeParse(value)
  return { ...(rest.success && { file: rest.data }), faults, needIndexes, broken }
}

/** What stands in for words of a need that are missing or wrong, so that its names are checked all the same. The file is refused anyway. */
const FILLERS: Readonly<Record<string, string>> = { owner: '-', because: '-', review: '9999-12-31' }

function fillIn(value: unknown, [section, index, key, ...more]: Path): boolean {
  const filler = FILLERS[String(key)]
  const needs = section === 'needs' && isRecord(value) && Array.isArray(value.needs) ? value.needs : []
  const need: unknown = typeof index === 'number' ? needs[index] : undefined
  if (filler === undefined || more.length > 0 || !isRecord(need)) return false
  need[String(key)] = filler
  return true
}

/** Takes out the innermost value around a fault that a file can do without. `broken` gets its path, words joined by blanks. */
function cutOptional(value: unknown, path: Path, broken: Set<string>): void {
  for (let length = path.length; length > 1 || length === path.length; length -= 1) {
    const part = path.slice(0, length)
    if (typeof part.at(-1) === 'number' || !isOptional(part)) continue
    broken.add(part.join(' '))
    remove(value, part)
    return
  }
}

/** How deep in the file the entry is that stands or falls as one with what the path names. */
const entryDepth = ([section, second]: Path): number => (section === 'fleet' && second === 'hosts' ? 3 : 2)

/** Takes out whole entries; `broken` gets `zones office` and the like. Gives the indexes of the needs that stay. */
function cutEntries(value: unknown, paths: readonly Path[], broken: Set<string>): number[] {
  if (!isRecord(value)) return []
  const badNeeds = new Set<number>()
  for (const path of paths) {
    const [section, second] = path
    const entry = path.slice(0, entryDepth(path))
    if (section === 'needs' && typeof second === 'number') badNeeds.add(second)
    else remove(value, entry)
    broken.add(entry.join(' '))
  }
  value.version = 1
  if (!isRecord(value.fleet) || !isRecord(value.fleet.hosts)) value.fleet = { hosts: {} }
  const needs = Array.isArray(value.needs) ? value.needs : []
  const kept = needs.flatMap((_, index) => (badNeeds.has(index) ? [] : [index]))
  if (Array.isArray(value.needs)) value.needs = kept.map((index): unknown => needs[index])
  return kept
}

function remove(value: unknown, path: Path): void {
  let around: unknown = value
  for (const step of path.slice(0, -1)) around = isRecord(around) || Array.isArray(around) ? (around as Record<string | number, unknown>)[step] : undefined
  if (isRecord(around)) delete around[String(path.at(-1))]
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value)
