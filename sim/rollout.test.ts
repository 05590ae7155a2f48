import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { MUTATIONS } from './mutations.ts'
import { ROLLOUT_PROMISES } from './promises.ts'
import { runRollout } from './rolloutRun.ts'
import { drawScenario } from './scenario.ts'

/** How many rollouts are simulated: enough for every change here; a night has time for more. */
const ROLLOUTS = Number(process.env.PORTCULLIS_SIM_ROLLOUTS ?? 1000)
const FIRST_SEED = Number(process.env.PORTCULLIS_SIM_SEED ?? 1)
const PER_TEST = 250
const PATIENCE_MS = 60_000 + ROLLOUTS * 100

const KEPT = JSON.parse(readFileSync(new URL('seeds/rollouts.json', import.meta.url), 'utf8')) as readonly { seed: number; size?: number; because: string }[]

describe('simulated rollouts keep every promise', () => {
  test.each(KEPT)('seed $seed: $because', async ({ seed, size }) => {
    expect(await brokenBy(seed, size)).toEqual([])
  }, PATIENCE_MS)

  test.each(Array.from({ length: Math.ceil(ROLLOUTS / PER_TEST) }, (_, index) => FIRST_SEED + index * PER_TEST))('%i and the seeds after it', async (first) => {
    for (let seed = first; seed < Math.min(first + PER_TEST, FIRST_SEED + ROLLOUTS); seed++) expect({ seed, broken: await brokenBy(seed) }).toEqual({ seed, broken: [] })
  }, PATIENCE_MS)

  test.each([[100_001, 300], [100_002, 1000]])('seed %i, %i hosts', async (seed, size) => {
    expect(await brokenBy(seed, size)).toEqual([])
  }, PATIENCE_MS)

  test('the same seed is the same story', async () => {
    const [one, two] = [await runRollout(drawScenario(7)), await runRollout(drawScenario(7))]
    expect(one.events).toEqual(two.events)
    expect(one.events.length).toBeGreaterThan(10)
  }, PATIENCE_MS)
})

describe('each promise is held by code', () => {
  test('and each has its mutation', () => {
    expect([...new Set(MUTATIONS.map(({ promise }) => promise))]).toEqual([...ROLLOUT_PROMISES])
  })

  test.each(MUTATIONS)('$promise: not without $without', async ({ promise, seed, pieces, draw = drawScenario }) => {
    const { broken } = await runRollout(draw(seed), pieces)
    expect(broken.map((one) => one.promise)).toContain(promise)
    expect((await runRollout(draw(seed))).broken).toEqual([])
  }, PATIENCE_MS)
})

const brokenBy = async (seed: number, size?: number): Promise<readonly unknown[]> => (await runRollout(drawScenario(seed, size))).broken
