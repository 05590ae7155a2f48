import type { Instant } from './observation.ts'

/** Days since 1970-01-01 in the business's own time zone. */
export type Day = number

export const DAY_MS = 86_400_000

/** When the business works. Fixed offsets do: a day that is an hour off changes no rhythm of days. */
export interface BusinessCalendar {
  readonly utcOffsetMinutes: number
  /** Days off besides Saturday and Sunday. */
  readonly holidays: ReadonlySet<Day>
}

export const PLAIN_CALENDAR: BusinessCalendar = { utcOffsetMinutes: 0, holidays: new Set() }

export const dayOf = (calendar: BusinessCalendar, at: Instant): Day => Math.floor((at + calendar.utcOffsetMinutes * 60_000) / DAY_MS)

/** `2027-03-31`. */
export const formatDay = (day: Day): string => new Date(day * DAY_MS).toISOString().slice(0, 10)

// 1970-01-01 was a Thursday.
export const isBusinessDay = (calendar: BusinessCalendar, day: Day): boolean => (day + 4) % 7 !== 0 && (day + 4) % 7 !== 6 && !calendar.holidays.has(day)

/** The last day of the month that the day is in. */
export function monthEndOf(day: Day): Day {
  const date = new Date(day * DAY_MS)
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0) / DAY_MS
}

/** The last day of the quarter that the day is in. */
export function quarterEndOf(day: Day): Day {
  const date = new Date(day * DAY_MS)
  return Date.UTC(date.getUTCFullYear(), Math.floor(date.getUTCMonth() / 3) * 3 + 3, 0) / DAY_MS
}

/** Business days between the day and the nearest end of a month, whichever side; 0 on the last business day and on the days off after it. */
export function businessDaysToMonthEnd(calendar: BusinessCalendar, day: Day): number {
  const end = monthEndOf(day)
  const before = startOfMonth(day) - 1
  return Math.min(businessDaysAfter(calendar, day, end), businessDaysAfter(calendar, before, day))
}

const startOfMonth = (day: Day): Day => day - new Date(day * DAY_MS).getUTCDate() + 1

/** How many business days lie after `from`, up to and with `to`. */
function businessDaysAfter(calendar: BusinessCalendar, from: Day, to: Day): number {
  let count = 0
  for (let day = from + 1; day <= to; day += 1) if (isBusinessDay(calendar, day)) count += 1
  return count
}
