import { Cursor } from './cursor.ts'
import { readBraced, readElement, readKey, readSeconds, type Json } from './expression.ts'
import { readPair, readRule } from './statement.ts'
import { tokenize, unexpected, type Token } from './token.ts'

/**
 * Reads the text of `nft list ruleset`, and files that `nft -f` takes: `table` blocks, also reopened ones, and the commands
 * add, create, flush, delete on tables, chains, sets, elements and rules, in their order. Gives the document that `nft -j list ruleset`
 * would give, each rule with its line. `include` and variables are refused: what they stand for is not in the text.
 */
export function readNftDocument(text: string): { nftables: Json[] } {
  const document = new DocumentText(text)
  document.read()
  return { nftables: document.list() }
}

interface TableText {
  readonly family: string
  readonly name: string
  flags: Json[]
  readonly sets: Map<string, { readonly kind: 'set' | 'map'; readonly body: { [key: string]: Json }; elements: Json[] }>
  readonly chains: Map<string, { body: { [key: string]: Json }; rules: Json[] }>
  readonly others: Json[]
}

const FAMILIES = new Set(['ip', 'ip6', 'inet', 'arp', 'bridge', 'netdev'])

class DocumentText {
  readonly #cursor: Cursor
  readonly #lines: readonly string[]
  readonly #tables = new Map<string, TableText>()

  constructor(text: string) {
    this.#cursor = new Cursor(tokenize(text))
    this.#lines = text.split('\n')
  }

  read(): void {
    const cursor = this.#cursor
    cursor.skipLines()
    while (cursor.peek().kind !== 'end') {
      this.#command(cursor.peek())
      cursor.skipLines()
    }
  }

  list(): Json[] {
    return [...this.#tables.values()].flatMap((table) => {
      const at = { family: table.family, table: table.name }
      return [
        { table: { family: table.family, name: table.name, ...(table.flags.length > 0 ? { flags: table.flags } : {}) } },
        ...table.others.map((other) => other),
        ...[...table.chains].map(([name, chain]) => ({ chain: { ...at, name, ...chain.body } })),
        ...[...table.sets].map(([name, set]) => ({ [set.kind]: { ...at, name, ...set.body, ...(set.elements.length > 0 ? { elem: set.elements } : {}) } })),
        ...[...table.chains].flatMap(([chain, { rules }]) => rules.map((rule) => ({ rule: { ...at, chain, ...(rule as object) } }))),
      ]
    })
  }

  #command(token: Token): void {
    const cursor = this.#cursor
    if (cursor.take('table')) return this.#table()
    const verb = token.kind === 'word' ? token.text : ''
    if (!VERBS.has(verb)) throw unexpected(token, '"table"', '“table”')
    cursor.next()
    if (verb === 'flush' || verb === 'delete' || verb === 'destroy') this.#flush(verb)
    else return this.#add()
    cursor.endLine()
  }

  #table(): void {
    const table = this.#openTable()
    if (!this.#cursor.is('{')) return this.#cursor.endLine()
    this.#block(() => this.#tableItem(table))
    this.#cursor.endLine()
  }

  #openTable(): TableText {
    const first = this.#cursor.name()
    const family = FAMILIES.has(first) ? first : 'ip'
    const name = FAMILIES.has(first) ? this.#cursor.name() : first
    const key = `${family} ${name}`
    const open = this.#tables.get(key) ?? { family, name, flags: [], sets: new Map(), chains: new Map(), others: [] }
    this.#tables.set(key, open)
    return open
  }

  /** Items of a block in braces, one a line. */
  #block(readItem: () => void): void {
    const cursor = this.#cursor
    cursor.expect('{')
    cursor.skipLines()
    while (!cursor.is('}')) {
      if (cursor.peek().kind === 'end') throw unexpected(cursor.peek(), '"}"', '“}”')
      readItem()
      cursor.skipLines()
    }
    cursor.expect('}')
  }

  #tableItem(table: TableText): void {
    const cursor = this.#cursor
    if (cursor.take('chain')) return this.#chain(table, cursor.name())
    if (cursor.is('set', 'map')) return this.#set(table, cursor.next().text === 'map' ? 'map' : 'set', cursor.name())
    if (cursor.take('flags')) table.flags = [cursor.name()]
    else if (cursor.take('comment')) cursor.name()
    else this.#object(table)
    cursor.endLine()
  }

  /** Counters, limits, helpers, flowtables: a kind, a name and a block of their own. */
  #object(table: TableText): void {
    const cursor = this.#cursor
    const token = cursor.peek()
    const kind = cursor.takeAll('ct', 'helper') ? 'ct helper' : cursor.takeAll('ct', 'timeout') ? 'ct timeout' : cursor.takeAll('ct', 'expectation') ? 'ct expectation' : OBJECTS.has(token.text) ? cursor.next().text : undefined
    if (kind === undefined) throw unexpected(token, 'a chain, a set or an object', '链、集合或对象')
    const name = cursor.name()
    if (cursor.is('{')) cursor.skipBlock()
    if (!table.others.some((other) => JSON.stringify(other).includes(`"name":${JSON.stringify(name)}`))) table.others.push({ [kind]: { family: table.family, table: table.name, name } })
  }

  #chain(table: TableText, name: string): void {
    const chain = table.chains.get(name) ?? { body: {}, rules: [] }
    table.chains.set(name, chain)
    if (this.#cursor.is('{')) this.#block(() => this.#chainItem(chain))
    this.#cursor.endLine()
  }

  #chainItem(chain: { body: { [key: string]: Json }; rules: Json[] }): void {
    const cursor = this.#cursor
    if (cursor.is('type') && cursor.peek(1).kind === 'word' && cursor.peek(2).text === 'hook') chain.body = { ...chain.body, ...readBase(cursor) }
    else if (cursor.take('policy')) chain.body['policy'] = cursor.name()
    else if (cursor.take('comment') || cursor.take('flags')) cursor.name()
    else chain.rules.push(this.#rule())
    cursor.endLine()
  }

  #rule(): Json {
    const { line } = this.#cursor.peek()
    const { statements, comment } = readRule(this.#cursor)
    const written = (this.#lines[line - 1] ?? '').trim().slice(0, 500)
    return { expr: statements, line, written, ...(comment === undefined ? {} : { comment }) }
  }

  #set(table: TableText, kind: 'set' | 'map', name: string): void {
    const set = table.sets.get(name) ?? { kind, body: {}, elements: [] }
    table.sets.set(name, set)
    if (this.#cursor.is('{')) this.#block(() => this.#setItem(set))
    this.#cursor.endLine()
  }

  #setItem(set: { kind: 'set' | 'map'; body: { [key: string]: Json }; elements: Json[] }): void {
    const cursor = this.#cursor
    const token = cursor.word('a property of a set', '集合的属性')
    if (token.text === 'type') readTypes(cursor, set.body)
    else if (token.text === 'typeof') readTypeOf(cursor, set.body)
    else if (token.text === 'flags') set.body['flags'] = readWordList(cursor)
    else if (token.text === 'elements') {
      cursor.expect('=')
      set.elements.push(...this.#elements(set))
    } else if (token.text === 'timeout' || token.text === 'gc-interval') set.body[token.text] = readSeconds(cursor)
    else while (!cursor.isAtEnd) cursor.next()
    cursor.endLine()
  }

  #elements(set: { kind: 'set' | 'map'; body: { [key: string]: Json } }): Json[] {
    return readBraced(this.#cursor, () => (set.kind === 'map' ? readPair(this.#cursor, typesOf(set.body)) : readElement(this.#cursor)))
  }

  #add(): void {
    const cursor = this.#cursor
    const what = cursor.word('what to add', '要添加的对象')
    const table = this.#openTable()
    if (what.text === 'chain') return this.#chain(table, cursor.name())
    if (what.text === 'set' || what.text === 'map') return this.#set(table, what.text, cursor.name())
    if (what.text === 'rule') this.#addRule(table, cursor.peek())
    else if (what.text === 'element') this.#addElements(table, cursor.peek())
    else if (what.text !== 'table') throw unexpected(what, 'table, chain, set, map, rule or element', 'table、chain、set、map、rule 或 element')
    cursor.endLine()
  }

  #addRule(table: TableText, at: Token): void {
    const chain = table.chains.get(this.#cursor.name())
    if (!chain) throw unexpected(at, 'a chain that is declared above', '上文已声明的链')
    chain.rules.push(this.#rule())
  }

  #addElements(table: TableText, at: Token): void {
    const set = table.sets.get(this.#cursor.name())
    if (!set) throw unexpected(at, 'a set that is declared above', '上文已声明的集合')
    set.elements.push(...this.#elements(set))
  }

  /** `flush ruleset`, `flush table`, `flush chain`, `flush set`, and `delete` of what is named. */
  #flush(verb: string): void {
    const cursor = this.#cursor
    const what = cursor.word('what to flush or delete', '要清空或删除的对象')
    if (what.text === 'ruleset') return this.#tables.clear()
    const table = this.#openTable()
    const isDelete = verb !== 'flush'
    if (what.text === 'table') {
      for (const chain of table.chains.values()) chain.rules = []
      if (isDelete) this.#tables.delete(`${table.family} ${table.name}`)
      return
    }
    const name = cursor.name()
    if (what.text === 'chain' && isDelete) table.chains.delete(name)
    else if (what.text === 'chain') emptyRules(table.chains.get(name))
    else if (what.text === 'set' || what.text === 'map') emptyElements(table.sets.get(name))
    else throw unexpected(what, 'table, chain, set or map', 'table、chain、set 或 map')
    if (isDelete && what.text !== 'chain') table.sets.delete(name)
  }
}

const VERBS = new Set(['add', 'create', 'flush', 'delete', 'destroy'])
const OBJECTS = new Set(['counter', 'quota', 'limit', 'flowtable', 'synproxy', 'secmark'])

function emptyRules(chain: { rules: Json[] } | undefined): void {
  if (chain) chain.rules = []
}

function emptyElements(set: { elements: Json[] } | undefined): void {
  if (set) set.elements = []
}

/** `type filter hook input priority filter + 10; policy drop;`, with a device for ingress. */
function readBase(cursor: Cursor): { [key: string]: Json } {
  cursor.expect('type')
  const type = cursor.name()
  cursor.expect('hook')
  const hook = cursor.name()
  if (cursor.take('device')) cursor.name()
  if (cursor.take('devices')) {
    cursor.expect('=')
    cursor.skipBlock()
  }
  cursor.expect('priority')
  return { type, hook, prio: readPriority(cursor), policy: 'accept' }
}

function readPriority(cursor: Cursor): Json {
  const token = cursor.word('a priority', '优先级')
  if (/^-?[0-9]{1,9}$/.test(token.text)) return Number(token.text)
  const words = [token.text]
  while (cursor.peek().kind === 'word' && !cursor.isAtEnd) words.push(cursor.next().text)
  return words.join(' ')
}

/** `type ipv4_addr . inet_service : verdict`. */
function readTypes(cursor: Cursor, body: { [key: string]: Json }): void {
  const keys = [cursor.name()]
  while (cursor.take('.')) keys.push(cursor.name())
  const [first = ''] = keys
  body['type'] = keys.length > 1 ? keys : first
  if (!cursor.take(':')) return
  const values = [cursor.name()]
  while (cursor.take('.')) values.push(cursor.name())
  body['map'] = values.length > 1 ? values : (values[0] ?? '')
}

function readTypeOf(cursor: Cursor, body: { [key: string]: Json }): void {
  body['type'] = { typeof: readKey(cursor) ?? null }
  if (cursor.take(':')) body['map'] = cursor.is('verdict') ? cursor.name() : { typeof: readKey(cursor) ?? null }
}

function readWordList(cursor: Cursor): Json[] {
  const words = [cursor.name()]
  while (cursor.take(',')) words.push(cursor.name())
  return words
}

/** Tells the reader of pairs whether the keys are ports. */
const typesOf = (body: { [key: string]: Json }): Json => (JSON.stringify(body['type'] ?? '').includes('inet_service') ? { payload: { field: 'dport' } } : '')
