import { fail, succeed, type Fault, type Result } from '../fault/fault.ts'

/**
 * When a need is open: any of its windows. Written `DAYS HH:MM-HH:MM ZONE`, several separated by `;`:
 * `mon-fri 08:00-18:00 Asia/Shanghai`, `sat,sun 22:00-02:00 UTC`, `daily 01:00-02:30 UTC`, `monthly 1,15 02:00-04:00 Asia/Shanghai`.
 * A window whose end is not after its start ends on the next day.
 */
export interface Schedule {
  readonly windows: readonly ScheduleWindow[]
}

export interface ScheduleWindow {
  /** Days on which the window starts. */
  readonly days: ScheduleDays
  /** Minutes after local midnight, 0 to 1439. */
  readonly startMinute: number
  /** Minutes after local midnight, 1 to 1440; not above `startMinute` when it lies on the next day. */
  readonly endMinute: number
  /** `UTC` or a name of the IANA time zone database; that it exists is for the reader of the file to check. */
  readonly timeZone: string
}

export type ScheduleDays =
  /** ISO weekdays, 1 = Monday to 7 = Sunday, sorted. */
  | { readonly kind: 'week'; readonly weekdays: readonly number[] }
  /** Days of the month, 1 to 31, sorted; a month without such a day has no window. */
  | { readonly kind: 'month'; readonly monthDays: readonly number[] }

export const WEEKDAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const

export function parseSchedule(text: string): Result<Schedule> {
  const windows: ScheduleWindow[] = []
  for (const part of text.split(';')) {
    const window = parseWindow(part.trim().split(/\s+/))
    if (!window) return fail(notASchedule(part.trim()))
    windows.push(window)
  }
  return succeed({ windows })
}

/** Parses back equal. */
export const formatSchedule = (schedule: Schedule): string => schedule.windows.map(formatWindow).join('; ')

function parseWindow(words: readonly string[]): ScheduleWindow | undefined {
  const isMonthly = words[0] === 'monthly'
  if (words.length !== (isMonthly ? 4 : 3)) return undefined
  const [dayText = '', timeText = '', timeZone = ''] = isMonthly ? words.slice(1) : words
  const days = isMonthly ? parseMonthDays(dayText) : parseWeekdays(dayText)
  const times = parseTimes(timeText)
  if (!days || !times || !/^(UTC|[A-Za-z_]+(\/[A-Za-z0-9_+-]+){1,2})$/.test(timeZone)) return undefined
  return { days, ...times, timeZone }
}

function parseWeekdays(text: string): ScheduleDays | undefined {
  if (text === 'daily') return { kind: 'week', weekdays: [1, 2, 3, 4, 5, 6, 7] }
  const weekdays = new Set<number>()
  for (const part of text.split(',')) {
    const [first, last = first, ...rest] = part.split('-').map(weekdayOf)
    if (!first || !last || rest.length > 0) return undefined
    // `sat-mon` runs over the end of the week.
    for (let day = first; ; day = (day % 7) + 1) {
      weekdays.add(day)
      if (day === last) break
    }
  }
  return { kind: 'week', weekdays: [...weekdays].sort((a, b) => a - b) }
}

const weekdayOf = (name: string): number => (WEEKDAYS as readonly string[]).indexOf(name) + 1

function parseMonthDays(text: string): ScheduleDays | undefined {
  const monthDays = new Set<number>()
  for (const part of text.split(',')) {
    if (!/^[1-9][0-9]?$/.test(part) || Number(part) > 31) return undefined
    monthDays.add(Number(part))
  }
  return { kind: 'month', monthDays: [...monthDays].sort((a, b) => a - b) }
}

function parseTimes(text: string): { startMinute: number; endMinute: number } | undefined {
  const match = /^([0-9]{2}):([0-5][0-9])-([0-9]{2}):([0-5][0-9])$/.exec(text)
  if (!match) return undefined
  const startMinute = Number(match[1]) * 60 + Number(match[2])
  const endMinute = Number(match[3]) * 60 + Number(match[4])
  if (startMinute >= 1440 || endMinute > 1440 || endMinute === 0) return undefined
  return { startMinute, endMinute }
}

function formatWindow(window: ScheduleWindow): string {
  const days =
    window.days.kind === 'month'
      ? `monthly ${window.days.monthDays.join(',')}`
      : window.days.weekdays.map((day) => WEEKDAYS[day - 1]).join(',')
  return `${days} ${formatMinute(window.startMinute)}-${formatMinute(window.endMinute)} ${window.timeZone}`
}

const formatMinute = (minute: number): string =>
  `${String(Math.floor(minute / 60)).padStart(2, '0')}:${String(minute % 60).padStart(2, '0')}`

const notASchedule = (text: string): Fault => ({
  code: 'POLICY_SCHEDULE',
  what: { en: `"${text.slice(0, 80)}" is not a schedule`, zh: `“${text.slice(0, 80)}”不是有效的时间表` },
  next: {
    en: 'write DAYS HH:MM-HH:MM ZONE, for instance mon-fri 08:00-18:00 Asia/Shanghai, daily 01:00-02:30 UTC or monthly 1,15 02:00-04:00 UTC',
    zh: '应写成“日期 HH:MM-HH:MM 时区”，例如 mon-fri 08:00-18:00 Asia/Shanghai、daily 01:00-02:30 UTC 或 monthly 1,15 02:00-04:00 UTC',
  },
})
