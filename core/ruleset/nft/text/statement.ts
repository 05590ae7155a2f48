import type { Cursor } from './cursor.ts'
import { readBraced, readConcatenation, readElement, readKey, readRight, readSeconds, readValue, valueOf, withPortNumbers, type Json } from './expression.ts'
import { unexpected } from './token.ts'

/** One rule: its statements as nft's JSON has them, and its comment. */
export interface RuleText {
  readonly statements: Json[]
  readonly comment?: string
}

export function readRule(cursor: Cursor): RuleText {
  const statements: Json[] = []
  while (!cursor.isAtEnd) {
    if (cursor.take('comment')) return { statements, comment: cursor.name() }
    statements.push(readStatement(cursor))
  }
  return { statements }
}

function readStatement(cursor: Cursor): Json {
  const token = cursor.peek()
  const read = token.kind === 'word' && Object.hasOwn(STATEMENTS, token.text) ? STATEMENTS[token.text] : undefined
  if (read) return read(cursor)
  if (isSpecialCt(cursor)) return readCtStatement(cursor)
  return readComparison(cursor)
}

const verdict = (name: string) => (cursor: Cursor): Json => {
  cursor.expect(name)
  return { [name]: null }
}

const enter = (name: string) => (cursor: Cursor): Json => {
  cursor.expect(name)
  return { [name]: { target: cursor.name() } }
}

const STATEMENTS: Readonly<Record<string, (cursor: Cursor) => Json>> = {
  accept: verdict('accept'),
  drop: verdict('drop'),
  continue: verdict('continue'),
  return: verdict('return'),
  notrack: verdict('notrack'),
  jump: enter('jump'),
  goto: enter('goto'),
  reject: readReject,
  queue: readQueue,
  counter: readCounter,
  log: (cursor) => readWords(cursor, 'log', LOG_WORDS),
  limit: readLimit,
  quota: (cursor) => readWords(cursor, 'quota', QUOTA_WORDS),
  last: (cursor) => readWords(cursor, 'last', LAST_WORDS),
  dnat: (cursor) => readNat(cursor, 'dnat'),
  snat: (cursor) => readNat(cursor, 'snat'),
  redirect: (cursor) => readNat(cursor, 'redirect'),
  masquerade: (cursor) => readNat(cursor, 'masquerade'),
  tproxy: (cursor) => readRest(cursor, 'tproxy'),
  synproxy: (cursor) => readRest(cursor, 'synproxy'),
  dup: (cursor) => readRest(cursor, 'dup'),
  fwd: (cursor) => readRest(cursor, 'fwd'),
  xt: readXt,
  flow: readFlow,
  reset: (cursor) => readRest(cursor, 'reset'),
  meter: readMeter,
  add: readSetStatement,
  update: readSetStatement,
  delete: readSetStatement,
}

// ───────────────────────────── comparisons ─────────────────────────────

const COMPARISONS = ['==', '!=', '<', '>', '<=', '>=']

function readComparison(cursor: Cursor): Json {
  const start = cursor.peek()
  const key = readKey(cursor)
  if (key === undefined) throw unexpected(start, 'a statement', '语句')
  if (cursor.take('set')) return { mangle: { key, value: readAssigned(cursor) } }
  if (cursor.take('vmap')) return { vmap: { key, data: readPairs(cursor, key) } }
  const operator = cursor.is(...COMPARISONS, '!') ? cursor.next().text : undefined
  const right = withPortNumbers(key, readRight(cursor))
  if (isMaskedShort(cursor)) return readMaskedShort(cursor, key, operator, right)
  return { match: { op: operator ?? implied(key, right), left: key, right } }
}

/** The value after `set`: an expression over fields and numbers. */
function readAssigned(cursor: Cursor): Json {
  const key = readKey(cursor)
  if (key === undefined) return readRight(cursor)
  return cursor.take('map') ? { map: { key, data: readPairs(cursor, key) } } : key
}

/** `tcp flags syn / fin,syn,rst,ack`: of these bits, exactly those. */
const isMaskedShort = (cursor: Cursor): boolean => cursor.peek().kind === 'word' && cursor.peek().text === '/'

function readMaskedShort(cursor: Cursor, key: Json, operator: string | undefined, right: Json): Json {
  cursor.expect('/')
  const mask = readRight(cursor)
  return { match: { op: operator ?? '==', left: { '&': [key, asFlags(mask)] }, right: asFlags(right) } }
}

const asFlags = (value: Json): Json => (Array.isArray(value) ? { '|': value } : value)

/** Without an operator, flags are tested bit by bit and everything else is compared (nft(8), RELATIONAL EXPRESSIONS). */
function implied(key: Json, right: Json): string {
  if (!FLAG_KEYS.has(JSON.stringify(key))) return '=='
  const isSet = typeof right === 'object' && right !== null && !Array.isArray(right) && 'set' in right
  return isSet || (typeof right === 'string' && right.startsWith('@')) ? '==' : 'in'
}

const FLAG_KEYS = new Set(
  [{ ct: { key: 'state' } }, { ct: { key: 'status' } }, { ct: { key: 'label' } }, { ct: { key: 'event' } }, { payload: { protocol: 'tcp', field: 'flags' } }].map((key) => JSON.stringify(key)),
)

/** The pairs of a map; a verdict stands behind the colon, or a value. */
function readPairs(cursor: Cursor, key: Json): Json {
  if (cursor.peek().kind === 'word' && cursor.peek().text.startsWith('@')) return cursor.next().text
  return { set: readBraced(cursor, () => readPair(cursor, key)) }
}

export function readPair(cursor: Cursor, key: Json): Json {
  const element = withPortNumbers(key, readElement(cursor))
  cursor.expect(':')
  return [element, readMapped(cursor)]
}

const VERDICTS = ['accept', 'drop', 'continue', 'return', 'jump', 'goto', 'queue']

function readMapped(cursor: Cursor): Json {
  return cursor.is(...VERDICTS) ? readStatement(cursor) : readConcatenation(cursor)
}

// ───────────────────────────── statements ─────────────────────────────

function readReject(cursor: Cursor): Json {
  cursor.expect('reject')
  if (!cursor.take('with')) return { reject: null }
  if (cursor.takeAll('tcp', 'reset')) return { reject: { type: 'tcp reset' } }
  const type = cursor.name()
  cursor.take('type')
  return { reject: { type, expr: cursor.name() } }
}

function readQueue(cursor: Cursor): Json {
  cursor.expect('queue')
  const flags: Json[] = []
  let num: Json = 0
  while (!cursor.isAtEnd && !cursor.is('comment')) {
    if (cursor.take('num') || cursor.take('to')) num = readValue(cursor, 0)
    else if (cursor.take('flags')) flags.push(...readFlagWords(cursor))
    else if (/^[0-9]/.test(cursor.peek().text)) num = valueOf(cursor.name())
    else flags.push(cursor.name())
  }
  return { queue: { num, flags } }
}

function readFlagWords(cursor: Cursor): Json[] {
  const flags = [cursor.name()]
  while (cursor.take(',')) flags.push(cursor.name())
  return flags
}

function readCounter(cursor: Cursor): Json {
  cursor.expect('counter')
  if (cursor.take('name')) return { counter: cursor.name() }
  while (cursor.is('packets', 'bytes')) {
    cursor.next()
    cursor.name()
  }
  return { counter: null }
}

function readLimit(cursor: Cursor): Json {
  cursor.expect('limit')
  if (cursor.take('name')) return { limit: cursor.name() }
  const words: string[] = []
  while (cursor.is('rate', 'over', 'until', 'burst', 'packets', 'bytes', 'kbytes', 'mbytes') || /^[0-9]/.test(cursor.peek().text)) words.push(cursor.name())
  return { limit: { text: words.join(' ') } }
}

const LOG_WORDS = new Set(['prefix', 'level', 'group', 'snaplen', 'queue-threshold', 'flags'])
const QUOTA_WORDS = new Set(['name', 'over', 'until', 'used', 'bytes', 'kbytes', 'mbytes'])
const LAST_WORDS = new Set(['used', 'never'])

/** A statement of words and their values; what it says has no effect on the verdict, or is asked for by its text. */
function readWords(cursor: Cursor, name: string, known: ReadonlySet<string>): Json {
  cursor.expect(name)
  const words: string[] = []
  while (!cursor.isAtEnd) {
    const token = cursor.peek()
    const isKnown = token.kind === 'word' && known.has(token.text)
    if (!isKnown && !/^[0-9]/.test(token.text)) break
    words.push(cursor.next().text)
    if (token.text === 'flags') words.push(...readFlagWords(cursor).map(String))
    else if (isKnown && token.kind === 'word' && VALUED.has(token.text)) words.push(cursor.name())
  }
  return { [name]: { text: words.join(' ') } }
}

const VALUED = new Set(['prefix', 'level', 'group', 'snaplen', 'queue-threshold', 'name', 'used'])

/** A statement that the model does not have, to its end. */
function readRest(cursor: Cursor, name: string): Json {
  cursor.expect(name)
  const words: string[] = []
  while (!cursor.isAtEnd && !cursor.is('comment', 'accept')) words.push(cursor.next().text)
  return { [name]: { text: words.join(' ') } }
}

/** An iptables extension that nft cannot translate: a match goes on with the rule, a target ends it. */
function readXt(cursor: Cursor): Json {
  cursor.expect('xt')
  return { xt: { type: cursor.name(), name: cursor.name() } }
}

function readFlow(cursor: Cursor): Json {
  cursor.expect('flow')
  return { flow: { op: cursor.name(), flowtable: cursor.name() } }
}

/** `update @set { ip saddr timeout 1h limit rate 5/second }`. */
function readSetStatement(cursor: Cursor): Json {
  const op = cursor.next().text
  const set = cursor.name()
  const { elem, stmt, data } = readSetElement(cursor)
  return data === undefined ? { set: { op, elem, set, stmt } } : { map: { op, elem, map: set, data } }
}

function readMeter(cursor: Cursor): Json {
  cursor.expect('meter')
  const name = cursor.name()
  if (cursor.take('size')) cursor.name()
  return { meter: { name, ...readSetElement(cursor) } }
}

interface SetElementText {
  readonly elem: Json
  readonly stmt: Json[]
  readonly data?: Json
}

function readSetElement(cursor: Cursor): SetElementText {
  cursor.expect('{')
  const key = readKey(cursor) ?? readRight(cursor)
  const timeout = cursor.take('timeout') ? readSeconds(cursor) : undefined
  const stmt: Json[] = []
  while (!cursor.is('}', ':')) stmt.push(readStatement(cursor))
  const data = cursor.take(':') ? readMapped(cursor) : undefined
  cursor.expect('}')
  return { elem: timeout === undefined ? key : { elem: { val: key, timeout } }, stmt, ...(data === undefined ? {} : { data }) }
}

// ───────────────────────────── ct ─────────────────────────────

const isSpecialCt = (cursor: Cursor): boolean =>
  cursor.is('ct') && ((cursor.peek(1).text === 'count' && cursor.peek(1).kind === 'word') || (['helper', 'timeout', 'expectation'].includes(cursor.peek(1).text) && cursor.peek(2).text === 'set'))

function readCtStatement(cursor: Cursor): Json {
  cursor.expect('ct')
  const key = cursor.name()
  if (key !== 'count') {
    cursor.expect('set')
    return { [`ct ${key}`]: cursor.name() }
  }
  const inv = cursor.take('over')
  return { 'ct count': { val: readValue(cursor, 0), ...(inv ? { inv } : {}) } }
}

// ───────────────────────────── NAT ─────────────────────────────

const NAT_FLAGS = ['random', 'fully-random', 'persistent', 'prefix']

function readNat(cursor: Cursor, name: string): Json {
  cursor.expect(name)
  const body: { [key: string]: Json } = {}
  if (cursor.is('ip', 'ip6') && cursor.peek(1).text !== 'saddr') body['family'] = cursor.next().text
  const flags: Json[] = []
  while (cursor.is(...NAT_FLAGS)) flags.push(cursor.next().text)
  if (cursor.take('to')) readNatTarget(cursor, body)
  while (cursor.is(...NAT_FLAGS, ',')) if (!cursor.take(',')) flags.push(cursor.next().text)
  if (flags.length > 0) body['flags'] = flags
  return { [name]: Object.keys(body).length > 0 ? body : null }
}

function readNatTarget(cursor: Cursor, body: { [key: string]: Json }): void {
  const key = readKey(cursor)
  if (key !== undefined) {
    cursor.expect('map')
    body['addr'] = { map: { key, data: readPairs(cursor, key) } }
    if (cursor.peek().text.startsWith(':')) splitPort(cursor.name(), body)
    return
  }
  const first = cursor.name()
  // `addr . port` of a concatenated map without a key does not exist; `a-b:c-d` is one word.
  splitPort(first, body)
}

/** `10.0.0.1:80`, `[fe80::1]:80`, `:80-90`, `10.0.0.1-10.0.0.9`, `fe80::1`. */
function splitPort(word: string, body: { [key: string]: Json }): void {
  const match = /^(?:\[([^\]]+)\](?:-\[([^\]]+)\])?|([0-9.]+(?:-[0-9.]+)?(?:\/[0-9]+)?))?(?::([0-9]+(?:-[0-9]+)?))?$/.exec(word)
  const addresses = match ? (match[2] ? `${match[1]}-${match[2]}` : (match[1] ?? match[3])) : word
  if (addresses !== undefined) body['addr'] = valueOf(addresses)
  if (match?.[4] !== undefined) body['port'] = valueOf(match[4])
}
