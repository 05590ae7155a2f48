import { DAY_MS, formatDay } from '@portcullis/core/inventory/businessCalendar.ts'
import { formatPrefix } from '@portcullis/core/net/prefix.ts'
import { formatPortRange } from '@portcullis/core/net/port.ts'
import type { DraftNeed } from '@portcullis/core/policy/recommend/draftNeeds.ts'
import type { Recommendation } from '@portcullis/core/policy/recommend/recommendation.ts'
import { formatSelector } from '@portcullis/core/policy/selector.ts'
import { recommend, type RecommendReport } from '@portcullis/engine/recommend.ts'
import { InvalidArgumentError, Option } from 'commander'
import { outJson, say, type Cli } from '../cli.ts'
import { examples, fleetOptions, wholeNumber, type CommandModule, type FleetOptionValues } from '../command.ts'
import { calendarFrom, evidenceOptions, type EvidenceOptionValues } from '../evidenceOptions.ts'
import { EXIT, type ExitCode } from '../exitCode.ts'
import { refuse, withFleet, type Fleet } from '../fleet.ts'
import { showRecommend } from '../show/recommend.ts'
import { textDiff } from '../show/textDiff.ts'
import { count } from '../show/words.ts'

interface RecommendValues extends FleetOptionValues, EvidenceOptionValues {
  readonly unseenShare: number
  readonly reviewDays: number
  readonly explain?: boolean
  readonly write?: boolean
}

export const define: CommandModule['define'] = (command, { text, run }) => {
  evidenceOptions(fleetOptions(command, text), text)
    .addOption(new Option('--unseen-share <0–0.99>', text({ en: 'sources are joined to prefixes of whose addresses at most this share was not seen', zh: '合并来源网段时，未出现过的地址最多占此比例' })).default(0.5).argParser(readShare))
    .addOption(new Option('--review-days <n>', text({ en: 'when new needs are to be looked at again', zh: '新需求的复核期限（天）' })).default(180).argParser(wholeNumber(1, 3660)))
    .addOption(new Option('--explain', text({ en: 'with all reasons and their points', zh: '列出全部理由及分值' })))
    .addOption(new Option('--write', text({ en: 'write the needs into the policy file', zh: '将需求写入策略文件' })))
  examples(command, text, [
    ['portcullis recommend', { en: 'keep, close or ask, and the policy file’s diff', zh: '保留、关闭或询问，以及策略文件的差异' }],
    ['portcullis recommend --explain --host db-1', { en: 'why', zh: '查看理由' }],
    ['portcullis recommend --utc-offset +08:00 --holidays 2027-10-01..2027-10-07 --profile finance', { en: 'by the business’s calendar', zh: '按业务日历判断' }],
    ['portcullis recommend --write && git diff', { en: 'review it where you review everything', zh: '在 git 中复核' }],
  ])
  run((cli, options) => {
    const values = options as unknown as RecommendValues
    return withFleet(cli, values, (fleet) => recommendFleet(cli, values, fleet))
  })
}

async function recommendFleet(cli: Cli, values: RecommendValues, { world, read, hosts }: Fleet): Promise<ExitCode> {
  const now = cli.now()
  const report = await recommend(world.store, read.policy, hosts, {
    now,
    since: now - values.days * DAY_MS,
    calendar: calendarFrom(values),
    unseenShare: values.unseenShare,
    profiles: values.profile ?? [],
    reviewDays: values.reviewDays,
  })
  const { seen } = read
  const edited = report.needs.length === 0 ? { ok: true as const, value: seen.text } : await cli.doors.addNeeds(seen, report.needs, cli.language)
  if (!edited.ok) return refuse(cli, edited.faults)
  if (values.write === true && edited.value !== seen.text) {
    const written = await cli.doors.replacePolicy(seen, edited.value)
    if (!written.ok) return refuse(cli, written.faults)
  }
  if (cli.isJson) outJson(cli, recommendJson(report, values.write === true))
  else cli.out(showRecommend(cli, report, { isExplained: values.explain === true, columns: cli.columns }) + (values.write === true ? writtenWords(cli, report.needs, seen.file) : diffWords(cli, report, seen.text, edited.value, seen.file)))
  const isOpen = report.recommendations.length === 0 || report.recommendations.some(({ verdict }) => verdict === 'ask') || report.watches.some(({ days }) => days === 0)
  return isOpen ? EXIT.incomplete : EXIT.ok
}

function diffWords(cli: Cli, { needs }: RecommendReport, before: string, after: string, file: string): string {
  if (needs.length === 0) return ''
  return `${ownerWords(cli, needs)}\n${textDiff(cli, before, after, file)}`
}

function writtenWords(cli: Cli, needs: readonly DraftNeed[], file: string): string {
  return `${say(cli, { en: `${count(cli, needs.length, 'need', '条需求')} written to ${file}`, zh: `已将 ${needs.length} 条需求写入 ${file}` })}\n${ownerWords(cli, needs)}`
}

function ownerWords(cli: Cli, needs: readonly DraftNeed[]): string {
  const missing = needs.filter(({ owner }) => owner === undefined).length
  if (missing === 0) return ''
  return `${cli.paint.yellow(say(cli, { en: `${count(cli, missing, 'new need', '条新需求')} without an owner: look for MISSING`, zh: `${missing} 条新需求没有负责人：请查找“待定”` }))}\n`
}

const recommendJson = ({ recommendations, needs, watches, scanners }: RecommendReport, isWritten: boolean) => ({
  format: 'portcullis-recommend',
  version: 1,
  isWritten,
  recommendations: recommendations.map(recommendationJson),
  needs: needs.map(({ ports, selector, ...need }) => ({ ...need, ...(ports ? { ports: `${formatPortRange(ports.ports)}/${ports.protocol}` } : {}), to: formatSelector(selector) })),
  watches,
  scanners,
})

function recommendationJson({ ports, rhythm, from, ...rest }: Recommendation) {
  const { firstDay, lastDay, ...days } = rhythm
  return {
    ...rest,
    ports: formatPortRange(ports),
    rhythm: { ...days, ...(firstDay === undefined ? {} : { firstDay: formatDay(firstDay) }), ...(lastDay === undefined ? {} : { lastDay: formatDay(lastDay) }) },
    from: { ...from, prefixes: from.prefixes.map(formatPrefix) },
  }
}

function readShare(input: string): number {
  const share = Number(input)
  if (!/^0?\.?[0-9]+$/.test(input) || share < 0 || share > 0.99) throw new InvalidArgumentError('0–0.99')
  return share
}
