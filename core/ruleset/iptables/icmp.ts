import type { Word } from './line.ts'
import { notA, readNumber } from './number.ts'

export interface IcmpType {
  readonly type: number
  readonly code?: number
}

/** Undefined: `any`, every type, which ICMPv6 does not have. Names as iptables(8) extensions accept them; iptables-save prints numbers. */
export function icmpTypeOf(word: Word, protocol: 'icmp' | 'icmpv6'): IcmpType | undefined {
  const name = word.text.toLowerCase()
  if (protocol === 'icmp' && (name === 'any' || name === '255')) return undefined
  const known = Object.hasOwn(NAMES[protocol], name) ? NAMES[protocol][name] : undefined
  if (known) return known
  const [type = '', code] = name.split('/')
  if (!/^[0-9]+$/.test(type)) throw notA(word, 'an ICMP type', 'ICMP 类型')
  const number = Number(readNumber({ ...word, text: type }, 255))
  return code === undefined ? { type: number } : { type: number, code: Number(readNumber({ ...word, text: code }, 255)) }
}

const codes = (type: number, names: readonly string[]): [string, IcmpType][] => names.map((name, code) => [name, { type, code }])

const NAMES: Record<'icmp' | 'icmpv6', Readonly<Record<string, IcmpType>>> = {
  icmp: Object.fromEntries<IcmpType>([
    ['echo-reply', { type: 0 }],
    ['pong', { type: 0 }],
    ['destination-unreachable', { type: 3 }],
    ...codes(3, ['network-unreachable', 'host-unreachable', 'protocol-unreachable', 'port-unreachable', 'fragmentation-needed', 'source-route-failed', 'network-unknown', 'host-unknown']),
    ['source-quench', { type: 4 }],
    ['redirect', { type: 5 }],
    ...codes(5, ['network-redirect', 'host-redirect', 'tos-network-redirect', 'tos-host-redirect']),
    ['echo-request', { type: 8 }],
    ['ping', { type: 8 }],
    ['router-advertisement', { type: 9 }],
    ['router-solicitation', { type: 10 }],
    ['time-exceeded', { type: 11 }],
    ['ttl-exceeded', { type: 11 }],
    ...codes(11, ['ttl-zero-during-transit', 'ttl-zero-during-reassembly']),
    ['parameter-problem', { type: 12 }],
    ...codes(12, ['ip-header-bad', 'required-option-missing']),
    ['timestamp-request', { type: 13 }],
    ['timestamp-reply', { type: 14 }],
    ['address-mask-request', { type: 17 }],
    ['address-mask-reply', { type: 18 }],
  ]),
  icmpv6: Object.fromEntries<IcmpType>([
    ['destination-unreachable', { type: 1 }],
    ...codes(1, ['no-route', 'communication-prohibited', 'beyond-scope', 'address-unreachable', 'port-unreachable', 'failed-policy', 'reject-route']),
    ['packet-too-big', { type: 2 }],
    ['time-exceeded', { type: 3 }],
    ['ttl-exceeded', { type: 3 }],
    ...codes(3, ['ttl-zero-during-transit', 'ttl-zero-during-reassembly']),
    ['parameter-problem', { type: 4 }],
    ...codes(4, ['bad-header', 'unknown-header-type', 'unknown-option']),
    ['echo-request', { type: 128 }],
    ['ping', { type: 128 }],
    ['echo-reply', { type: 129 }],
    ['pong', { type: 129 }],
    ['router-solicitation', { type: 133 }],
    ['router-advertisement', { type: 134 }],
    ['neighbour-solicitation', { type: 135 }],
    ['neighbor-solicitation', { type: 135 }],
    ['neighbour-advertisement', { type: 136 }],
    ['neighbor-advertisement', { type: 136 }],
    ['redirect', { type: 137 }],
  ]),
}
