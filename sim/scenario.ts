import type { Random } from '@portcullis/engine/ports.ts'
import type { Command, RolloutOptions } from '@portcullis/core/rollout/rollout.ts'
import { ROLLOUT_DEFAULTS } from '@portcullis/core/rollout/rollout.ts'
import type { FlowEnd } from '@portcullis/core/policy/policy.ts'
import { simRandom } from './random.ts'

/** Everything that chance decides about one simulated rollout, drawn before it begins, so that a seed is a story that can be read. */
export interface Scenario {
  readonly seed: number
  readonly hosts: number
  readonly apps: number
  readonly coreShare: number
  /** Applications whose need the policy leaves out: their service stops where the new rules are. */
  readonly broken: readonly number[]
  readonly options: RolloutOptions
  readonly controllers: number
  readonly kills: readonly Kill[]
  readonly outages: readonly Window[]
  /** Hosts that do not answer; `isBooted`: the host starts again. */
  readonly absences: readonly (Window & { readonly host: number; readonly isBooted: boolean })[]
  /** Gates that bring no data. */
  readonly blind: readonly Window[]
  readonly alertFailures: readonly Window[]
  readonly commands: readonly { readonly atMs: number; readonly command: Command }[]
  readonly clockJumps: readonly { readonly atMs: number; readonly byMs: number }[]
  readonly latencyMsMax: number
  /** Gates give samples with values, of changed and unchanged hosts, and the judge of the product judges them. */
  readonly judged?: Judged
  /** Each host has a flow that no rules let in. */
  readonly ending?: FlowEnd
  /** The product's own watch logs in to the hosts, and one that stays silent is an outage. */
  readonly isWatched?: boolean
  /** How many of 1,000 calls to a host are lost, before or after they were done. */
  readonly lostPerMille: number
}

export interface Judged {
  /**
   * Of the broken applications: the service is not shut out, it only takes so many times longer. So much more than the
   * minimal effect, with all noise, that chance has no part in it and none of the judge's 5 % is needed.
   */
  readonly slowness?: number
  /** How many of 1,000 measurings of a sound service fail. */
  readonly failsPerMille: number
}

export interface Window {
  readonly fromMs: number
  readonly untilMs: number
}

/** `pausedMs`: the process stands still that long and goes on as if nothing had been; without it it is killed, and started again after `downMs`. */
export interface Kill {
  readonly controller: number
  readonly atMs: number
  readonly downMs: number
  readonly isPause: boolean
}

/** A day: a wrong year behaves no worse. */
const CLOCK_JUMP_MS_MAX = 86_400_000
/** Chaos is over by then, so that what is to happen has time to happen. */
export const CHAOS_MS = 240_000

export function drawScenario(seed: number, size?: number): Scenario {
  const random = simRandom(seed)
  const isCalm = random.next() < 0.25
  const hosts = size ?? drawSize(random)
  const many = (max: number): number => (isCalm ? 0 : whole(random, 0, max))
  const controllers = whole(random, 1, 3)
  return {
    seed,
    hosts,
    apps: whole(random, 1, Math.max(1, Math.ceil(hosts / 3))),
    coreShare: random.next() < 0.5 ? 0 : random.next() * 0.4,
    broken: random.next() < 0.5 ? [] : [whole(random, 0, 9)],
    options: drawOptions(random),
    controllers,
    kills: list(many(4), () => ({ controller: whole(random, 0, controllers - 1), atMs: whole(random, 0, CHAOS_MS), downMs: whole(random, 100, 40_000), isPause: random.next() < 0.4 })),
    outages: list(many(2), () => drawWindow(random, 20_000)),
    absences: list(many(4), () => ({ ...drawWindow(random, 60_000), host: whole(random, 0, hosts - 1), isBooted: random.next() < 0.5 })),
    blind: list(many(2), () => drawWindow(random, 60_000)),
    alertFailures: list(many(2), () => drawWindow(random, 30_000)),
    commands: random.next() < 0.7 ? [] : list(whole(random, 1, 2), () => ({ atMs: whole(random, 0, CHAOS_MS), command: pick(random, ['pause', 'abort', 'rollback', 'promote', 'approve'] as const) })),
    clockJumps: list(many(1), () => ({ atMs: whole(random, 0, CHAOS_MS), byMs: whole(random, -CLOCK_JUMP_MS_MAX, CLOCK_JUMP_MS_MAX) })),
    latencyMsMax: whole(random, 5, 200),
    lostPerMille: many(30),
  }
}

/** The same story, measured by samples and judged by statistics. Of a stream of its own, so that the story stays the same. */
export function drawJudged(seed: number, size?: number): Scenario {
  const random = simRandom(seed ^ 0x10d6e)
  const scenario = drawScenario(seed, size)
  const judged: Judged = { failsPerMille: pick(random, [0, 0, 5]), ...(random.next() < 0.5 ? { slowness: pick(random, [3, 5]) } : {}) }
  return { ...scenario, options: { ...scenario.options, sampleSeconds: 5, revertScope: 'all' }, judged }
}

/** The same story with hosts that are logged in to. */
export const drawWatched = (seed: number, size?: number): Scenario => ({ ...drawScenario(seed, size), isWatched: true })

/** The same story of one controller, whose clock is set back by a day while it is away. */
export function drawSetBack(seed: number, size?: number): Scenario {
  const atMs = whole(simRandom(seed ^ 0x5e7), 0, CHAOS_MS)
  return { ...drawScenario(seed, size), controllers: 1, kills: [{ controller: 0, atMs, downMs: 1_000, isPause: false }], clockJumps: [{ atMs, byMs: -CLOCK_JUMP_MS_MAX }] }
}

/** The same story on hosts with flows that the new rules do not let in. */
export function drawEnding(seed: number, size?: number): Scenario {
  const ending = pick(simRandom(seed ^ 0xe4d), ['cut-now', 'warn-then-cut'] as const)
  return { ...drawScenario(seed, size), ending }
}

/** Mostly small, because a defect that shows at all shows there. */
function drawSize(random: Random): number {
  const kind = random.next()
  if (kind < 0.9) return whole(random, 10, 16)
  return kind < 0.99 ? whole(random, 16, 60) : whole(random, 60, 150)
}

function drawOptions(random: Random): RolloutOptions {
  return {
    ...ROLLOUT_DEFAULTS,
    concurrencyMax: whole(random, 1, 16),
    failuresMax: whole(random, 0, 3),
    baselineSeconds: 5,
    bakeSecondsMin: 20,
    bakeSecondsMax: 120,
    outageSecondsMax: pick(random, [10, 30, 60]),
    revertScope: random.next() < 0.3 ? 'wave' : 'all',
    confirmWithinSeconds: 30,
    revertSecondsMax: 3600,
  }
}

const whole = (random: Random, min: number, max: number): number => min + Math.floor(random.next() * (max - min + 1))
const pick = <Item>(random: Random, items: readonly Item[]): Item => items[whole(random, 0, items.length - 1)] as Item
const list = <Item>(length: number, make: () => Item): Item[] => Array.from({ length }, make)

function drawWindow(random: Random, lengthMsMax: number): Window {
  const fromMs = whole(random, 0, CHAOS_MS)
  return { fromMs, untilMs: fromMs + whole(random, 500, lengthMsMax) }
}
