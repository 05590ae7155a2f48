import { DAY_MS, type BusinessCalendar, type Day } from '@portcullis/core/inventory/businessCalendar.ts'
import { parseDay } from '@portcullis/core/policy/day.ts'
import { PROFILES, type Profile } from '@portcullis/core/policy/recommend/profile.ts'
import { InvalidArgumentError, Option, type Command } from 'commander'
import { wholeNumber, type Definition } from './command.ts'

export interface EvidenceOptionValues {
  readonly days: number
  readonly utcOffset: number
  readonly holidays?: readonly Day[]
  readonly profile?: readonly Profile[]
}

/** `--days`, `--utc-offset`, `--holidays`, `--profile`: of every command that reads use against the business's calendar. */
export function evidenceOptions(command: Command, text: Definition['text']): Command {
  return command
    .addOption(new Option('--days <n>', text({ en: 'from observations of this many days', zh: '使用最近若干天的观测' })).default(400).argParser(wholeNumber(1, 3660)))
    .addOption(new Option('--utc-offset <+hh:mm>', text({ en: 'where the business has its days: +08:00', zh: '业务所在时区：+08:00' })).default(0, '+00:00').argParser(readOffset))
    .addOption(new Option('--holidays <day...>', text({ en: 'days off besides weekends: 2027-05-01 or 2027-10-01..2027-10-07', zh: '周末以外的休息日：2027-05-01 或 2027-10-01..2027-10-07' })).argParser(readHolidays))
    .addOption(new Option('--profile <name...>', text({ en: 'what the business is: silence says less of what it uses rarely', zh: '行业类型：对其少用的端口，静默不足为据' })).choices(PROFILES))
}

export const calendarFrom = ({ utcOffset, holidays = [] }: EvidenceOptionValues): BusinessCalendar => ({ utcOffsetMinutes: utcOffset, holidays: new Set(holidays) })

function readOffset(input: string): number {
  const match = /^([+-])([01][0-9]):?([0-5][0-9])$/.exec(input)
  if (!match) throw new InvalidArgumentError('+08:00')
  return (match[1] === '-' ? -1 : 1) * (Number(match[2]) * 60 + Number(match[3]))
}

const HOLIDAYS_MAX = 60

function readHolidays(input: string, before: readonly Day[] = []): readonly Day[] {
  const [first, last = first, ...rest] = input.split('..').map(parseDay)
  if (first === undefined || last === undefined || rest.length > 0 || last < first || last - first > HOLIDAYS_MAX * DAY_MS) throw new InvalidArgumentError('2027-10-01..2027-10-07')
  return [...before, ...Array.from({ length: (last - first) / DAY_MS + 1 }, (_, index) => first / DAY_MS + index)]
}
