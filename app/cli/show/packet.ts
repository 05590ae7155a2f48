import type { Packet } from '@portcullis/core/ruleset/packet.ts'
import { formatPacket } from '@portcullis/core/ruleset/packetText.ts'
import type { Hook } from '@portcullis/core/ruleset/ruleset.ts'
import type { PacketVerdict } from '@portcullis/core/verify/decide.ts'
import type { Unknown } from '@portcullis/core/verify/linear.ts'
import type { ChainPath, HookPath, PathStep } from '@portcullis/core/verify/rulePath.ts'
import { placeWords, ruleWords, tableWords, WAYS } from './ruleWords.ts'
import { t, type Pen } from './words.ts'

/** The verdict, the rules that lead to it as a tree, and what could not be decided. */
export function showPacket(pen: Pen, packet: Packet, verdict: PacketVerdict, path: readonly HookPath[], notes: readonly string[] = []): string {
  const lines = [
    `${verdictWords(pen, verdict)}  ${formatPacket(packet)}`,
    ...notes.map((note) => pen.paint.dim(`  ${note}`)),
    ...becauseLines(pen, verdict),
    ...pathLines(pen, path),
  ]
  return `${lines.join('\n')}\n`
}

const VERDICTS: Readonly<Record<PacketVerdict['kind'], readonly [paint: keyof Pen['paint'], en: string, zh: string]>> = {
  accepted: ['green', 'accepted', '放行'],
  dropped: ['red', 'dropped', '丢弃'],
  rejected: ['red', 'rejected', '拒绝'],
  undecided: ['yellow', 'undecided', '无法判定'],
}

export function verdictWords(pen: Pen, verdict: PacketVerdict): string {
  const [colour, en, zh] = VERDICTS[verdict.kind]
  const outcomes = verdict.kind === 'undecided' ? t(pen, { en: `: ${verdict.outcomes.join(' or ')}`, zh: `：${verdict.outcomes.join(' 或 ')}` }) : ''
  return pen.paint[colour](pen.paint.bold(t(pen, { en, zh }))) + outcomes
}

function becauseLines(pen: Pen, verdict: PacketVerdict): string[] {
  if (verdict.kind !== 'undecided') return []
  if (verdict.because === 'budget') return [t(pen, { en: '  because the analysis is larger than its budget', zh: '  因为分析超出预算' })]
  const hints = [...new Set(verdict.because.flatMap(({ what }) => hintOf(what)))]
  return [
    ...verdict.because.flatMap((unknown) => unknownLines(pen, unknown)),
    ...hints.map((hint) => `  ${pen.paint.cyan(`→ ${t(pen, HINTS[hint] ?? { en: hint, zh: hint })}`)}`),
  ]
}

function unknownLines(pen: Pen, { what, rule }: Unknown): string[] {
  const place = rule ? `${placeWords(rule.source)}  ` : ''
  const because = t(pen, { en: 'because of ', zh: '原因：' })
  return [`  ${because}${place}${what}`, ...(rule ? [pen.paint.dim(`    ${ruleWords(rule.source)}`)] : [])]
}

/** What a person can say more of, so that the packet is decided. */
const HINTS: Readonly<Record<string, { readonly en: string; readonly zh: string }>> = {
  iif: { en: 'say by which interface it comes: iif eth0', zh: '请注明入接口：iif eth0' },
  oif: { en: 'say by which interface it leaves: oif eth1', zh: '请注明出接口：oif eth1' },
  ports: { en: 'say its ports: 198.51.100.7:40000 -> 192.0.2.1:22', zh: '请注明端口：198.51.100.7:40000 -> 192.0.2.1:22' },
  facts: { en: "give the host's interfaces and routes: --facts FILE, or say --hook", zh: '请提供主机接口与路由：--facts FILE，或用 --hook 指定' },
  more: { en: 'say more of the packet: flags, type, mark, status, mac, pkttype, ttl, dscp, length', zh: '请补充报文字段：flags、type、mark、status、mac、pkttype、ttl、dscp、length' },
}

const HINT_OF_FIELD: Readonly<Record<string, string>> = {
  iif: 'iif',
  oif: 'oif',
  sport: 'ports',
  dport: 'ports',
  daddrType: 'facts',
  saddrType: 'facts',
  daddrTypeIif: 'facts',
  daddrTypeOif: 'facts',
  saddrTypeIif: 'facts',
  saddrTypeOif: 'facts',
  saddrRoute: 'facts',
  saddrRouteIif: 'facts',
  iifIndex: 'facts',
  oifIndex: 'facts',
  iifType: 'facts',
  'where the packet is routed to': 'facts',
  ...Object.fromEntries(['tcpFlags', 'icmpType', 'icmpCode', 'mark', 'ctMark', 'ctStatus', 'macSaddr', 'pkttype', 'ttl', 'dscp', 'length'].map((field) => [field, 'more'])),
}

/** By the words in which the linear evaluator names a field that it could not read. */
function hintOf(what: string): string[] {
  const hint = HINT_OF_FIELD[what] ?? HINT_OF_FIELD[/^([a-zA-Z0-9]+)(?:&\d+)? in [{@]/.exec(what)?.[1] ?? '']
  return hint === undefined ? [] : [hint]
}

export function pathLines(pen: Pen, path: readonly HookPath[]): string[] {
  if (path.length === 0) return ['', t(pen, { en: 'No rule is asked: nothing stands in its way.', zh: '没有规则参与判断：无任何拦截。' })]
  return path.flatMap(({ hook, chains }) => ['', pen.paint.bold(t(pen, HOOKS[hook])), ...branches(chains.map((chain) => chainLines(pen, chain)))])
}

const HOOKS: Readonly<Record<Hook, { readonly en: string; readonly zh: string }>> = {
  ...WAYS,
  prerouting: { en: 'prerouting', zh: '路由前 (prerouting)' },
  postrouting: { en: 'postrouting', zh: '路由后 (postrouting)' },
}

function chainLines(pen: Pen, { table, chain, steps }: ChainPath): string[] {
  const priority = chain.base ? pen.paint.dim(`  ${t(pen, { en: 'priority', zh: '优先级' })} ${chain.base.priority}`) : ''
  return [`${tableWords(table)} ${pen.paint.bold(chain.name)}${priority}`, ...branches(steps.map((step) => stepLines(pen, step)))]
}

function stepLines(pen: Pen, { rule, effect, isSure, into }: PathStep): string[] {
  const words = effectWords(pen, effect, isSure)
  const text = rule ? `${placeWords(rule.source)}  ${words}${restWords(pen, ruleWords(rule.source), effect)}` : words
  return [text, ...(into ? branches([chainLines(pen, into)]) : [])]
}

/** The rule as written, where it says more than what it does. */
const restWords = (pen: Pen, text: string, effect: string): string => (text === effect ? '' : `  ${pen.paint.dim(text)}`)

function effectWords(pen: Pen, effect: string, isSure: boolean): string {
  const colour = effect.endsWith('accept') ? 'green' : effect.endsWith('drop') || effect.endsWith('reject') ? 'red' : 'cyan'
  return isSure ? pen.paint[colour](effect) : pen.paint.yellow(`${t(pen, { en: 'perhaps', zh: '可能' })} ${effect}`)
}

/** Draws blocks of lines under one another as the branches of a tree. */
function branches(blocks: readonly (readonly string[])[]): string[] {
  return blocks.flatMap((block, index) => {
    const isLast = index === blocks.length - 1
    return block.map((line, at) => (at === 0 ? `${isLast ? '└─' : '├─'} ${line}` : `${isLast ? '  ' : '│ '} ${line}`))
  })
}
