import type { OnProgress, ScannedEndpoint, ScanProgress, ScanResult, StateCounts } from '@portcullis/adapters/prober/scanResult.ts'
import type { PortState } from '@portcullis/adapters/prober/scanSpec.ts'
import type { Fault, Text } from '@portcullis/core/fault/fault.ts'
import { parseAddress } from '@portcullis/core/net/address.ts'
import type { Cli } from '../cli.ts'
import { layTable } from '../table.ts'
import { faultLines } from './faults.ts'
import { t, type Pen } from './words.ts'

/** Endpoints first, then what was counted and not listed, then what limits the answer. */
export function showScan(pen: Pen, result: ScanResult): string {
  const endpoints = result.endpoints.length === 0 ? [t(pen, NOTHING)] : endpointLines(pen, result.endpoints)
  const faults = [...gathered(result.unreachable), ...result.notes]
  const limits = faults.length === 0 ? [] : ['', ...faultLines(pen, faults)]
  const interrupted = result.isComplete ? [] : ['', pen.paint.yellow(t(pen, INTERRUPTED))]
  return `${[...endpoints, '', ...countLines(pen, result), ...limits, ...interrupted].join('\n')}\n`
}

/** One line for all addresses about which the same is to be said: of a network, most are nobody's. */
function gathered(unreachable: ScanResult['unreachable']): Fault[] {
  const alike = new Map<string, ScanResult['unreachable'][number][]>()
  for (const one of unreachable) {
    const key = one.fault.what.en.replace(one.address, '')
    alike.set(key, [...(alike.get(key) ?? []), one])
  }
  return [...alike.values()].flatMap((members) => (members.length < GATHERED_MIN ? members.map(({ fault }) => fault) : [oneFault(members)]))
}

function oneFault(members: ScanResult['unreachable']): Fault {
  const [{ address, fault } = { address: '', fault: { code: '', what: NOTHING } }] = members
  const ranges = rangesOf(members.map((member) => member.address))
  const more = ranges.length - RANGES_SHOWN_MAX
  const shown = ranges.slice(0, RANGES_SHOWN_MAX).join(', ')
  const inEnglish = `${members.length} addresses, ${shown}${more > 0 ? ` and ${more} more ranges` : ''}`
  const inChinese = `${members.length} 个地址（${shown}${more > 0 ? `，另有 ${more} 段` : ''}）`
  return { ...fault, what: { en: fault.what.en.replace(address, inEnglish), zh: fault.what.zh.replace(address, inChinese) } }
}

const GATHERED_MIN = 4
const RANGES_SHOWN_MAX = 6

/** In the notation of the command line. */
function rangesOf(addresses: readonly string[]): string[] {
  const ranges: { first: string; last: string; next: bigint }[] = []
  for (const text of addresses) {
    const address = parseAddress(text)
    const previous = ranges.at(-1)
    if (address.ok && previous?.next === address.value.value) Object.assign(previous, { last: text, next: address.value.value + 1n })
    else ranges.push({ first: text, last: text, next: address.ok ? address.value.value + 1n : -1n })
  }
  return ranges.map(({ first, last }) => (first === last ? first : `${first}-${last}`))
}

const NOTHING: Text = { en: 'nothing to list', zh: '没有可列出的端点' }
const INTERRUPTED: Text = {
  en: 'interrupted: run it with --json to get a result that --resume can go on from',
  zh: '扫描被中断：使用 --json 可得到供 --resume 继续的结果',
}
const HEAD: readonly Text[] = [
  { en: 'ADDRESS', zh: '地址' },
  { en: 'PORT', zh: '端口' },
  { en: 'STATE', zh: '状态' },
  { en: 'SERVICE', zh: '服务' },
]

function endpointLines(pen: Pen, endpoints: readonly ScannedEndpoint[]): string[] {
  const rows = endpoints.map((endpoint, index) => {
    const isSameHost = endpoints[index - 1]?.address === endpoint.address
    const details = Object.values(endpoint.details ?? {}).join(' · ')
    return [
      isSameHost ? '' : pen.paint.bold(endpoint.address),
      `${endpoint.port}/${endpoint.protocol}`,
      pen.paint[COLOURS[endpoint.state]](t(pen, STATES[endpoint.state])),
      `${endpoint.service ?? ''}${details === '' ? '' : pen.paint.dim(`  ${details}`)}`,
    ]
  })
  return layTable([HEAD.map((text) => pen.paint.dim(t(pen, text))), ...rows])
}

function countLines(pen: Pen, { counts, probes, seconds, method }: ScanResult): string[] {
  const lines = (['tcp', 'udp'] as const).flatMap((protocol) => {
    const words = countWords(pen, counts[protocol])
    return words === '' ? [] : [`${protocol}  ${words}`]
  })
  const how = t(pen, METHODS[method])
  const took = t(pen, { en: `${probes} probes in ${seconds.toFixed(1)} s${how}`, zh: `${seconds.toFixed(1)} 秒发出 ${probes} 个探测包${how}` })
  return [...lines, pen.paint.dim(took)]
}

const countWords = (pen: Pen, counts: StateCounts): string =>
  (Object.keys(STATES) as PortState[])
    .filter((state) => counts[state] > 0)
    .map((state) => `${counts[state]} ${t(pen, STATES[state])}`)
    .join(' · ')

const STATES: Readonly<Record<PortState, Text>> = {
  open: { en: 'open', zh: '开放' },
  closed: { en: 'closed', zh: '关闭' },
  filtered: { en: 'filtered', zh: '被过滤' },
  'open|filtered': { en: 'open|filtered', zh: '开放或被过滤' },
  unknown: { en: 'unknown', zh: '未知' },
}

const COLOURS: Readonly<Record<PortState, keyof Pen['paint']>> = { open: 'green', closed: 'dim', filtered: 'dim', 'open|filtered': 'yellow', unknown: 'red' }

const METHODS: Readonly<Record<ScanResult['method'], Text>> = {
  syn: { en: '', zh: '' },
  connect: { en: ', by connecting', zh: '（普通连接）' },
  mixed: { en: ', partly by connecting', zh: '（部分为普通连接）' },
  none: { en: '', zh: '' },
}

/** Erase in line (ECMA-48 section 8.3.41), after going back to its start. */
const CLEAR_LINE = '\r\u001B[K'

/** One line that is written over on a terminal, one JSON object a line with `--json`, nothing elsewhere. */
export function startScanProgress(cli: Cli): { readonly report: OnProgress; end(): void } {
  if (cli.isJson) return { report: (progress) => cli.err(`${JSON.stringify(progress)}\n`), end: () => undefined }
  if (!cli.isTerminal) return { report: () => undefined, end: () => undefined }
  return {
    report: (progress) => cli.err(CLEAR_LINE + cli.errPaint.dim(progressWords(cli, progress).slice(0, cli.columns - 1))),
    end: () => cli.err(CLEAR_LINE),
  }
}

function progressWords(pen: Pick<Cli, 'language'>, { phase, done, total, open, secondsLeft }: ScanProgress): string {
  const percent = Math.floor((100 * done) / Math.max(1, total))
  const left = secondsLeft === undefined ? '' : pen.language === 'zh' ? ` · 约剩 ${Math.ceil(secondsLeft)} 秒` : ` · about ${Math.ceil(secondsLeft)} s left`
  return pen.language === 'zh' ? `${phase} ${percent}% · 开放 ${open}${left}` : `${phase} ${percent}% · ${open} open${left}`
}
