import { businessDaysToMonthEnd, isBusinessDay, monthEndOf, quarterEndOf, type BusinessCalendar, type Day } from './businessCalendar.ts'
import type { DaySet } from './daySet.ts'

export const RHYTHMS = ['daily', 'business-days', 'weekly', 'month-end', 'monthly', 'quarterly', 'irregular', 'once', 'never'] as const
export type RhythmKind = (typeof RHYTHMS)[number]

/** How a use comes back, by the days on which it was seen. */
export interface Rhythm {
  readonly kind: RhythmKind
  /** On how many days. */
  readonly days: number
  /** Bursts of neighbouring days. */
  readonly cycles: number
  readonly firstDay?: Day
  readonly lastDay?: Day
  /** Watched days since the last use. */
  readonly silentDays: number
  /** Watched silence that the rhythm explains; longer, and it has stopped. Absent: one use tells of no rhythm. */
  readonly silentDaysMax?: number
}

/** What is needed to tell a rhythm: two of its cycles, and a little more. */
export const SPAN_DAYS_NEEDED: Readonly<Record<RhythmKind, number>> = {
  daily: 14,
  'business-days': 21,
  weekly: 28,
  'month-end': 65,
  monthly: 65,
  quarterly: 190,
  irregular: 92,
  once: 190,
  never: 92,
}

/** Longest watched silence of a rhythm that is alive: the longest public holidays for the dense ones, one missed cycle for the others. */
const SILENT_DAYS_MAX: Readonly<Partial<Record<RhythmKind, number>>> = {
  daily: 14,
  'business-days': 21,
  weekly: 28,
  'month-end': 70,
  monthly: 70,
  quarterly: 190,
}

/** `days` ascending. The rhythm is that of the time between first and last use, so that a use that stopped keeps it. */
export function rhythmOf(days: readonly Day[], watched: DaySet, lastWatched: Day, calendar: BusinessCalendar): Rhythm {
  const [firstDay, lastDay] = [days[0], days.at(-1)]
  if (firstDay === undefined || lastDay === undefined) return { kind: 'never', days: 0, cycles: 0, silentDays: watched.days().length }
  const silentDays = countWatched(watched, lastDay + 1, lastWatched)
  const bursts = burstsOf(days)
  const kind = kindOf(days, bursts, watched, calendar)
  const silentDaysMax = kind === 'irregular' ? Math.max(30, 4 * longestGap(days)) : SILENT_DAYS_MAX[kind]
  return { kind, days: days.length, cycles: bursts.length, firstDay, lastDay, silentDays, ...(silentDaysMax === undefined ? {} : { silentDaysMax }) }
}

function kindOf(days: readonly Day[], bursts: readonly Day[], watched: DaySet, calendar: BusinessCalendar): RhythmKind {
  const dense = densityOf(days, watched, calendar)
  if (dense) return dense
  if (bursts.length < 2) return bursts.length === 1 && days.length < DENSE_DAYS_MIN ? 'once' : 'irregular'
  const isMonthEnd = days.every((day) => businessDaysToMonthEnd(calendar, day) <= MONTH_END_BUSINESS_DAYS)
  const gaps = bursts.slice(1).map((day, index) => day - (bursts[index] ?? day))
  const within = (least: number, most: number): boolean => gaps.every((gap) => gap >= least && gap <= most)
  if (!isBrief(days)) return 'irregular'
  if (within(80, 100)) return 'quarterly'
  if (isMonthEnd && within(20, 68)) return 'month-end'
  if (within(24, 38)) return 'monthly'
  if (bursts.length >= 3 && within(5, 9)) return 'weekly'
  return 'irregular'
}

const DENSE_DAYS_MIN = 5
const MONTH_END_BUSINESS_DAYS = 5

/** Of the watched days between the first and the last use, nearly all, or nearly all working days and few others. */
function densityOf(days: readonly Day[], watched: DaySet, calendar: BusinessCalendar): RhythmKind | undefined {
  const [first, last] = [days[0] ?? 0, days.at(-1) ?? 0]
  if (days.length < DENSE_DAYS_MIN) return undefined
  const used = new Set(days)
  const seen = { business: 0, businessUsed: 0, off: 0, offUsed: 0 }
  for (let day = first; day <= last; day += 1) {
    if (!watched.has(day) && !used.has(day)) continue
    const isUsed = used.has(day) ? 1 : 0
    if (isBusinessDay(calendar, day)) {
      seen.business += 1
      seen.businessUsed += isUsed
    } else {
      seen.off += 1
      seen.offUsed += isUsed
    }
  }
  if (seen.businessUsed + seen.offUsed >= 0.85 * (seen.business + seen.off) && seen.offUsed >= 0.5 * seen.off) return 'daily'
  return seen.businessUsed >= 0.7 * seen.business && seen.offUsed <= 0.3 * seen.off ? 'business-days' : undefined
}

/** First days of runs whose days lie at most three apart: a job and its repeats, a weekend within it. */
function burstsOf(days: readonly Day[]): Day[] {
  return days.filter((day, index) => index === 0 || day - (days[index - 1] ?? day) > 3)
}

/** Whether every burst is shorter than the pause after it: what goes on longer was interrupted, by holidays for instance, and has no cycle. */
function isBrief(days: readonly Day[]): boolean {
  let first = days[0] ?? 0
  return days.every((day, index) => {
    const next = days[index + 1]
    if (next === undefined || next - day <= 3) return true
    const [length, pause] = [day - first + 1, next - day - 1]
    first = next
    return length <= pause
  })
}

const longestGap = (days: readonly Day[]): number => days.reduce((longest, day, index) => Math.max(longest, index === 0 ? 0 : day - (days[index - 1] ?? day)), 0)

export function countWatched(watched: DaySet, from: Day, to: Day): number {
  let count = 0
  for (let day = from; day <= to; day += 1) if (watched.has(day)) count += 1
  return count
}

/** Month ends of which the days before and after were watched. */
export function monthEndsWatched(watched: DaySet, from: Day, to: Day): number {
  let count = 0
  for (let end = monthEndOf(from); end <= to; end = monthEndOf(end + 1)) {
    if (countWatched(watched, Math.max(from, end - 3), Math.min(to, end + 3)) >= 6) count += 1
  }
  return count
}

/** Days around the end of a quarter on which closings, settlements and tax returns are made: a week before to the filing deadlines in the middle of the month after. */
const CLOSING_DAYS = { before: 7, after: 16 } as const

/** Whether the day is one of a quarter's closing. */
export const isClosingDay = (day: Day): boolean => quarterEndOf(day) - day <= CLOSING_DAYS.before || quarterEndOf(day - CLOSING_DAYS.after) < day

/** Whether every day of the closing of a quarter, counted from its end, was watched in one quarter or another. */
export function isQuarterCovered(watched: DaySet, from: Day, to: Day): boolean {
  const missing = new Set(Array.from({ length: CLOSING_DAYS.before + CLOSING_DAYS.after + 1 }, (_, index) => index - CLOSING_DAYS.before))
  for (let end = quarterEndOf(from - CLOSING_DAYS.after); end - CLOSING_DAYS.before <= to; end = quarterEndOf(end + 1)) {
    for (const offset of missing) if (end + offset >= from && end + offset <= to && watched.has(end + offset)) missing.delete(offset)
  }
  return missing.size === 0
}
