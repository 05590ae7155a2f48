import fc from 'fast-check'
import { expect, test } from 'vitest'
import { CLOSED, OPEN, REFUSED, SILENT, UNTOLD } from './answer.ts'
import { portOrder } from './portOrder.ts'
import { passesFor, SweepTarget } from './sweepTarget.ts'

interface World {
  /** What each port would answer; SILENT for none. */
  readonly truth: readonly number[]
  /** Of probes and answers together. */
  readonly lossShare: number
  readonly roundTripMs: number
  readonly passesMin?: number
}

/** A small reproducible generator (mulberry32), so that a failing case can be run again. */
function dice(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** Plays one target against a network with this loss, in virtual time, one millisecond a step. */
function play(world: World, seed: number, rateMs = 500): { target: SweepTarget; nowMs: number; probes: number } {
  const random = dice(seed)
  const cells = new Uint8Array(world.truth.length)
  const target = new SweepTarget(
    {
      address: { family: 4, value: 1n },
      order: portOrder(cells.length, random),
      path: { roundTripMs: undefined },
      key0: 0,
      key1: 0,
      segmentSum: 0,
      headOffset: 0,
      headBytes: 34,
      passesMin: world.passesMin ?? 2,
      cells,
    },
    0,
  )
  const onTheWay: { atMs: number; position: number; channel: number }[] = []
  let nowMs = 0
  for (; target.phase !== 'done' && nowMs < 600_000; nowMs += 1) {
    for (let asked = Math.min(rateMs, target.allowance()); asked > 0; asked--) {
      const control = target.nextControl(nowMs)
      const position = control < 0 ? target.next(nowMs) : target.controlPosition
      if (position < 0) break
      const isLost = random() < world.lossShare || world.truth[position] === SILENT
      if (!isLost) onTheWay.push({ atMs: nowMs + world.roundTripMs, position, channel: control < 0 ? target.pass : control })
    }
    while (onTheWay[0] && onTheWay[0].atMs <= nowMs) {
      const answer = onTheWay.shift()
      if (answer) target.take(answer.position, world.truth[answer.position] ?? SILENT, answer.channel, nowMs)
    }
    target.tick(nowMs)
  }
  return { target, nowMs, probes: target.probesSent }
}

const scattered = (size: number, usual: number, special: number, every: number): number[] =>
  Array.from({ length: size }, (_, port) => (port % every === 7 ? special : usual))

const WORLDS: readonly [name: string, world: World][] = [
  ['answers, no loss', { truth: scattered(3000, CLOSED, OPEN, 60), lossShare: 0, roundTripMs: 1 }],
  ['answers, 2 % lost', { truth: scattered(3000, CLOSED, OPEN, 60), lossShare: 0.02, roundTripMs: 1 }],
  ['answers, 2 % lost, far away', { truth: scattered(3000, CLOSED, OPEN, 60), lossShare: 0.02, roundTripMs: 180 }],
  ['drops, no loss', { truth: scattered(3000, SILENT, OPEN, 60), lossShare: 0, roundTripMs: 1 }],
  ['drops, 2 % lost', { truth: scattered(3000, SILENT, OPEN, 60), lossShare: 0.02, roundTripMs: 1 }],
  ['drops, 2 % lost, far away', { truth: scattered(3000, SILENT, OPEN, 60), lossShare: 0.02, roundTripMs: 180 }],
  ['half of the ports drop, 2 % lost', { truth: Array.from({ length: 3000 }, (_, port) => (port < 1500 ? SILENT : CLOSED)), lossShare: 0.02, roundTripMs: 5 }],
  ['refuses by ICMP', { truth: scattered(3000, REFUSED, OPEN, 60), lossShare: 0, roundTripMs: 1 }],
  ['one port only', { truth: [OPEN], lossShare: 0, roundTripMs: 1 }],
]

test.each(WORLDS)('%s: nothing missed, nothing invented', (_, world) => {
  const missed = Array.from({ length: 4 }, (_, seed) => {
    const { target } = play(world, seed)
    expect(target.phase).toBe('done')
    expect(target.isLossy).toBe(false)
    for (const [port, cell] of target.cells.entries()) if (cell !== world.truth[port]) expect(cell).toBe(SILENT)
    return target.cells.filter((cell, port) => cell !== world.truth[port]).length
  })
  expect(missed).toEqual([0, 0, 0, 0])
})

test('whatever the world, an answer is never invented and never changed', () => {
  const world = fc.record({
    truth: fc.array(fc.constantFrom(OPEN, CLOSED, REFUSED, SILENT), { minLength: 1, maxLength: 700 }),
    lossShare: fc.double({ min: 0, max: 1, noNaN: true }),
    roundTripMs: fc.integer({ min: 0, max: 300 }),
  })
  fc.assert(
    fc.property(world, fc.nat(), (one, seed) => {
      const { target } = play(one, seed)
      expect(target.phase).toBe('done')
      for (const [port, cell] of target.cells.entries()) expect([one.truth[port], SILENT, UNTOLD]).toContain(cell)
    }),
    { numRuns: 60 },
  )
})

test('where half of everything is lost, silence is unknown, not filtered', () => {
  const { target } = play({ truth: scattered(3000, SILENT, OPEN, 60), lossShare: 0.6, roundTripMs: 1 }, 1)
  expect(target.isLossy).toBe(true)
  expect(target.cells.includes(SILENT)).toBe(false)
})

test('a silent target costs two rounds, one where the caller vouches for the link, and no more', () => {
  const silent = { truth: scattered(3000, SILENT, SILENT, 60), lossShare: 0, roundTripMs: 1 }
  expect(play(silent, 1).probes).toBe(6000)
  expect(play({ ...silent, passesMin: 1 }, 1).probes).toBe(3000)
})

test.each([
  [0, 2, 2],
  [0.02, 2, 3],
  [0.2, 3, 6],
  [0.5, 3, 14],
  [1, 2, Number.POSITIVE_INFINITY],
])('%d lost, at least %i rounds: %d', (lossShare, least, expected) => {
  expect(passesFor(lossShare, least)).toBe(expected)
})
