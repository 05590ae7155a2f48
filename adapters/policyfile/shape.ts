import type { Fault } from '@portcullis/core/fault/fault.ts'
import { describeIssue } from './issue.ts'
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
  const needIndexes = prune(value, shapeFaults.map(({ path }) => path), broken)
  const rest = POLICY_FILE.safeParse(value)
  return { ...(rest.success && { file: rest.data }), faults, needIndexes, broken }
}

/** How deep in the file the entry is that stands or falls as one with what the path names. */
const entryDepth = ([section, second]: Path): number => (section === 'fleet' && second === 'hosts' ? 3 : 2)

/** Takes the faulty entries out of the value; `broken` gets `zones office` and the like. Gives the indexes of the needs that stay. */
function prune(value: unknown, paths: readonly Path[], broken: Set<string>): number[] {
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

function remove(value: Record<string, unknown>, path: Path): void {
  let around: unknown = value
  for (const step of path.slice(0, -1)) around = isRecord(around) ? around[step] : undefined
  if (isRecord(around)) delete around[String(path.at(-1))]
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value)
