import { InvalidArgumentError } from 'commander'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const UNITS: Readonly<Record<string, number>> = { m: 60_000, h: HOUR_MS, d: DAY_MS, w: 7 * DAY_MS }
const DAYS = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday']
const DAYS_ZH = ['周日', '周一', '周二', '周三', '周四', '周五', '周六']

/**
 * A time in the past as people say it: `2026-11-23`, `2026-11-23T08:00`, `3d`, `12h`, `yesterday`, `monday` or `last monday`, `上周一`.
 * Without a zone, the machine's. A weekday is the last one that has begun, today's not counted after `last`.
 */
export function parseSince(input: string, now: number): number {
  const words = input.trim().toLowerCase()
  const at = ago(words, now) ?? named(words, now) ?? dated(input.trim())
  if (at === undefined || Number.isNaN(at) || at > now) throw new InvalidArgumentError("2026-11-23, 2026-11-23T08:00, 3d, 12h, yesterday, 'last monday'")
  return at
}

function ago(words: string, now: number): number | undefined {
  const [, amount, unit = ''] = /^([0-9]{1,5})\s*([mhdw])$/.exec(words) ?? []
  return amount === undefined ? undefined : now - Number(amount) * (UNITS[unit] ?? 0)
}

function named(words: string, now: number): number | undefined {
  const midnight = new Date(now)
  midnight.setHours(0, 0, 0, 0)
  if (words === 'today' || words === '今天') return midnight.getTime()
  const isLast = /^(?:last |上)/.test(words)
  const day = words === 'yesterday' || words === '昨天' ? (midnight.getDay() + 6) % 7 : Math.max(DAYS.indexOf(words.replace(/^last /, '')), DAYS_ZH.indexOf(words.replace(/^上/, '')))
  if (day < 0) return undefined
  const back = (midnight.getDay() - day + 7) % 7
  midnight.setDate(midnight.getDate() - (back === 0 && isLast ? 7 : back))
  return midnight.getTime()
}

const dated = (input: string): number | undefined =>
  /^[0-9]{4}-[0-9]{2}-[0-9]{2}$/.test(input) ? Date.parse(`${input}T00:00`) : /^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+(?:Z|[+-][0-9]{2}:?[0-9]{2})?$/.test(input) ? Date.parse(input) : undefined
