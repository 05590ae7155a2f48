import { entryOf } from '../jsonNode.ts'
import type { Cursor } from './cursor.ts'
import { unexpected, type Token } from './token.ts'

/** What nft's JSON output holds for the same text: the one form that the neutral reader understands. */
export type Json = string | number | boolean | null | Json[] | { [key: string]: Json }

const DEPTH_MAX = 64

/** A field, a concatenation of fields, or a masked or shifted one: the left side of a comparison. Undefined: no expression starts here. */
export function readKey(cursor: Cursor, depth = 0): Json | undefined {
  const first = readMaskedField(cursor, depth)
  if (first === undefined || !cursor.is('.')) return first
  const parts = [first]
  // A constant may stand in an element that a rule adds: `update @s { meta l4proto . 0 }`.
  while (cursor.take('.')) parts.push(readMaskedField(cursor, depth) ?? readValue(cursor, depth))
  return { concat: parts }
}

const OPERATORS = ['&', '|', '^', '<<', '>>']

function readMaskedField(cursor: Cursor, depth: number): Json | undefined {
  let left = readField(cursor, depth)
  while (left !== undefined && cursor.is(...OPERATORS)) {
    const operator = cursor.next().text
    left = { [operator]: [left, readOperand(cursor, depth)] }
  }
  return left
}

function readOperand(cursor: Cursor, depth: number): Json {
  if (depth > DEPTH_MAX) throw unexpected(cursor.peek(), 'fewer brackets', '较少的括号')
  if (!cursor.take('(')) return readKeyOrValue(cursor, depth)
  let value = readOperand(cursor, depth + 1)
  while (cursor.is(...OPERATORS)) {
    const operator = cursor.next().text
    value = { [operator]: [value, readOperand(cursor, depth + 1)] }
  }
  cursor.expect(')')
  return flatten(value)
}

/** nft prints `(fin | syn | rst)` as one list. */
function flatten(value: Json): Json {
  const parts = alternatives(value)
  return parts.length > 1 ? { '|': parts } : value
}

function alternatives(value: Json): Json[] {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return [value]
  const sides = value['|']
  return Array.isArray(sides) ? sides.flatMap(alternatives) : [value]
}

/** `tcp` on the right is a protocol, not the start of a field; only marks are combined with one another. */
const readKeyOrValue = (cursor: Cursor, depth: number): Json =>
  cursor.is('meta', 'ct') && cursor.peek(1).text === 'mark' ? (readField(cursor, depth) ?? refuseExpression(cursor)) : readValue(cursor, depth)

/** Right side of a comparison: a set, a named set, a list of flags, a range, a concatenation, a lone value. */
export function readRight(cursor: Cursor): Json {
  if (cursor.is('{')) return { set: readBraced(cursor, () => readElement(cursor)) }
  const first = readConcatenation(cursor)
  if (cursor.is('|')) return readFlags(cursor, first)
  if (!cursor.is(',')) return first
  const list = [first]
  while (cursor.take(',')) list.push(readConcatenation(cursor))
  return list
}

function readFlags(cursor: Cursor, first: Json): Json {
  const flags = [first]
  while (cursor.take('|')) flags.push(readValue(cursor, 0))
  return { '|': flags }
}

/** A value, or several joined by dots; commas around it belong to whoever asks. */
export function readConcatenation(cursor: Cursor): Json {
  const first = readOperand(cursor, 0)
  if (!cursor.is('.')) return first
  const parts = [first]
  while (cursor.take('.')) parts.push(readOperand(cursor, 0))
  return { concat: parts }
}

/** Items between braces, commas between them; line ends do not count. */
export function readBraced(cursor: Cursor, readItem: () => Json): Json[] {
  cursor.expect('{')
  const items: Json[] = []
  cursor.skipLines()
  while (!cursor.is('}')) {
    items.push(readItem())
    cursor.skipLines()
    if (!cursor.is('}')) cursor.expect(',')
    cursor.skipLines()
  }
  cursor.expect('}')
  return items
}

/** An element of a set with what the kernel tells of it: counter, timeout, expiry, comment. */
export function readElement(cursor: Cursor): Json {
  const first = cursor.take('*') ? '*' : readConcatenation(cursor)
  const value = cursor.is('|') ? readFlags(cursor, first) : first
  const options: { [key: string]: Json } = {}
  while (!cursor.isAtEnd && !cursor.is(',', ':', '}')) readElementOption(cursor, options)
  return Object.keys(options).length > 0 ? { elem: { val: value, ...options } } : value
}

function readElementOption(cursor: Cursor, options: { [key: string]: Json }): void {
  const word = cursor.word('an option of an element', '元素的选项')
  if (word.text === 'timeout' || word.text === 'expires') options[word.text] = readSeconds(cursor)
  else if (word.text === 'comment') options['comment'] = cursor.name()
  else if (ELEMENT_STATEMENTS.has(word.text)) while (!cursor.isAtEnd && !cursor.is(',', ':', '}') && !ELEMENT_OPTIONS.has(cursor.peek().text)) cursor.next()
  else throw unexpected(word, 'an option of an element', '元素的选项')
}

const ELEMENT_STATEMENTS = new Set(['counter', 'limit', 'quota', 'ct', 'last'])
const ELEMENT_OPTIONS = new Set(['timeout', 'expires', 'comment', ...ELEMENT_STATEMENTS])

const SECONDS: Readonly<Record<string, number>> = { w: 604_800, d: 86_400, h: 3600, m: 60, s: 1, ms: 0 }

/** `1d2h3m4s5ms`, or a lone number of seconds; parts of a second are cut off, as in JSON. */
export function readSeconds(cursor: Cursor): number {
  const token = cursor.word('a duration', '时长')
  if (/^[0-9]{1,9}$/.test(token.text)) return Number(token.text)
  if (!/^(?:[0-9]{1,9}(?:w|d|h|ms|m|s))+$/.test(token.text)) throw unexpected(token, 'a duration such as 1h30m', '时长（如 1h30m）')
  return [...token.text.matchAll(/([0-9]+)(ms|[wdhms])/g)].reduce((sum, [, count, unit]) => sum + Number(count) * (SECONDS[unit ?? ''] ?? 0), 0)
}

/** A number, a symbol, an address, a prefix, a range. */
export function readValue(cursor: Cursor, depth: number): Json {
  if (cursor.is('(')) return readOperand(cursor, depth + 1)
  const token = cursor.next()
  if (token.kind === 'string') return cursor.take('-') ? { range: [token.text, cursor.name()] } : token.text
  if (token.kind !== 'word') throw unexpected(token, 'a value', '值')
  return valueOf(token.text)
}

export function valueOf(text: string): Json {
  if (text === 'exists') return true
  if (text === 'missing') return false
  const slash = text.lastIndexOf('/')
  if (slash > 0 && /^[0-9a-fA-F.:]+\/[0-9]{1,3}$/.test(text)) return { prefix: { addr: text.slice(0, slash), len: Number(text.slice(slash + 1)) } }
  const range = rangeOf(text)
  if (range) return { range }
  return atomOf(text)
}

/** `22-25`, `10.0.0.1-10.0.0.9`, `fe80::1-fe80::9`; symbols hold dashes too and are no ranges. */
function rangeOf(text: string): Json[] | undefined {
  const at = text.indexOf('-')
  const [first, last] = [text.slice(0, at), text.slice(at + 1)]
  return at > 0 && isEdge(first) && isEdge(last) ? [atomOf(first), atomOf(last)] : undefined
}

const isEdge = (text: string): boolean => /^(?:0x[0-9a-fA-F]+|[0-9]+|[0-9]+(?:\.[0-9]+){3}|[0-9a-fA-F]*:[0-9a-fA-F:.]*)$/.test(text) || Object.hasOwn(SERVICES, text)

function atomOf(text: string): Json {
  if (/^(?:0x[0-9a-fA-F]{1,13}|[0-9]{1,15})$/.test(text)) return Number(text)
  return text
}

/** Names of ports that people write in files; nft itself prints numbers. From /etc/services of Debian's netbase. */
const SERVICES: Readonly<Record<string, number>> = {
  ftp: 21, ssh: 22, telnet: 23, smtp: 25, domain: 53, bootps: 67, bootpc: 68, tftp: 69, http: 80, kerberos: 88, pop3: 110, sunrpc: 111, ntp: 123,
  'netbios-ns': 137, 'netbios-dgm': 138, 'netbios-ssn': 139, imap2: 143, snmp: 161, 'snmp-trap': 162, bgp: 179, ldap: 389, https: 443, 'microsoft-ds': 445,
  isakmp: 500, syslog: 514, 'dhcpv6-client': 546, 'dhcpv6-server': 547, submission: 587, ldaps: 636, imaps: 993, pop3s: 995, openvpn: 1194, nfs: 2049,
  mysql: 3306, 'ms-wbt-server': 3389, 'ipsec-nat-t': 4500, sip: 5060, mdns: 5353, postgresql: 5432, x11: 6000, redis: 6379,
}

/** Ports are compared as numbers; a port's name is replaced where a port field stands on the left. */
export function withPortNumbers(key: Json, right: Json): Json {
  return JSON.stringify(key).match(/"[sd]port"|"proto-(?:src|dst)"/) ? replaceServices(right) : right
}

function replaceServices(value: Json): Json {
  if (typeof value === 'string') return entryOf(SERVICES, value) ?? value
  if (Array.isArray(value)) return value.map(replaceServices)
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, replaceServices(inner)]))
}

// ───────────────────────────── fields ─────────────────────────────

const PAYLOADS = new Set(['ip', 'ip6', 'tcp', 'udp', 'udplite', 'sctp', 'dccp', 'th', 'icmp', 'icmpv6', 'igmp', 'ether', 'arp', 'vlan', 'ah', 'esp', 'comp'])
/** Keys that nft also reads without the word `meta` before them (nft(8), META EXPRESSIONS). */
const BARE_META = new Set(['mark', 'iif', 'iifname', 'iiftype', 'oif', 'oifname', 'oiftype', 'skuid', 'skgid', 'nftrace', 'rtclassid', 'pkttype', 'cpu', 'iifgroup', 'oifgroup', 'cgroup', 'ipsec', 'time', 'hour', 'day'])
const EXTENSION_HEADERS = new Set(['frag', 'hbh', 'dst', 'mh', 'rt'])

function readField(cursor: Cursor, depth: number): Json | undefined {
  const token = cursor.peek()
  if (token.kind !== 'word') return undefined
  const { text } = token
  if (text.startsWith('@') && /^@(?:ll|nh|th|ih),?$/.test(text)) return readRaw(cursor)
  if (text === 'meta' || BARE_META.has(text)) return readMeta(cursor)
  if (text === 'ct') return readCt(cursor)
  if (text === 'fib') return readFib(cursor)
  if (cursor.takeAll('tcp', 'option') || cursor.takeAll('ip', 'option') || cursor.takeAll('sctp', 'chunk')) return readOption(cursor, text)
  if (PAYLOADS.has(text)) return readPayload(cursor)
  if (text === 'exthdr' || EXTENSION_HEADERS.has(text)) return readExtensionHeader(cursor)
  return readOther(cursor, depth)
}

function readPayload(cursor: Cursor): Json {
  const protocol = cursor.next().text
  return { payload: { protocol, field: cursor.name() } }
}

function readMeta(cursor: Cursor): Json {
  cursor.take('meta')
  const key = cursor.name()
  return { meta: { key: (Object.hasOwn(META_ALIASES, key) ? META_ALIASES[key] : undefined) ?? key } }
}

const META_ALIASES: Readonly<Record<string, string>> = { protocol: 'protocol', ibriport: 'ibrname', obriport: 'obrname' }

function readCt(cursor: Cursor): Json {
  cursor.expect('ct')
  if (!cursor.is('original', 'reply')) return { ct: { key: cursor.name() } }
  const dir = cursor.next().text
  const first = cursor.name()
  const key = first === 'ip' || first === 'ip6' ? `${first} ${cursor.name()}` : first
  return { ct: { key, dir } }
}

const FIB_FLAGS = new Set(['saddr', 'daddr', 'mark', 'iif', 'oif'])

/** `fib daddr . iif type`: the last word is the result, the others are flags. */
function readFib(cursor: Cursor): Json {
  cursor.expect('fib')
  const flags = [cursor.name()]
  while (cursor.take('.')) flags.push(cursor.name())
  if (!flags.every((flag) => FIB_FLAGS.has(flag))) throw unexpected(cursor.peek(), 'a flag of fib', 'fib 的标志')
  return { fib: { result: cursor.name(), flags } }
}

function readOption(cursor: Cursor, kind: string): Json {
  const name = cursor.name()
  const field = cursor.peek().kind === 'word' && !cursor.is('exists', 'missing', 'set') && /^[a-z]/.test(cursor.peek().text) ? cursor.next().text : undefined
  return { [kind === 'sctp' ? 'sctp chunk' : `${kind} option`]: { name, ...(field === undefined ? {} : { field }) } }
}

function readExtensionHeader(cursor: Cursor): Json {
  if (cursor.take('exthdr')) return { exthdr: { name: cursor.name() } }
  const name = cursor.next().text
  const field = cursor.name()
  return name === 'rt' && (field === 'classid' || field === 'nexthop' || field === 'mtu' || field === 'ipsec') ? { rt: { key: field } } : { exthdr: { name, field } }
}

/** `@th,16,32`. */
function readRaw(cursor: Cursor): Json {
  const base = cursor.next().text.replace(/[@,]/g, '')
  const numbers: Json[] = []
  while (cursor.take(',')) numbers.push(atomOf(cursor.name()))
  return { payload: { base, offset: numbers[0] ?? 0, len: numbers[1] ?? 0 } }
}

/** Expressions that no field of the model stands for: kept as words, so that the comparison is unknown by name. */
const OTHER: Readonly<Record<string, number>> = { socket: 2, osf: 2, ipsec: 3, numgen: 4, symhash: 3 }

function readOther(cursor: Cursor, depth: number): Json | undefined {
  const token = cursor.peek()
  if (cursor.take('jhash')) return readHash(cursor, depth)
  const words = Object.hasOwn(OTHER, token.text) ? OTHER[token.text] : undefined
  if (words === undefined) return undefined
  const text = Array.from({ length: words }, () => cursor.name())
  if (cursor.take('offset')) text.push('offset', cursor.name())
  return { [token.text]: text.slice(1).join(' ') }
}

function readHash(cursor: Cursor, depth: number): Json {
  const key = readKey(cursor, depth + 1) ?? refuseExpression(cursor)
  const words: string[] = []
  while (cursor.is('mod', 'seed', 'offset')) words.push(cursor.next().text, cursor.name())
  return { jhash: { expr: key, with: words.join(' ') } }
}

function refuseExpression(cursor: Cursor): never {
  const token: Token = cursor.peek()
  throw unexpected(token, 'an expression', '表达式')
}
