import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { MUTATIONS } from './mutations.ts'
import { ROLLOUT_PROMISES } from './promises.ts'
import { runRollout } from './rolloutRun.ts'
import { drawScenario, drawWatched, type Scenario } from './scenario.ts'

/** How many rollouts are simulated: enough for every change here; a night has time for more. */
const ROLLOUTS = Number(process.env.PORTCULLIS_SIM_ROLLOUTS ?? 1000)
const FIRST_SEED = Number(process.env.PORTCULLIS_SIM_SEED ?? 1)
const PER_TEST = 250
const PATIENCE_MS = 60_000 + ROLLOUTS * 100

const KEPT = JSON.parse(readFileSync(new URL('seeds/rollouts.json', import.meta.url), 'utf8')) as readonly { seed: number; size?: number; because: string }[]

const DRAWN = drawWatched(1, 6)
/** Nothing fails. */
const CALM: Scenario = { ...DRAWN, options: { ...DRAWN.options, outageSecondsMax: 60 }, broken: [], controllers: 1, kills: [], outages: [], absences: [], blind: [], alertFailures: [], commands: [], clockJumps: [], lostPerMille: 0 }

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

test('logging in to hosts that takes longer than the pause rests as long as it took', async () => {
  const rounds: { begun: number; ended: number }[] = []
  await runRollout(CALM, {
    bendGates: (gates, clock) => ({
      sample: async (gate, window, signal) => {
        if (gate.measure.kind !== 'liveness') return gates.sample(gate, window, signal)
        const begun = clock.now()
        await clock.sleep(2 * CALM.options.sampleSeconds * 1000)
        const reading = await gates.sample(gate, window, signal)
        rounds.push({ begun, ended: clock.now() })
        return reading
      },
    }),
  })
  expect(rounds.length).toBeGreaterThan(3)
  for (const [index, { begun, ended }] of rounds.slice(0, -1).entries()) expect((rounds[index + 1]?.begun ?? 0) - ended).toBeGreaterThanOrEqual(ended - begun)
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
