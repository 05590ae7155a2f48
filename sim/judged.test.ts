import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { WATCHED_WITHIN_MS } from '@portcullis/core/rollout/watchRound.ts'
import { runRollout, type RunReport } from './rolloutRun.ts'
import { drawEnding, drawJudged, drawSetBack, drawWatched, type Scenario } from './scenario.ts'

/**
 * Rollouts whose gates bring samples that the product's own judge judges, rollouts that cut flows, rollouts whose hosts are
 * logged in to, and rollouts whose controller comes back to a clock that was set back by a day. They take longer than others, so that there are fewer of them here; a night has time for more, and for a thousand hosts each.
 */
const ROLLOUTS = Number(process.env.PORTCULLIS_SIM_JUDGED ?? 50)
const FIRST_SEED = Number(process.env.PORTCULLIS_SIM_SEED ?? 1)
/** Of a fleet of a thousand hosts, in each kind. */
const LARGE = Number(process.env.PORTCULLIS_SIM_LARGE ?? 0)
const PER_TEST = 10
const PATIENCE_MS = 120_000 + (ROLLOUTS + 20 * LARGE) * 1000

const DRAW: Readonly<Record<string, (seed: number, size?: number) => Scenario>> = { judged: drawJudged, ending: drawEnding, watched: drawWatched, 'set back': drawSetBack }
const KINDS = Object.keys(DRAW)
const KEPT = JSON.parse(readFileSync(new URL('seeds/judged.json', import.meta.url), 'utf8')) as readonly { kind: string; seed: number; size?: number; because: string }[]

const brokenBy = async (kind: string, seed: number, size?: number): Promise<object> => {
  const draw = DRAW[kind]
  if (!draw) throw new RangeError(kind)
  return { kind, seed, broken: (await runRollout(draw(seed, size))).broken }
}

describe('every promise is kept', () => {
  test.each(KEPT)('$kind, seed $seed: $because', async ({ kind, seed, size }) => {
    expect(await brokenBy(kind, seed, size)).toEqual({ kind, seed, broken: [] })
  }, PATIENCE_MS)

  const starts = Array.from({ length: Math.ceil(ROLLOUTS / PER_TEST) }, (_, index) => FIRST_SEED + index * PER_TEST)
  test.each(KINDS.flatMap((kind) => starts.map((first) => [kind, first] as const)))('%s: %i and the seeds after it', async (kind, first) => {
    for (let seed = first; seed < Math.min(first + PER_TEST, FIRST_SEED + ROLLOUTS); seed++) expect(await brokenBy(kind, seed)).toEqual({ kind, seed, broken: [] })
  }, PATIENCE_MS)

  test.each([...KINDS.map((kind) => [kind, 200_001, 200] as const), ...KINDS.flatMap((kind) => Array.from({ length: LARGE }, (_, index) => [kind, 300_001 + index, 1000] as const))])('%s, seed %i, %i hosts', async (kind, seed, size) => {
    expect(await brokenBy(kind, seed, size)).toEqual({ kind, seed, broken: [] })
  }, PATIENCE_MS)
})

test('what is slower by its new rules is put back, and what is not is completed', async () => {
  const ends = await Promise.all([[4, 3], [4, undefined]].map(async ([seed = 0, slowness]) => {
    const drawn = drawJudged(seed)
    const calm = { ...drawn, kills: [], outages: [], absences: [], blind: [], clockJumps: [], commands: [], lostPerMille: 0, coreShare: 0, broken: slowness === undefined ? [] : [0] }
    return (await runRollout({ ...calm, judged: { failsPerMille: 0, ...(slowness === undefined ? {} : { slowness }) } })).state.outcome
  }))
  expect(ends).toEqual(['reverted', 'completed'])
}, PATIENCE_MS)

/** Its third wave has more hosts than could be judged if only so many samples were looked at as a small fleet brings. */
test('a fleet of a thousand hosts whose service is timed is completed', async () => {
  const drawn = drawJudged(4, 1000)
  const calm = { ...drawn, apps: 1000, controllers: 1, kills: [], outages: [], absences: [], blind: [], clockJumps: [], commands: [], alertFailures: [], lostPerMille: 0, coreShare: 0, broken: [] }
  const { state, broken } = await runRollout({ ...calm, options: { ...drawn.options, concurrencyMax: 256 }, judged: { failsPerMille: 0 } })
  expect({ outcome: state.outcome, broken }).toEqual({ outcome: 'completed', broken: [] })
}, PATIENCE_MS)

function firstChanged({ events }: RunReport): { readonly host: number; readonly at: number } {
  for (const event of events) if (event.kind === 'signal' && event.signal.kind === 'applied' && event.signal.result === 'changed') return { host: Number(event.signal.host.slice('host-'.length)), at: event.signal.at }
  throw new RangeError('nothing was changed')
}

/** Two travels of a login and of its answer, at most. */
const LOGIN_MS_MAX = 1_000

/** From the moment on which a changed host is silent: the limit, the time in which each is asked again, two rounds, and the way of an answer. */
test.each(Array.from({ length: 20 }, (_, index) => index + 1))('a changed host that lets nobody in has everything put back within the limit: seed %i', async (seed) => {
  const drawn = drawWatched(seed)
  const calm = { ...drawn, controllers: 1, kills: [], outages: [], blind: [], clockJumps: [], commands: [], alertFailures: [], lostPerMille: 0, coreShare: 0, broken: [] }
  const untouched = await runRollout({ ...calm, absences: [] })
  const { host, at } = firstChanged(untouched)
  const fromMs = at - untouched.state.begun + 1_000
  const { state, broken } = await runRollout({ ...calm, absences: [{ fromMs, untilMs: fromMs + 200_000, host, isBooted: false }] })
  expect({ untouched: untouched.state.outcome, outcome: state.outcome, broken }).toEqual({ untouched: 'completed', outcome: 'reverted', broken: [] })
  // The judge may be sure before the limit is reached.
  expect(['outage', 'gate']).toContain(state.trip?.cause)
  const seenMs = (state.trip?.at ?? 0) - state.begun - fromMs
  expect(seenMs).toBeLessThan(drawn.options.outageSecondsMax * 1000 + WATCHED_WITHIN_MS + 2 * drawn.options.sampleSeconds * 1000 + LOGIN_MS_MAX)
}, PATIENCE_MS)
