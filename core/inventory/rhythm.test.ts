import { describe, expect, test } from 'vitest'
import { businessDaysToMonthEnd, formatDay, isBusinessDay, monthEndOf, PLAIN_CALENDAR, quarterEndOf, type BusinessCalendar, type Day } from './businessCalendar.ts'
import { DaySet } from './daySet.ts'
import { isClosingDay, isQuarterCovered, monthEndsWatched, rhythmOf } from './rhythm.ts'

const day = (text: string): Day => Date.parse(text) / 86_400_000
const span = (first: string, last: string): Day[] => Array.from({ length: day(last) - day(first) + 1 }, (_, index) => day(first) + index)
const setOf = (days: readonly Day[]): DaySet => {
  const set = new DaySet(day('2026-01-01'))
  for (const each of days) set.add(each)
  return set
}
const ALL = span('2026-07-01', '2026-09-28')
const WORKING = ALL.filter((each) => isBusinessDay(PLAIN_CALENDAR, each))
const from = (...texts: readonly string[]): Day[] => texts.map(day)

describe('rhythms', () => {
  test.each<[string, readonly Day[], string]>([
    ['every day', ALL, 'daily 0'],
    ['every day but three', ALL.filter((each) => each % 30 !== 0), 'daily 0'],
    ['working days', WORKING, 'business-days 0'],
    ['working days until August', WORKING.filter((each) => each < day('2026-08-03')), 'business-days 59'],
    ['Mondays', ALL.filter((each) => (each + 4) % 7 === 1), 'weekly 0'],
    ['month ends', from('2026-07-31', '2026-08-31'), 'month-end 28'],
    ['month ends that fall on weekends and slip', from('2026-08-03', '2026-08-28'), 'month-end 31'],
    ['the fifteenth', from('2026-07-15', '2026-08-14', '2026-09-15'), 'monthly 13'],
    ['once', from('2026-07-15'), 'once 75'],
    ['three days of one week', from('2026-07-15', '2026-07-16', '2026-07-17'), 'once 73'],
    ['now and then', from('2026-07-02', '2026-07-19', '2026-07-25', '2026-09-01'), 'irregular 27'],
    ['two weeks, a pause of ten days, three days: it was interrupted and has no cycle', [...span('2026-07-01', '2026-07-14'), ...span('2026-07-25', '2026-07-27')], 'irregular 63'],
    ['never', [], 'never 90'],
  ])('%s', (_, days, expected) => {
    const { kind, silentDays } = rhythmOf(days, setOf(ALL), day('2026-09-28'), PLAIN_CALENDAR)
    expect(`${kind} ${silentDays}`).toBe(expected)
  })

  test('a quarterly job, watched for three quarters', () => {
    expect(rhythmOf(from('2026-01-05', '2026-04-03', '2026-07-04'), setOf(span('2026-01-01', '2026-09-28')), day('2026-09-28'), PLAIN_CALENDAR).kind).toBe('quarterly')
  })

  test('days that were not watched are no silence', () => {
    expect(rhythmOf(from('2026-07-02'), setOf(span('2026-07-01', '2026-07-10')), day('2026-09-28'), PLAIN_CALENDAR).silentDays).toBe(8)
  })
})

describe('what a watch covers', () => {
  test.each<[string, string, number, boolean]>([
    ['2026-07-01', '2026-07-20', 0, false],
    ['2026-07-01', '2026-08-05', 1, false],
    ['2026-07-01', '2026-09-28', 2, false],
    ['2026-06-20', '2026-09-17', 3, true],
    ['2026-06-27', '2026-09-26', 3, true],
    ['2026-06-27', '2026-09-22', 3, false],
  ])('%s to %s: %i month ends, closing of a quarter %s', (first, last, monthEnds, isCovered) => {
    const watched = setOf(span(first, last))
    expect([monthEndsWatched(watched, day(first), day(last)), isQuarterCovered(watched, day(first), day(last))]).toEqual([monthEnds, isCovered])
  })
})

test.each<[string, boolean]>([
  ['2026-06-22', false],
  ['2026-06-23', true],
  ['2026-06-30', true],
  ['2026-07-16', true],
  ['2026-07-17', false],
  ['2026-12-31', true],
  ['2027-01-01', true],
])('%s belongs to the closing of a quarter: %s', (text, expected) => {
  expect(isClosingDay(day(text))).toBe(expected)
})

describe('the calendar of a business', () => {
  const golden: BusinessCalendar = { utcOffsetMinutes: 480, holidays: new Set(span('2026-10-01', '2026-10-07')) }
  test.each<[string, number]>([
    ['2026-09-30', 0],
    ['2026-09-29', 1],
    ['2026-10-08', 1],
    ['2026-10-04', 0],
    ['2026-02-27', 0],
  ])('%s is %i working days from the end of a month', (text, distance) => {
    expect(businessDaysToMonthEnd(golden, day(text))).toBe(distance)
  })

  test('ends of months and quarters, leap years too', () => {
    expect(['2028-02-01', '2027-12-31', '2026-11-05'].map((text) => `${formatDay(monthEndOf(day(text)))} ${formatDay(quarterEndOf(day(text)))}`)).toEqual(['2028-02-29 2028-03-31', '2027-12-31 2027-12-31', '2026-11-30 2026-12-31'])
  })
})
