import { describe, expect, test } from 'vitest'
import { ARROWS, CORE_ORDER } from './arrows.ts'
import { readSources } from './source.ts'

const sources = readSources()
const production = sources.filter((source) => !source.isTest)
const OWN = new Set(['core', 'engine', 'adapters', 'app', 'console', 'sim', 'lab', 'bench', 'fuzz'])

const roomOf = (path: string): string => {
  const [workspace = '', folder = ''] = path.split('/')
  return workspace === 'core' ? `core/${folder}` : workspace
}
const isOwn = (path: string): boolean => OWN.has(path.split('/')[0] ?? '')

const crossings = production.flatMap((source) =>
  source.imports
    .filter((target) => isOwn(target) && roomOf(target) !== roomOf(source.path))
    .map((target) => ({ from: roomOf(source.path), to: roomOf(target), text: `${source.path} → ${target}` })),
)

describe('import arrows', () => {
  test('every import that leaves its room is a listed arrow', () => {
    const unlisted = crossings.filter((crossing) => !ARROWS.some((arrow) => arrow.from === crossing.from && arrow.to === crossing.to))
    expect(unlisted.map((crossing) => crossing.text)).toEqual([])
  })

  test.each(ARROWS.map((arrow) => [`${arrow.from} → ${arrow.to}`, arrow] as const))('%s is still used', (_, arrow) => {
    expect(crossings.some((crossing) => crossing.from === arrow.from && crossing.to === arrow.to)).toBe(true)
  })

  test('inside core, arrows point to the left only', () => {
    const place = (room: string): number => CORE_ORDER.findIndex((name) => name === room)
    const backwards = ARROWS.filter((arrow) => arrow.from.startsWith('core/') && place(arrow.to) >= place(arrow.from))
    expect(backwards).toEqual([])
  })
})

describe('purity', () => {
  const pure = production.filter((source) => /^(?:core|engine)\//.test(source.path))

  test('core and engine have no runtime dependency', () => {
    const foreign = pure.flatMap((source) => source.imports.filter((target) => !isOwn(target)).map((target) => `${source.path} → ${target}`))
    expect(foreign).toEqual([])
  })

  test('core and engine read no clock and roll no dice', () => {
    expect(pure.flatMap((source) => source.ambient.map((read) => `${source.path}:${read}`))).toEqual([])
  })
})

describe('names', () => {
  test('no file or folder is called utils, common, helpers or misc', () => {
    expect(sources.filter((source) => /(?:^|\/)(?:utils?|common|helpers?|misc)(?:\/|\.|-)/i.test(source.path)).map((source) => source.path)).toEqual([])
  })
})

/** Ratchet: these may shrink, never grow. Aim: p50 ≤ 10, p90 ≤ 35, hard limit 70 lines. */
const LINES_MAX = 70
const LINES_P90_MAX = 35
const LINES_P50_MAX = 10

describe('function sizes', () => {
  const functions = production.flatMap((source) => source.functions.map((item) => ({ ...item, at: `${source.path}:${item.line} ${item.name}` })))
  const lengths = functions.map((item) => item.lines).toSorted((a, b) => a - b)
  const percentile = (share: number): number => lengths[Math.floor(lengths.length * share)] ?? 0

  test(`none is longer than ${LINES_MAX} lines`, () => {
    expect(functions.filter((item) => item.lines > LINES_MAX).map((item) => `${item.at}: ${item.lines}`)).toEqual([])
  })

  test('the median and the ninetieth percentile hold', () => {
    expect(percentile(0.5)).toBeLessThanOrEqual(LINES_P50_MAX)
    expect(percentile(0.9)).toBeLessThanOrEqual(LINES_P90_MAX)
  })
})
