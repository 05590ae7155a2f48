import { cpus } from 'node:os'
import { spreadOf, type Spread } from '../measure/spread.ts'
import type { Contender } from './contender.ts'
import { holdProcessor } from '../cable/thread.ts'
import type { Workload } from './workload.ts'

/** One contender under one kind of traffic. */
export interface Reading {
  readonly contender: string
  readonly workload: string
  readonly nanoseconds: Spread
  /** Against each base, round by round, so that what slows a whole round cancels out. */
  readonly ratios: Readonly<Record<string, Spread>>
}

/** Measures all contenders in turn, round after round, beginning with another one each time; the first round only warms up. */
export async function measure(workload: Workload, contenders: readonly Contender[], rounds: number, bases: readonly string[]): Promise<Reading[]> {
  const times = new Map<string, number[]>(contenders.map(({ variant }) => [variant.name, []]))
  // The last one: interrupts of devices go to the first by default.
  const release = holdProcessor(cpus().length - 1)
  try {
    for (let round = 0; round <= rounds; round += 1) {
      for (const contender of rotated(contenders, round)) {
        const nanoseconds = await workload.round(contender)
        if (round > 0) times.get(contender.variant.name)?.push(nanoseconds)
      }
    }
  } finally {
    release()
    for (const contender of contenders) workload.end(contender)
  }
  return [...times].map(([contender, own]) => ({
    contender,
    workload: workload.name,
    nanoseconds: spreadOf(own),
    ratios: Object.fromEntries(bases.map((base) => [base, ratioOf(own, times.get(base) ?? [])])),
  }))
}

const ratioOf = (own: readonly number[], base: readonly number[]): Spread => spreadOf(own.map((time, round) => time / (base[round] ?? Number.NaN)))

function rotated<T>(all: readonly T[], by: number): T[] {
  const at = by % all.length
  return [...all.slice(at), ...all.slice(0, at)]
}
