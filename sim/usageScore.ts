import { PLAIN_CALENDAR, type Day } from '@portcullis/core/inventory/businessCalendar.ts'
import { Scanners, triedOf } from '@portcullis/core/inventory/scanner.ts'
import { foldUsageDays, type HostUsage } from '@portcullis/core/inventory/usageDays.ts'
import { containsPort } from '@portcullis/core/net/port.ts'
import { containsAddress, parsePrefix, type Prefix } from '@portcullis/core/net/prefix.ts'
import { judgeHost } from '@portcullis/core/policy/recommend/judge.ts'
import type { Recommendation, Verdict } from '@portcullis/core/policy/recommend/recommendation.ts'
import { calendarOf, USAGE_SCENARIOS, type Story, type Truth } from './usageScenario.ts'
import { addressOf, atHour, between, diceOf, observationsOf } from './usageWorld.ts'

/** What became of one endpoint whose truth is known. */
export interface Outcome {
  readonly seed: number
  readonly scenario: string
  readonly truth: Truth
  /** `absent`: nothing was said of it, which closes it. */
  readonly verdict: Verdict | 'absent'
  /** Kept, but some of tomorrow's sources would be denied. */
  readonly isNarrow: boolean
  readonly recommendation?: Recommendation
}

export const WATCHED_DAYS = 90

/** Every scenario on a host of its own, watched for 90 days that begin on any day of three years. */
export function playSeed(seed: number, days = WATCHED_DAYS): Outcome[] {
  const dice = diceOf(seed)
  const firstDay: Day = 20_089 + between(dice, 0, 1095)
  const calendar = calendarOf(dice, firstDay, days)
  const told = dice() < 0.5 ? calendar : PLAIN_CALENDAR
  const readAtHour = dice() < 0.5 ? between(dice, 0, 3) : between(dice, 17, 23)
  const played = USAGE_SCENARIOS.map(({ name, build }) => {
    const story = build({ dice, firstDay, days, calendar })
    const unread = new Set(Array.from({ length: between(dice, 0, 2) }, () => firstDay + between(dice, 1, days - 1)))
    // Every host is monitored, as hosts are; this endpoint is no part of the score.
    const monitored = Array.from({ length: days }, (_, index) => ({ at: atHour(firstDay + index, 12), source: '10.0.0.4', protocol: 'tcp' as const, port: 9101, connections: 1440 }))
    const observations = observationsOf({ host: name, firstDay, days, readAtHour, listeners: story.listeners, uses: [...story.uses, ...monitored], unread, ...(story.restarts ? { restarts: story.restarts } : {}) })
    return { name, story, usage: foldUsageDays(name, observations, told) }
  })
  const scanners = new Scanners()
  for (const { usage } of played) scanners.noteHost(triedOf(usage))
  return played.flatMap(({ name, story, usage }) => {
    const recommendations = judge(name, story, usage, told, scanners)
    return story.truths.map((truth) => outcomeOf(seed, name, truth, recommendations))
  })
}

function judge(name: string, story: Story, usage: HostUsage, calendar: typeof PLAIN_CALENDAR, scanners: Scanners): Recommendation[] {
  const zones = Object.entries(story.zones ?? {}).map(([zone, prefix]) => ({ name: zone, prefixes: [prefixOfText(prefix)] }))
  return judgeHost({ name, tier: 'standard' }, usage, {
    calendar,
    zones,
    services: [],
    unseenShare: 0.5,
    profiles: story.profiles ?? [],
    isNoise: ({ source }) => scanners.has(source),
  })
}

function outcomeOf(seed: number, scenario: string, truth: Truth, recommendations: readonly Recommendation[]): Outcome {
  const recommendation = recommendations.find(({ protocol, ports }) => protocol === truth.protocol && containsPort(ports, truth.port))
  const isNarrow = recommendation?.verdict === 'keep' && truth.truth === 'needed' && !truth.tomorrow.every((source) => recommendation.from.prefixes.some((prefix) => containsAddress(prefix, addressOf(source))))
  return { seed, scenario, truth, verdict: recommendation?.verdict ?? 'absent', isNarrow, ...(recommendation ? { recommendation } : {}) }
}

function prefixOfText(text: string): Prefix {
  const parsed = parsePrefix(text)
  if (!parsed.ok) throw new Error(`not a prefix: ${text}`)
  return parsed.value
}

export interface Score {
  readonly endpoints: number
  readonly needed: number
  readonly dead: number
  readonly wronglyClosed: readonly Outcome[]
  readonly narrow: readonly Outcome[]
  readonly deadKept: readonly Outcome[]
  readonly asked: readonly Outcome[]
}

export function scoreOf(outcomes: readonly Outcome[]): Score {
  const isNeeded = ({ truth }: Outcome): boolean => truth.truth === 'needed'
  const needed = outcomes.filter(isNeeded)
  return {
    endpoints: outcomes.length,
    needed: needed.length,
    dead: outcomes.length - needed.length,
    wronglyClosed: needed.filter(({ verdict }) => verdict === 'close' || verdict === 'absent'),
    narrow: needed.filter(({ isNarrow }) => isNarrow),
    deadKept: outcomes.filter((outcome) => !isNeeded(outcome) && outcome.verdict === 'keep'),
    asked: outcomes.filter(({ verdict }) => verdict === 'ask'),
  }
}
