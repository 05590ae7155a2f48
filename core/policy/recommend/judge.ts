import type { Text } from '../../fault/fault.ts'
import { formatDay, type BusinessCalendar, type Day } from '../../inventory/businessCalendar.ts'
import { DaySet } from '../../inventory/daySet.ts'
import { countWatched, isClosingDay, isQuarterCovered, monthEndsWatched, rhythmOf, SPAN_DAYS_NEEDED, type Rhythm } from '../../inventory/rhythm.ts'
import type { HostUsage, ListeningDays, SourceDays } from '../../inventory/usageDays.ts'
import { formatAddress } from '../../net/address.ts'
import { formatPrefix } from '../../net/prefix.ts'
import type { Host, Service, Zone } from '../policy.ts'
import { groupPorts, type PortGroup } from './portGroup.ts'
import { rareUseOf, type Profile } from './profile.ts'
import { CLOSE_POINTS_MIN, KEEP_POINTS_MIN, type Reason, type Recommendation, type Verdict } from './recommendation.ts'
import { guessService } from './serviceGuess.ts'
import { FORESEEN_SHARE_MIN, PREFIXES_MAX, sourceSetOf, type SourceSet } from './sourceSet.ts'

export interface JudgeOptions {
  readonly calendar: BusinessCalendar
  readonly zones: readonly Zone[]
  readonly services: readonly Service[]
  /** The largest share of unseen addresses in a prefix that sources are joined to. */
  readonly unseenShare: number
  readonly profiles: readonly Profile[]
  readonly isNoise: (source: SourceDays) => boolean
}

/** Keep, close or ask for each endpoint of a host that listens beyond loopback, is published, was found open, or was used. `needs` is for the caller to fill in. */
export function judgeHost(host: Pick<Host, 'name' | 'tier'>, usage: HostUsage, options: JudgeOptions): Recommendation[] {
  return groupPorts(usage, options.isNoise).flatMap((group) => {
    const listening = listeningOf(group)
    const isExposed = listening.state === 'seen' || listening.state === 'gone' || published(group) !== undefined || foundOpen(group) !== undefined
    if (!isExposed && group.sources.every(({ days }) => days.isEmpty) && sourcelessOf(group) === undefined) return []
    return [judgeGroup(host, usage, group, options)]
  })
}

/** All that a verdict is read from. */
interface Evidence {
  readonly host: Pick<Host, 'name' | 'tier'>
  readonly usage: HostUsage
  readonly group: PortGroup
  readonly listening: ListeningDays
  readonly rhythm: Rhythm
  /** Days of use, ascending. */
  readonly used: readonly Day[]
  readonly from: SourceSet
  /** Days of the span whose connections were counted, 0 to 1, and how many. */
  readonly watchedShare: number
  readonly watchedDays: number
  readonly lost: number
  readonly handover?: string
  readonly options: JudgeOptions
}

function judgeGroup(host: Evidence['host'], usage: HostUsage, group: PortGroup, options: JudgeOptions): Recommendation {
  const evidence = evidenceOf(host, usage, group, options)
  const { rhythm, listening, from } = evidence
  // The silence of a metric says nothing, so what only a metric saw cannot have stopped.
  const isStopped = rhythm.silentDaysMax !== undefined && rhythm.silentDays > rhythm.silentDaysMax && !isOnlySourceless(group)
  const judged = rhythm.kind === 'never' ? neverUsed(evidence) : isStopped ? stopped(evidence) : inUse(evidence)
  const confidence = Math.max(0, Math.min(100, judged.reasons.reduce((sum, { points }) => sum + points, 0)))
  const verdict: Verdict = confidence >= (judged.verdict === 'keep' ? KEEP_POINTS_MIN : CLOSE_POINTS_MIN) ? judged.verdict : 'ask'
  const needed = SPAN_DAYS_NEEDED[rhythm.kind]
  const handedTo = published(group)
  const listener = listening.process ?? listening.unit ?? fingerprint(group)
  return {
    host: host.name,
    protocol: group.protocol,
    ports: group.ports,
    verdict,
    confidence,
    reasons: judged.reasons,
    rhythm,
    ...(evidence.watchedDays < needed ? { spanDaysNeeded: needed } : {}),
    service: guessService(group.protocol, group.ports, listener, options.services),
    ...(listening.process === undefined ? {} : { process: listening.process }),
    ...(listening.unit === undefined ? {} : { unit: listening.unit }),
    ...(handedTo === undefined ? {} : { published: handedTo }),
    from,
    ...(verdict === 'ask' ? { question: questionOf(evidence, isStopped) } : {}),
    needs: [],
  }
}

function evidenceOf(host: Evidence['host'], usage: HostUsage, group: PortGroup, options: JudgeOptions): Evidence {
  const { watched, firstDay, lastDay } = usage.watch
  const used = new DaySet(firstDay - 400)
  for (const { days } of group.sources) used.addAll(days)
  for (const { sourceless } of group.endpoints) if (sourceless) used.addAll(sourceless.days)
  const usedDays = used.days()
  const watchedDays = countWatched(watched, firstDay, lastDay)
  const { sources, handover } = currentSources(group.sources, usage, options.calendar)
  const seen = sources.flatMap(({ source, days }) => {
    const [first] = days.days()
    return first === undefined ? [] : [{ source, firstDay: first }]
  })
  return {
    host,
    usage,
    group,
    listening: listeningOf(group),
    used: usedDays,
    rhythm: rhythmOf(usedDays, watched, lastDay, options.calendar),
    from: sourceSetOf(seen, options.zones, options.unseenShare),
    watchedShare: watchedDays / (lastDay - firstDay + 1),
    watchedDays,
    lost: group.endpoints.reduce((sum, endpoint) => sum + endpoint.lost + endpoint.moreSources, 0),
    ...(handover === undefined ? {} : { handover }),
    options,
  }
}

/** Few sources are looked at one by one; where there are many, one that stays away is nothing new. */
const HANDOVER_SOURCES_MAX = 4

/** Without a source whose steady use stopped when another's began: a client that got another address. */
function currentSources(sources: readonly SourceDays[], { watch }: HostUsage, calendar: BusinessCalendar): { sources: readonly SourceDays[]; handover?: string } {
  if (sources.length < 2 || sources.length > HANDOVER_SOURCES_MAX) return { sources }
  const read = sources.map((source) => ({ source, rhythm: rhythmOf(source.days.days(), watch.watched, watch.lastDay, calendar) }))
  const replaced = read.flatMap((each) => {
    const { lastDay = 0, silentDays, silentDaysMax = Infinity, days } = each.rhythm
    const heir = read.find((other) => other !== each && Math.abs((other.rhythm.firstDay ?? Infinity) - lastDay) <= HANDOVER_DAYS_MAX && other.rhythm.silentDays < silentDays)
    return silentDays > silentDaysMax && days >= 3 && heir ? [{ each, heir }] : []
  })
  const [first] = replaced
  if (!first || replaced.length === sources.length) return { sources }
  const gone = new Set(replaced.map(({ each }) => each.source))
  return {
    sources: sources.filter((source) => !gone.has(source)),
    handover: `${formatAddress(first.each.source.source)} → ${formatAddress(first.heir.source.source)}`,
  }
}

const HANDOVER_DAYS_MAX = 10

interface Judged {
  readonly verdict: 'keep' | 'close'
  readonly reasons: readonly Reason[]
}

type Maybe = Reason | undefined

const judged = (verdict: Judged['verdict'], reasons: readonly Maybe[]): Judged => ({ verdict, reasons: reasons.filter((reason) => reason !== undefined) })

const reason = (code: string, points: number, en: string, zh: string): Reason => ({ code, points, text: { en, zh } })

function inUse(evidence: Evidence): Judged {
  const { rhythm, from, handover, usage } = evidence
  return judged('keep', [
    reason('USED', 50, `used on ${rhythm.days} days, last on ${dayWords(rhythm.lastDay)}`, `${rhythm.days} 天有使用，最近一次为 ${dayWords(rhythm.lastDay)}`),
    rhythmReason(rhythm),
    standing(evidence),
    sourcelessReason(evidence),
    rhythm.silentDays <= 7 ? reason('RECENT', 10, 'used within the last week', '最近一周内有使用') : undefined,
    from.seen >= 2 ? reason('SOURCES', 5, `${from.seen} sources use it`, `${from.seen} 个来源在使用`) : undefined,
    shortSpan(evidence),
    gaps(evidence, -10),
    evidence.lost > 0 && from.kind === 'prefixes' ? reason('LOST', -40, `${evidence.lost} connections came from sources that are not known`, `有 ${evidence.lost} 个连接的来源未知`) : undefined,
    usage.watch.lost.length > 0 ? reason('HOST_LOST', -10, `evidence of the host was lost: ${usage.watch.lost[0] ?? ''}`, `主机证据有丢失：${usage.watch.lost[0] ?? ''}`) : undefined,
    ...sourceReasons(from),
    groupReason(evidence.group),
    handover === undefined ? undefined : reason('HANDOVER', 0, `a source was replaced: ${handover}`, `来源已更换：${handover}`),
  ])
}

function rhythmReason({ kind, cycles, days }: Rhythm): Reason {
  if (kind === 'daily' || kind === 'business-days') return reason('RHYTHM', 25, RHYTHM_WORDS[kind].en, RHYTHM_WORDS[kind].zh)
  if (kind === 'once') return reason('RHYTHM', -25, 'seen on one day: no rhythm can be told', '仅一天出现：无法判断周期')
  if (kind === 'irregular') return reason('RHYTHM', days >= 5 && cycles >= 3 ? 15 : 0, `no rhythm, ${cycles} bursts`, `无固定周期，共 ${cycles} 次集中使用`)
  return reason('RHYTHM', 20, `${RHYTHM_WORDS[kind].en}, ${cycles} times`, `${RHYTHM_WORDS[kind].zh}，共 ${cycles} 次`)
}

export const RHYTHM_WORDS: Readonly<Record<Rhythm['kind'], Text>> = {
  daily: { en: 'every day', zh: '每天' },
  'business-days': { en: 'on working days', zh: '工作日' },
  weekly: { en: 'every week', zh: '每周' },
  'month-end': { en: 'at the end of the month', zh: '月末' },
  monthly: { en: 'every month', zh: '每月' },
  quarterly: { en: 'every quarter', zh: '每季度' },
  irregular: { en: 'now and then', zh: '不定期' },
  once: { en: 'on one day', zh: '仅一天' },
  never: { en: 'never', zh: '从未' },
}

/** A need is written from sources; what only a metric saw has none, so it is asked for whatever else speaks for it. */
function sourcelessReason({ group }: Evidence): Maybe {
  const because = sourcelessOf(group)
  if (because === undefined) return undefined
  if (isOnlySourceless(group)) return reason('SOURCES_UNKNOWN', -100, `only a metric shows the use: ${because}; by whom is not known`, `仅有指标显示在使用：${because}；使用方未知`)
  return reason('METRIC', 5, `a metric shows use as well: ${because}`, `指标也显示在使用：${because}`)
}

const sourcelessOf = ({ endpoints }: PortGroup): string | undefined => endpoints.find(({ sourceless }) => sourceless !== undefined)?.sourceless?.because
const isOnlySourceless = (group: PortGroup): boolean => sourcelessOf(group) !== undefined && group.sources.every(({ days }) => days.isEmpty)

/** Whether something stands there to be reached. */
function standing({ listening, group, usage }: Evidence): Maybe {
  if (group.kind === 'transient') return undefined
  if (published(group) !== undefined) return reason('PUBLISHED', 15, `handed on to ${published(group) ?? ''}`, `转发到 ${published(group) ?? ''}`)
  const who = listening.unit ?? listening.process
  if (listening.state === 'seen') return reason('LISTENS', 15, `${who ?? 'a process'} listens`, `${who ?? '有进程'} 正在监听`)
  if (listening.state === 'unknown') return undefined
  const isAnswered = group.sources.some((source) => source.isAnswered)
  if (listening.state === 'gone' && usage.watch.lastDay - (listening.lastDay ?? 0) < 7) return reason('JUST_GONE', -5, 'what listened stopped within a week', '监听进程一周内停止')
  return reason('NOTHING_LISTENS', isAnswered ? -15 : -45, 'nothing listens there: clients try in vain', '没有进程监听：客户端连接无效')
}

function shortSpan({ rhythm, watchedDays }: Evidence): Maybe {
  const needed = SPAN_DAYS_NEEDED[rhythm.kind]
  if (watchedDays >= needed) return undefined
  return reason('SHORT', rhythm.kind === 'once' || rhythm.kind === 'irregular' ? 0 : -10, `${watchedDays} days were watched, ${needed} would be needed to know its rhythm`, `已观测 ${watchedDays} 天，判断其周期需要 ${needed} 天`)
}

function gaps({ watchedShare, usage }: Evidence, points: number): Maybe {
  if (watchedShare >= WATCHED_SHARE_MIN) return undefined
  const share = Math.round(watchedShare * 100)
  return reason('GAPS', points, `only ${share} % of the days from ${dayWords(usage.watch.firstDay)} on were watched`, `自 ${dayWords(usage.watch.firstDay)} 起仅观测了 ${share}% 的天数`)
}

const WATCHED_SHARE_MIN = 0.9

function sourceReasons({ kind, prefixes, foreseen, zone, isPool }: SourceSet): Maybe[] {
  if (kind === 'zone') return [reason('ZONE', 0, `all sources are in zone ${zone ?? ''}`, `所有来源均属于区域 ${zone ?? ''}`)]
  if (kind === 'any') return [reason('PUBLIC', 0, 'sources come from all over the internet', '来源遍布互联网')]
  if (isPool) return [reason('POOL', -15, `clients change addresses within ${prefixes.map(formatPrefix).join(', ')}: all newcomers came from there`, `客户端在 ${prefixes.map(formatPrefix).join('、')} 内更换地址：新来源均在其中`)]
  const isChanging = foreseen !== undefined && foreseen < FORESEEN_SHARE_MIN
  const share = Math.round((foreseen ?? 1) * 100)
  return [
    isChanging ? reason('SOURCES_CHANGE', -60, `clients change addresses: of the newest, only ${share} % would have been let in by those before`, `客户端地址在变化：按之前的来源放行，最新来源仅有 ${share}% 能够访问`) : undefined,
    prefixes.length > PREFIXES_MAX ? reason('SOURCES_SCATTERED', -40, `the sources make ${prefixes.length} prefixes: too many to review`, `来源需要 ${prefixes.length} 个网段，难以复核`) : undefined,
  ]
}

function groupReason({ kind, endpoints, ports }: PortGroup): Maybe {
  if (kind === 'moving' && endpoints.length > 0) return reason('MOVES', -60, 'it takes another port after each start: pin it', '每次启动都会更换端口：请固定端口')
  if (kind !== 'transient') return undefined
  const width = ports.last - ports.first + 1
  const isDense = endpoints.length >= 10 && endpoints.length >= width / 2
  return reason('RANGE', isDense ? 0 : -40, `${endpoints.length} of ${width} ports of a range were opened for a while`, `范围内 ${width} 个端口中有 ${endpoints.length} 个曾短暂开放`)
}

function stopped(evidence: Evidence): Judged {
  const { rhythm, usage, listening } = evidence
  const { watched, lastDay } = usage.watch
  const monthEnds = monthEndsWatched(watched, (rhythm.lastDay ?? 0) + 1, lastDay)
  return judged('close', [
    reason('STOPPED', rhythm.silentDays >= 35 ? 65 : 40, `not used for ${rhythm.silentDays} watched days, last on ${dayWords(rhythm.lastDay)}`, `已观测的 ${rhythm.silentDays} 天内未使用，最近一次为 ${dayWords(rhythm.lastDay)}`),
    untilThen(evidence),
    monthEnds > 0 ? reason('MONTH_ENDS', 10, `${monthEnds} month ends went by without it`, `其间经过 ${monthEnds} 个月末仍未使用`) : undefined,
    ...absence(listening, evidence),
    ...caution(evidence),
  ])
}

/** Whether what stopped was steady enough not to be a job that comes back. */
function untilThen({ rhythm, usage, listening, used }: Evidence): Reason {
  const { watched, lastDay } = usage.watch
  const spanOfUse = (rhythm.lastDay ?? 0) - (rhythm.firstDay ?? 0) + 1
  const isSteady = rhythm.kind !== 'irregular' && spanOfUse >= STEADY_DAYS_MIN
  const isBusy = rhythm.kind === 'irregular' && rhythm.days >= 15 && spanOfUse >= STEADY_DAYS_MIN
  if (isSteady || isBusy) return reason('WAS_STEADY', 15, `until then it was used ${RHYTHM_WORDS[rhythm.kind].en}`, `此前的使用周期：${RHYTHM_WORDS[rhythm.kind].zh}`)
  const isClosingMissed = !used.some(isClosingDay) && isQuarterCovered(watched, (rhythm.lastDay ?? 0) + 1, lastDay)
  if (isClosingMissed && spanOfUse > CLOSING_JOB_DAYS_MAX) return reason('WAS_NO_CLOSING', 5, `used on ${rhythm.days} days that were no quarter’s closing, and a whole closing went by without it`, `使用过 ${rhythm.days} 天，均非季末结算日，且其后完整经过一次季末结算仍未使用`)
  if (isClosingMissed && listening.state === 'gone' && lastDay - (listening.lastDay ?? lastDay) >= GONE_DAYS_MIN) return reason('WAS_SHORT', -20, `used on only ${rhythm.days} days, of no quarter’s closing, and what listened is gone`, `仅使用过 ${rhythm.days} 天，均非季末结算日，且监听进程已不存在`)
  return reason('WAS_SHORT', -60, `used on only ${rhythm.days} days: it may come back, at the end of a quarter for instance`, `仅使用过 ${rhythm.days} 天：可能再次出现，例如季末`)
}

/** A quarter's closing, of a week or so, can look like a steady use that stopped. */
const STEADY_DAYS_MIN = 14
const CLOSING_JOB_DAYS_MAX = 7
/** Longer than a service is away for its own maintenance. */
const GONE_DAYS_MIN = 28

function neverUsed(evidence: Evidence): Judged {
  const { usage, listening, watchedDays } = evidence
  const { watched, firstDay, lastDay } = usage.watch
  if (watchedDays === 0) return judged('close', [foundReason(evidence), reason('NOT_WATCHED', 0, 'no day was watched yet: counters were read less than a day apart, or not at all', '尚未观测满一天：计数读取间隔不足一天，或从未读取')])
  const monthEnds = monthEndsWatched(watched, firstDay, lastDay)
  const isQuarter = isQuarterCovered(watched, firstDay, lastDay)
  return judged('close', [
    reason('NEVER_USED', 40, `not used in ${watchedDays} watched days`, `已观测的 ${watchedDays} 天内从未使用`),
    watchedDays >= 28 && monthEnds >= 1 ? reason('MONTH_ENDS', monthEnds >= 2 ? 25 : 15, `${monthEnds} month ends were watched`, `观测覆盖 ${monthEnds} 个月末`) : reason('SHORT', -10, `${watchedDays} days without a whole month end: a job of the month end would not be seen; ${SPAN_DAYS_NEEDED.never} would be needed`, `${watchedDays} 天未覆盖完整月末，看不到月末作业；需要 ${SPAN_DAYS_NEEDED.never} 天`),
    isQuarter && watchedDays >= 80
      ? reason('QUARTER_END', 25, 'each day of a quarter’s closing was watched', '季末结算的每一天都已观测')
      : reason('NO_QUARTER_END', 0, 'not each day of a quarter’s closing was watched', '季末结算的日子未全部观测'),
    DESKTOP_DAEMONS.test(listening.process ?? '') ? reason('DESKTOP', 15, 'a desktop service that distributions install by default', '发行版默认安装的桌面服务') : undefined,
    listening.process === 'rpcbind' && !hasRpcService(usage) ? reason('NO_RPC', 15, 'it only tells the ports of RPC services, and none listens on this host', '仅用于查询 RPC 服务端口，而本机没有 RPC 服务监听') : undefined,
    ...absence(listening, evidence),
    ...caution(evidence),
  ])
}

// CIS Debian Linux 12 Benchmark 1.1.0, section 2.1, asks for their removal from servers.
const DESKTOP_DAEMONS = /^(?:avahi-daemon|cupsd|cups-browsed)$/

// RFC 1833: the port mapper answers where a program of RPC is. Those of Debian's nfs-kernel-server, nfs-common, nis, quotarpc and rstatd.
const RPC_SERVICES = /^(?:rpc\.|nfsd?$|lockd$|yp(?:serv|bind|passwdd|xfrd)$|glusterfs|ganesha)/

const hasRpcService = ({ endpoints }: HostUsage): boolean => endpoints.some(({ listening }) => RPC_SERVICES.test(listening.process ?? '') || RPC_SERVICES.test(listening.unit ?? ''))

function absence(listening: ListeningDays, { usage, group }: Evidence): Maybe[] {
  const found = foundReason({ group, listening })
  if (found) return [found]
  if (published(group) !== undefined) return [reason('PUBLISHED', 0, `it is handed on to ${published(group) ?? ''}`, `仍转发到 ${published(group) ?? ''}`)]
  if (listening.state === 'unknown') return [reason('LISTENERS_UNKNOWN', -30, 'whether something listens is not known', '是否有进程监听未知')]
  if (listening.state === 'seen') return []
  const goneDays = usage.watch.lastDay - (listening.lastDay ?? usage.watch.firstDay)
  return goneDays >= 14 ? [reason('GONE', 25, `nothing has listened there for ${goneDays} days`, `已有 ${goneDays} 天没有进程监听`)] : []
}

/** Whoever answers there was not seen, and so what uses it may not have been either. */
function foundReason({ group, listening }: Pick<Evidence, 'group' | 'listening'>): Maybe {
  const found = foundUnexplained(group, listening)
  return found === undefined ? undefined : reason('FOUND_OPEN', -60, `a scan found it open on ${dayWords(found)}, and nothing was seen to listen there`, `扫描于 ${dayWords(found)} 发现其开放，但未见有进程监听`)
}

/** What makes silence say less. */
function caution(evidence: Evidence): Maybe[] {
  const { host, usage, group, listening, watchedShare, lost, options } = evidence
  const rare = rareUseOf(options.profiles, group.protocol, group.ports, listening.process)
  const isHostLost = usage.watch.lost.length > 0
  return [
    host.tier === 'core' ? reason('CORE', -15, 'the host is of the core tier', '主机属于核心层级') : undefined,
    rare ? reason('RARE_USE', -15, rare.why.en, rare.why.zh) : undefined,
    lost > 0 || isHostLost ? reason('LOST', -60, `evidence was lost${isHostLost ? `: ${usage.watch.lost[0] ?? ''}` : ''}`, `证据有丢失${isHostLost ? `：${usage.watch.lost[0] ?? ''}` : ''}`) : undefined,
    watchedShare >= WATCHED_SHARE_MIN ? undefined : gaps(evidence, -30),
  ]
}

function questionOf({ group, listening, rhythm, from, usage }: Evidence, isStopped: boolean): Text {
  const who = listening.unit ?? listening.process ?? published(group) ?? `${group.protocol} ${group.ports.first}`
  if (group.kind === 'moving') return { en: `Can ${who} be pinned to one port? It takes another after each start.`, zh: `能否将 ${who} 固定到一个端口？它每次启动都会更换端口。` }
  if (group.kind === 'transient') return { en: `Which port range is configured? Ports ${group.ports.first} to ${group.ports.last} were opened for a while.`, zh: `配置的端口范围是多少？曾短暂开放 ${group.ports.first} 到 ${group.ports.last}。` }
  const found = foundUnexplained(group, listening)
  if (rhythm.kind === 'never' && found !== undefined) return { en: `What answers at ${who}? A scan found it open on ${dayWords(found)}.`, zh: `${who} 是什么服务？扫描于 ${dayWords(found)} 发现其开放。` }
  if (rhythm.kind === 'never' && usage.watch.watched.isEmpty) return { en: `Who uses ${who}? Nothing is known yet.`, zh: `谁在使用 ${who}？目前尚无依据。` }
  if (rhythm.kind === 'never') return { en: `Does anyone use ${who}? It was not used in the ${usage.watch.watched.days().length} days that were watched.`, zh: `是否有人使用 ${who}？已观测的 ${usage.watch.watched.days().length} 天内未使用。` }
  if (isOnlySourceless(group)) return { en: `Who uses ${who}? The metric ${sourcelessOf(group) ?? ''} shows that somebody does, and no source was seen.`, zh: `谁在使用 ${who}？指标 ${sourcelessOf(group) ?? ''} 显示在使用，但未见来源。` }
  if (isStopped) return { en: `Was ${who} retired after ${dayWords(rhythm.lastDay)}?`, zh: `${who} 是否在 ${dayWords(rhythm.lastDay)} 之后停用？` }
  if (from.kind === 'prefixes' && from.foreseen !== undefined && from.foreseen < FORESEEN_SHARE_MIN) return { en: `Which network do the clients of ${who} get their addresses from? Name it as a zone.`, zh: `${who} 的客户端从哪个网段获取地址？请将其写为区域。` }
  return { en: `Is ${who} still needed, and when does it come again? It was used ${RHYTHM_WORDS[rhythm.kind].en}.`, zh: `${who} 是否仍需要、何时再次使用？已知使用情况：${RHYTHM_WORDS[rhythm.kind].zh}。` }
}

const dayWords = (day: number | undefined): string => (day === undefined ? '?' : formatDay(day))

const published = ({ endpoints }: PortGroup): string | undefined => endpoints.find((endpoint) => endpoint.published !== undefined)?.published
const foundOpen = ({ endpoints }: PortGroup): Day | undefined => endpoints.find((endpoint) => endpoint.foundOpen !== undefined)?.foundOpen

/** Found open although nothing was seen that would answer, or not any more by then. */
function foundUnexplained(group: PortGroup, { state, lastDay }: ListeningDays): Day | undefined {
  const found = foundOpen(group)
  if (found === undefined || state === 'seen' || published(group) !== undefined) return undefined
  return state === 'gone' && found <= (lastDay ?? found) ? undefined : found
}

const fingerprint = ({ endpoints }: PortGroup): string | undefined => endpoints.find((endpoint) => endpoint.fingerprint !== undefined)?.fingerprint

const listeningOf = ({ endpoints }: PortGroup): ListeningDays =>
  endpoints.find(({ listening }) => listening.state === 'seen')?.listening ?? endpoints[0]?.listening ?? { state: 'unknown', isEphemeral: false }
