import { formatAddress } from '@portcullis/core/net/address.ts'
import { ADDRESS_TYPES, CT_STATUS } from '@portcullis/core/ruleset/ruleset.ts'
import type { Condition } from '@portcullis/core/verify/accepts.ts'
import { t, type Pen } from './words.ts'

/** What a field without a column must hold: `source port 67`. */
export function conditionWords(pen: Pen, { field, values }: Condition): string {
  const label = LABELS[field]
  const own = OWN_WORDS[field]?.(values)
  return `${label ? t(pen, label) : field} ${own ?? rangesWords(values)}`
}

const LABELS: Partial<Record<Condition['field'], { readonly en: string; readonly zh: string }>> = {
  sport: { en: 'source port', zh: '源端口' },
  ttl: { en: 'hop limit', zh: '跳数 (TTL)' },
  icmpCode: { en: 'ICMP code', zh: 'ICMP 代码' },
  length: { en: 'length', zh: '长度' },
  dscp: { en: 'DSCP', zh: 'DSCP' },
  pkttype: { en: 'frame to', zh: '帧类型' },
  macSaddr: { en: 'MAC source', zh: '源 MAC' },
  extension: { en: 'IPv6 extension header', zh: 'IPv6 扩展首部' },
  mark: { en: 'mark', zh: '标记' },
  ctMark: { en: 'flow mark', zh: '连接标记' },
  ctDirection: { en: 'direction', zh: '方向' },
  ctStatus: { en: 'flow status', zh: '连接状态位' },
  iifType: { en: 'link type', zh: '链路类型' },
  iifIndex: { en: 'interface number', zh: '接口编号' },
  oifIndex: { en: 'outgoing interface number', zh: '出接口编号' },
  saddrType: { en: 'source type', zh: '来源地址类型' },
  saddrTypeIif: { en: 'source type at the interface', zh: '接口上的来源地址类型' },
  saddrTypeOif: { en: 'source type at the outgoing interface', zh: '出接口上的来源地址类型' },
  daddrTypeIif: { en: 'destination type at the interface', zh: '接口上的目的地址类型' },
  daddrTypeOif: { en: 'destination type at the outgoing interface', zh: '出接口上的目的地址类型' },
  saddrRoute: { en: 'route back to the source', zh: '返回来源的路由' },
  saddrRouteIif: { en: 'route back by the interface', zh: '经原接口返回的路由' },
  ctOriginalProtocol: { en: 'protocol of the flow’s first packet', zh: '连接首个报文的协议' },
  ctOriginalDport: { en: 'destination port before NAT', zh: 'NAT 前目的端口' },
  ctOriginalSport: { en: 'source port before NAT', zh: 'NAT 前源端口' },
  ctOriginalSaddr4: { en: 'source before NAT', zh: 'NAT 前来源' },
  ctOriginalSaddr6: { en: 'source before NAT', zh: 'NAT 前来源' },
  ctOriginalDaddr4: { en: 'destination before NAT', zh: 'NAT 前目的地址' },
  ctOriginalDaddr6: { en: 'destination before NAT', zh: 'NAT 前目的地址' },
}

type Values = Condition['values']

const rangesWords = (values: Values): string => shortened(values.map(({ first, last }) => (first === last ? String(first) : `${first}-${last}`)))

const LISTED_MAX = 6
const shortened = (words: readonly string[]): string => words.slice(0, LISTED_MAX).join(',') + (words.length > LISTED_MAX ? ` +${words.length - LISTED_MAX}` : '')

const hex = (values: Values): string => shortened(values.map(({ first, last }) => [first, last].slice(first === last ? 1 : 0).map((each) => `0x${each.toString(16)}`).join('-')))

const named = (names: Readonly<Record<number, string>>) => (values: Values): string =>
  shortened(values.flatMap(({ first, last }) => (last - first > 15n ? [`${first}-${last}`] : Array.from({ length: Number(last - first) + 1 }, (_, index) => names[Number(first) + index] ?? String(Number(first) + index)))))

const isHeld = (values: Values, value: bigint): boolean => values.some(({ first, last }) => first <= value && value <= last)

/** A single bit that must be there, or must not, by its name; else the values. */
function statusWords(values: Values): string | undefined {
  const all = Array.from({ length: 64 }, (_, bits) => BigInt(bits))
  for (const [name, bit] of Object.entries(CT_STATUS)) {
    if (all.every((bits) => isHeld(values, bits) === ((bits & BigInt(bit)) !== 0n))) return name
    if (all.every((bits) => isHeld(values, bits) === ((bits & BigInt(bit)) === 0n))) return `not ${name}`
  }
  return undefined
}

const address = (bits: 32 | 128) => (values: Values): string => shortened(values.map(({ first, last }) => [first, last].slice(first === last ? 1 : 0).map((value) => addressWords(value, bits)).join('-')))

const addressWords = (value: bigint, bits: 32 | 128): string => formatAddress({ family: bits === 32 ? 4 : 6, value })

const TYPES: Readonly<Record<number, string>> = Object.fromEntries(Object.entries(ADDRESS_TYPES).map(([name, number]) => [number, name]))

const OWN_WORDS: Partial<Record<Condition['field'], (values: Values) => string | undefined>> = {
  mark: hex,
  ctMark: hex,
  ctStatus: statusWords,
  ctDirection: named({ 0: 'original', 1: 'reply' }),
  pkttype: named({ 0: 'this host', 1: 'broadcast', 2: 'multicast', 3: 'another host' }),
  extension: named({ 256: 'none' }),
  saddrRoute: named({ 0: 'none', 1: 'yes' }),
  saddrRouteIif: named({ 0: 'none', 1: 'yes' }),
  saddrType: named(TYPES),
  saddrTypeIif: named(TYPES),
  saddrTypeOif: named(TYPES),
  daddrTypeIif: named(TYPES),
  daddrTypeOif: named(TYPES),
  macSaddr: (values) => shortened(values.map(({ first, last }) => [first, last].slice(first === last ? 1 : 0).map((each) => each.toString(16).padStart(12, '0').replaceAll(/(..)(?=.)/g, '$1:')).join('-'))),
  ctOriginalSaddr4: address(32),
  ctOriginalDaddr4: address(32),
  ctOriginalSaddr6: address(128),
  ctOriginalDaddr6: address(128),
}
