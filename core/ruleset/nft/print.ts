import { entryOf, type JsonNode } from './jsonNode.ts'

const LENGTH_MAX = 500

/** An nft JSON expression or statement as nft(8) would write it, for messages; at most 500 characters. Constructs it does not know stay JSON. */
export function printNft(node: JsonNode): string {
  const text = print(node, 0)
  return text.length > LENGTH_MAX ? `${text.slice(0, LENGTH_MAX - 1)}…` : text
}

const DEPTH_MAX = 32

function print(node: JsonNode, depth: number): string {
  if (depth > DEPTH_MAX) return '…'
  const inner = (child: JsonNode): string => print(child, depth + 1)
  if (node.isList) return node.items().slice(0, 200).map(inner).join(',')
  if (typeof node.value === 'string') return node.value
  if (!node.isObject) return compactJson(node)
  const { key, node: body } = node.sole ?? {}
  if (key === undefined || !body) return '{}'
  const known = entryOf(PRINTERS, key)
  if (known && (body.isObject || body.isList)) return known(body, inner)
  return body.value === null ? key : `${key} ${compactJson(body)}`
}

/** JSON of a value that nobody has looked into, which may be nested deeper than the stack is. */
export function compactJson(node: JsonNode): string {
  try {
    return JSON.stringify(node.value).slice(0, LENGTH_MAX)
  } catch (error) {
    if (error instanceof RangeError) return '…'
    throw error
  }
}

type Printer = (body: JsonNode, inner: (node: JsonNode) => string) => string

const member = (body: JsonNode, key: string, inner: (node: JsonNode) => string): string => {
  const node = body.member(key)
  return node ? inner(node) : ''
}

const words = (...parts: readonly string[]): string => parts.filter((part) => part !== '').join(' ')

const infix =
  (operator: string): Printer =>
  (body, inner) =>
    body.isList ? body.items().map(inner).join(` ${operator} `) : inner(body)

const printNat =
  (verb: string): Printer =>
  (body, inner) => {
    const address = member(body, 'addr', inner)
    const port = member(body, 'port', inner)
    return words(verb, address || port ? 'to' : '', `${address}${port ? `:${port}` : ''}`)
  }

/** `ct state established`, `tcp flags syn`: nft writes neither `==` nor `in`. */
const printMatch: Printer = (body, inner) => {
  const operator = member(body, 'op', inner)
  const shown = operator === '==' || operator === 'in' ? '' : operator
  return words(member(body, 'left', inner), shown, member(body, 'right', inner))
}

/** As nft's text has it: without the burst that holds by default. */
const printLimit: Printer = (body, inner) => {
  const unit = member(body, 'rate_unit', inner)
  const burst = member(body, 'burst', inner)
  return words(
    'limit rate',
    body.member('inv')?.value === true ? 'over' : '',
    `${words(member(body, 'rate', inner), unit)}/${member(body, 'per', inner)}`,
    LIMIT_BURSTS.has(burst) ? '' : words('burst', burst, member(body, 'burst_unit', inner) || 'packets'),
  )
}

/** 5 packets, no bytes. */
const LIMIT_BURSTS: ReadonlySet<string> = new Set(['', '0', '5'])

/** nft prints these without the word `meta`. */
const BARE_META = new Set(['iif', 'oif', 'iifname', 'oifname'])

const PRINTERS: Readonly<Record<string, Printer>> = {
  match: printMatch,
  payload: (body, inner) =>
    body.member('protocol')
      ? words(member(body, 'protocol', inner), member(body, 'field', inner))
      : `@${member(body, 'base', inner)},${member(body, 'offset', inner)},${member(body, 'len', inner)}`,
  meta: (body, inner) => {
    const key = member(body, 'key', inner)
    return BARE_META.has(key) ? key : `meta ${key}`
  },
  ct: (body, inner) => words('ct', member(body, 'dir', inner), member(body, 'key', inner)),
  fib: (body, inner) =>
    words('fib', (body.member('flags')?.oneOrMore() ?? []).map(inner).join(' . '), member(body, 'result', inner)),
  prefix: (body, inner) => `${member(body, 'addr', inner)}/${member(body, 'len', inner)}`,
  range: (body, inner) => body.items().map(inner).join('-'),
  concat: infix('.'),
  set: (body, inner) =>
    body.isList
      ? `{ ${body.items().slice(0, 20).map(inner).join(', ')} }`
      : words(member(body, 'op', inner), member(body, 'set', inner), `{ ${words(member(body, 'elem', inner), member(body, 'stmt', inner))} }`),
  elem: (body, inner) => member(body, 'val', inner),
  '|': infix('|'),
  '&': infix('&'),
  '^': infix('^'),
  vmap: (body, inner) => words(member(body, 'key', inner), 'vmap', member(body, 'data', inner)),
  map: (body, inner) => words(member(body, 'key', inner), 'map', member(body, 'data', inner)),
  jump: (body, inner) => words('jump', member(body, 'target', inner)),
  goto: (body, inner) => words('goto', member(body, 'target', inner)),
  counter: () => 'counter',
  log: (body, inner) => words('log', body.member('prefix') ? `prefix "${member(body, 'prefix', inner)}"` : ''),
  limit: (body, inner) => (body.member('text') ? `limit ${member(body, 'text', inner)}` : printLimit(body, inner)),
  'ct count': (body, inner) => words('ct count', body.member('inv')?.value === true ? 'over' : '', member(body, 'val', inner)),
  numgen: (body, inner) => words('numgen', member(body, 'mode', inner), 'mod', member(body, 'mod', inner)),
  mangle: (body, inner) => words(member(body, 'key', inner), 'set', member(body, 'value', inner)),
  reject: (body, inner) => words('reject', body.member('type') ? `with ${member(body, 'type', inner)}` : '', member(body, 'expr', inner)),
  dnat: printNat('dnat'),
  snat: printNat('snat'),
  redirect: printNat('redirect'),
  masquerade: () => 'masquerade',
}
