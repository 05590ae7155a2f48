import { describe, expect, test } from 'vitest'
import { playSeed, scoreOf, type Outcome } from './usageScore.ts'
import { USAGE_SCENARIOS } from './usageScenario.ts'

const SEEDS = 200
const outcomes = Array.from({ length: SEEDS }, (_, seed) => playSeed(seed)).flat()
const told = ({ seed, scenario, truth, verdict, recommendation }: Outcome): string => `seed ${seed}, ${scenario}, ${truth.protocol} ${truth.port}: ${verdict} ${recommendation?.reasons.map(({ code, points }) => `${code} ${points}`).join(' ') ?? ''}`

describe(`${SEEDS} fleets watched for 90 days`, () => {
  test.each(USAGE_SCENARIOS.map(({ name }) => name))('%s: nothing that is needed is closed, and nobody who comes tomorrow is left out', (name) => {
    const { wronglyClosed, narrow } = scoreOf(outcomes.filter(({ scenario }) => scenario === name))
    expect([...wronglyClosed, ...narrow].map(told)).toEqual([])
  })

  // What can only be asked: a job seen once, a port that moves, clients without a network, a quarter's end that fell outside the watch.
  test.each<[name: string, askedShareMax: number, deadKeptShareMax: number]>([
    ['ordinary services', 0, 0],
    ['month-end SFTP', 0.02, 0],
    ['quarterly job', 1, 0],
    ['UDP tags, silent at night', 0, 0],
    ['feed in trading hours', 0.02, 0],
    ['backup host that changed address', 0.02, 0],
    ['decommissioned service', 0.15, 0],
    ['listeners that nobody uses', 0.2, 0],
    ['scanner noise', 0.15, 0],
    ['DHCP clients', 0.02, 0],
    ['FTP passive range', 0.05, 0],
    ['NFS and RPC dynamic ports', 0.5, 0],
    ['multicast', 0.02, 0],
  ])('%s: questions and dead endpoints stay within bounds', (name, askedShareMax, deadKeptShareMax) => {
    const score = scoreOf(outcomes.filter(({ scenario }) => scenario === name))
    expect(score.asked.length / score.endpoints).toBeLessThanOrEqual(askedShareMax)
    expect(score.deadKept.length / Math.max(1, score.dead)).toBeLessThanOrEqual(deadKeptShareMax)
  })
})

test('of all endpoints, at most a tenth is asked about', () => {
  const { asked, endpoints } = scoreOf(outcomes)
  expect(asked.length / endpoints).toBeLessThanOrEqual(0.1)
})

describe('thin evidence closes nothing that is needed', () => {
  test.each([3, 7, 14, 30, 60])('%i days', (days) => {
    const { wronglyClosed } = scoreOf(Array.from({ length: 30 }, (_, seed) => playSeed(seed, days)).flat().filter(({ truth }) => truth.truth === 'needed'))
    expect(wronglyClosed.filter(({ verdict }) => verdict === 'close').map(told)).toEqual([])
  })
})
