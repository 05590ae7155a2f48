import type { Instant } from '../inventory/observation.ts'

const DAY_MS = 86_400_000

/** The start of an ISO day (`2027-03-01`) in UTC; none if there is no such day in the calendar. */
export function parseDay(text: string): Instant | undefined {
  const match = /^([0-9]{4})-([0-9]{2})-([0-9]{2})$/.exec(text)
  if (!match) return undefined
  const [year, month, day] = [Number(match[1]), Number(match[2]), Number(match[3])]
  if (month < 1 || month > 12 || day < 1 || day > daysInMonth(year, month)) return undefined
  return Date.UTC(year, month - 1, day)
}

/** Whether the whole day has gone by, wherever on earth the reviewer sits (UTC−12 is the last place where a day ends). */
export function isOver(day: Instant, now: Instant): boolean {
  return now >= day + DAY_MS + DAY_MS / 2
}

const daysInMonth = (year: number, month: number): number => {
  if (month === 2) return isLeap(year) ? 29 : 28
  return [4, 6, 9, 11].includes(month) ? 30 : 31
}

const isLeap = (year: number): boolean => (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0
