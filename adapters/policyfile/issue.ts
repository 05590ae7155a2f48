import { z } from 'zod'
import type { Fault, Place, Text } from '@portcullis/core/fault/fault.ts'
import { nearest } from '@portcullis/core/policy/nearest.ts'
import { offsetOf, type Path } from './located.ts'
import { HINTS, POLICY_FILE } from './schema.ts'
import type { LocatedText } from './yamlReader.ts'

type Issue = z.core.$ZodIssue

/** Where a shape fault stands and what it says. One for each unknown key. */
export interface ShapeFault {
  readonly path: Path
  readonly fault: Fault
}

export function describeIssue(issue: Issue, value: unknown, text: LocatedText): ShapeFault[] {
  const path = issue.path as Path
  const written = valueAt(value, path)
  if (issue.code === 'invalid_union') {
    const inner = fittingBranch(issue)
    if (inner) return inner.flatMap((part) => describeIssue({ ...part, path: [...path, ...part.path] }, value, text))
  }
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => unknownKey(key, path, text))
  if (issue.code === 'invalid_key') return [badName(path, text)]
  if (written === undefined) return [missingKey(path, text)]
  return [wrongValue(issue, path, written, text)]
}

/** Of the ways a value may be written, the one it was meant as: the one whose outermost type fits. */
function fittingBranch(issue: Issue & { code: 'invalid_union' }): readonly Issue[] | undefined {
  return issue.errors.find((branch) => {
    const [first] = branch
    return branch.length > 0 && first !== undefined && !(first.path.length === 0 && isTypeMismatch(first))
  })
}

const isTypeMismatch = (issue: Issue): boolean =>
  issue.code === 'invalid_type' || issue.code === 'invalid_value' || issue.code === 'invalid_union'

function unknownKey(key: string, path: Path, text: LocatedText): ShapeFault {
  const known = keysOf(schemaAt(path))
  const guess = nearest(key, known)
  const next: Text = guess
    ? { en: `did you mean "${guess}"?`, zh: `是否想写“${guess}”？` }
    : { en: `known here: ${known.join(', ')}`, zh: `此处可用的键：${known.join('、')}` }
  const what = { en: `"${key}" is not known ${inside(path).en}`, zh: `${inside(path).zh}没有“${key}”这个键` }
  return shapeFault('POLICY_UNKNOWN_KEY', what, next, [...path, key], placeAt(text, [...path, key], 'key'))
}

function badName(path: Path, text: LocatedText): ShapeFault {
  const key = String(path.at(-1))
  const hint = hintOf(keySchemaOf(schemaAt(path.slice(0, -1))))
  const what = { en: `"${key}" cannot be a name`, zh: `“${key}”不能用作名称` }
  return shapeFault('POLICY_NAME', what, hint, path, placeAt(text, path, 'key'))
}

function missingKey(path: Path, text: LocatedText): ShapeFault {
  const key = String(path.at(-1))
  const around = path.slice(0, -1)
  const what = { en: `"${key}" is missing ${inside(around).en}`, zh: `${inside(around).zh}缺少“${key}”` }
  return shapeFault('POLICY_MISSING_KEY', what, hintOf(schemaAt(path)), path, placeAt(text, around, 'key'))
}

function wrongValue(issue: Issue, path: Path, written: unknown, text: LocatedText): ShapeFault {
  const schema = schemaAt(path)
  const guess = issue.code === 'invalid_value' && typeof written === 'string' ? nearest(written, issue.values.map(String)) : undefined
  const next = guess ? { en: `did you mean "${guess}"?`, zh: `是否想写“${guess}”？` } : hintOf(schema)
  const isType = issue.code === 'invalid_type' || issue.code === 'invalid_union'
  const shown = show(written)
  const where = nameOf(path)
  const what = { en: `${shown.en} is not right for ${where.en}`, zh: `${where.zh}的值${shown.zh}不正确` }
  return shapeFault(isType ? 'POLICY_WRONG_TYPE' : 'POLICY_WRONG_VALUE', what, next, path, placeAt(text, path))
}

const shapeFault = (code: string, what: Text, next: Text | undefined, path: Path, place: Place): ShapeFault => ({
  path,
  fault: next ? { code, what, next, place } : { code, what, place },
})

const placeAt = (text: LocatedText, path: Path, what: 'key' | 'value' = 'value'): Place => text.placeAt(offsetOf(text.root, path, what))

function show(value: unknown): Text {
  if (value === null) return { en: 'nothing', zh: '（空）' }
  if (Array.isArray(value)) return value.length === 0 ? { en: 'an empty list', zh: '（空列表）' } : { en: 'a list', zh: '（列表）' }
  if (typeof value === 'object') return { en: 'a block of keys', zh: '（键值块）' }
  const short = `${value as string | number | boolean}`.slice(0, 64)
  return { en: `"${short}"`, zh: `“${short}”` }
}

function nameOf(path: Path): Text {
  const name = path.filter((step) => typeof step === 'string').at(-1)
  return name === undefined ? { en: 'the policy', zh: '策略文件' } : { en: `"${name}"`, zh: `“${name}”` }
}

function inside(path: Path): Text {
  if (path.length === 0) return { en: 'at the top of the policy', zh: '策略文件顶层' }
  const step = path.at(-1)
  if (typeof step === 'number') return { en: `in this entry of "${String(path.at(-2))}"`, zh: `“${String(path.at(-2))}”的此条目中` }
  return { en: `in "${step}"`, zh: `“${step}”中` }
}

function valueAt(value: unknown, path: Path): unknown {
  let at = value
  for (const step of path) {
    if (typeof at !== 'object' || at === null) return undefined
    at = (at as Record<string | number, unknown>)[step]
  }
  return at
}

/** Whether a file is complete without what stands at the path; what is not known at all is one such thing. */
export function isOptional(path: Path): boolean {
  const schema = schemaAt(path)
  return schema === undefined || schema instanceof z.ZodOptional
}

/** The schema of what may stand at a path; the object form where several are allowed and a key is asked for. */
function schemaAt(path: Path): z.ZodType | undefined {
  let schema: z.ZodType | undefined = POLICY_FILE
  for (const step of path) schema = schema && partOf(schema, step)
  return schema
}

function partOf(schema: z.ZodType, step: string | number): z.ZodType | undefined {
  const bare = unwrap(schema)
  if (bare instanceof z.ZodUnion) {
    for (const option of bare.options as z.ZodType[]) {
      const part = partOf(option, step)
      if (part) return part
    }
    return undefined
  }
  if (bare instanceof z.ZodObject) return bare.shape[String(step)] as z.ZodType | undefined
  if (bare instanceof z.ZodRecord) return bare.valueType as z.ZodType
  if (bare instanceof z.ZodArray && typeof step === 'number') return bare.element as z.ZodType
  return undefined
}

const unwrap = (schema: z.ZodType): z.ZodType => (schema instanceof z.ZodOptional ? (schema.unwrap() as z.ZodType) : schema)

const hintOf = (schema: z.ZodType | undefined): Text | undefined => schema && HINTS.get(unwrap(schema))

function keysOf(schema: z.ZodType | undefined): string[] {
  const bare = schema && unwrap(schema)
  if (bare instanceof z.ZodObject) return Object.keys(bare.shape)
  if (bare instanceof z.ZodUnion) return (bare.options as z.ZodType[]).flatMap(keysOf)
  return []
}

function keySchemaOf(schema: z.ZodType | undefined): z.ZodType | undefined {
  const bare = schema && unwrap(schema)
  if (bare instanceof z.ZodRecord) return bare.keyType as unknown as z.ZodType
  return bare instanceof z.ZodUnion ? (bare.options as z.ZodType[]).map(keySchemaOf).find((found) => found !== undefined) : undefined
}
