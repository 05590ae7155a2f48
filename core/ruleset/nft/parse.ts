import { FaultError, fail, succeed, type Fault, type Place, type Result } from '../../fault/fault.ts'
import type { BaseChain, Chain, Hook, NamedSet, Rule, Ruleset, SetElement, Source, Table, TableFamily, Unmodelled } from '../ruleset.ts'
import { itemsOfDocument, itemsOfText, type JsonItem } from './jsonItem.ts'
import { entryOf, nftJsonFault, type Json, type JsonNode } from './jsonNode.ts'
import { parseField } from './parseField.ts'
import { parseElement, parseNatElement, parseSteps, parseVerdictElement, type TableContext } from './parseRule.ts'
import { SET_TYPES, type DataType } from './parseValue.ts'
import { compactJson, printNft } from './print.ts'
import { PRIORITY_SYMBOLS } from './symbols.ts'

/** Four times what a 100,000-element ruleset takes. */
export const NFT_JSON_CHARACTERS_MAX = 64 * 1024 * 1024

/**
 * Reads the output of `nft -j list ruleset` (also of `list table`), nft 1.0.6 and later.
 * What is understood in form but not modelled becomes an unknown match, a note or `unmodelled`, by name; nothing is skipped in silence.
 * Faults: RULESET_NFT_JSON (not JSON, or not of nft's shape; the message gives the JSON pointer), RULESET_TOO_LARGE.
 */
export function parseNftJson(text: string, file: string): Result<Ruleset> {
  if (text.length > NFT_JSON_CHARACTERS_MAX) return fail(tooLarge(text.length))
  const items = itemsOfText(text)
  try {
    return items ? parseItems(items, { file, dialect: 'nft-json', text }) : parseNftDocument(JSON.parse(text) as Json, file)
  } catch (error) {
    if (error instanceof SyntaxError) return fail(syntaxFault(text, file))
    throw error
  }
}

/** The same for a document that is JSON already. A rule may carry `line` and `written`, where the document was read from nft's text. */
export function parseNftDocument(document: Json, file: string, dialect: 'nft' | 'nft-json' = 'nft-json'): Result<Ruleset> {
  try {
    return parseItems(itemsOfDocument(document), { file, dialect })
  } catch (error) {
    if (error instanceof FaultError) return fail({ ...error.fault, place: { file, line: 1, column: 1 } })
    throw error
  }
}

interface Origin {
  readonly file: string
  readonly dialect: 'nft' | 'nft-json'
  readonly text?: string
}

const SETS = new Set(['set', 'map', 'meter'])
/** Objects that do nothing until a rule names them; the rule tells. */
const SILENT = new Set(['metainfo', 'counter', 'quota', 'limit', 'ct helper', 'ct timeout', 'ct expectation', 'synproxy', 'secmark'])

function parseItems(items: readonly JsonItem[], origin: Origin): Result<Ruleset> {
  const reader = new DocumentReader(origin)
  for (const item of items) {
    try {
      reader.take(item)
    } catch (error) {
      if (error instanceof FaultError) return fail({ ...error.fault, place: placeAt(item.offset ?? 0, origin) })
      throw error
    }
  }
  return succeed(reader.finish())
}

interface OpenTable {
  readonly family: TableFamily
  readonly name: string
  readonly isDormant: boolean
  readonly chains: Map<string, { readonly chain: Chain; readonly rules: Rule[] }>
  readonly sets: NamedSet[]
  readonly context: TableContext
}

class DocumentReader {
  readonly #origin: Origin
  readonly #tables = new Map<string, OpenTable>()
  readonly #foreign = new Set<string>()
  readonly #unmodelled: Unmodelled[] = []

  #item: JsonItem | undefined

  constructor(origin: Origin) {
    this.#origin = origin
  }

  take(item: JsonItem): void {
    this.#item = item
    const object = item.read()
    const { key, node } = object.sole ?? object.refuse('must be an object', '必须是对象')
    if (key === 'table') this.#table(node)
    else if (key === 'chain') this.#chain(node)
    else if (key === 'rule') this.#rule(node)
    else if (SETS.has(key)) this.#set(node, key)
    else if (!SILENT.has(key)) this.#outside(`${key} ${node.member('name')?.text() ?? ''}`.trim(), node)
  }

  #table(node: JsonNode): void {
    const family = node.require('family').text()
    const name = node.require('name').text()
    if (!isTableFamily(family)) {
      this.#foreign.add(`${family} ${name}`)
      this.#outside(`table ${family} ${name}`, node)
      return
    }
    const flags = node.member('flags')?.oneOrMore() ?? []
    this.#tables.set(`${family} ${name}`, {
      family,
      name,
      isDormant: flags.some((flag) => flag.value === 'dormant'),
      chains: new Map(),
      sets: [],
      context: { family, dynamicSets: new Set() },
    })
  }

  #chain(node: JsonNode): void {
    const table = this.#tableOf(node)
    if (!table) return
    const name = node.require('name').text()
    const base = this.#base(node)
    const rules: Rule[] = []
    const source = this.#source(node, printName)
    table.chains.set(name, { chain: { name, ...(base ? { base } : {}), rules, source }, rules })
  }

  #rule(node: JsonNode): void {
    const table = this.#tableOf(node)
    if (!table) return
    const expression = node.require('expr')
    const chain = table.chains.get(node.require('chain').text())
    if (!chain) return node.refuse('names a chain that is not listed before it', '引用了之前没有列出的链')
    const comment = node.member('comment')?.text()
    chain.rules.push({
      steps: parseSteps(expression, table.context),
      ...(comment === undefined ? {} : { comment }),
      source: this.#source(node, printRule),
    })
  }

  #set(node: JsonNode, kind: string): void {
    const table = this.#tableOf(node)
    if (!table) return
    const name = node.require('name').text()
    const source = this.#source(node, printName)
    const isDeclaredDynamic = (node.member('flags')?.oneOrMore() ?? []).some((flag) => flag.value === 'dynamic')
    const types = parseSetTypes(node.require('type'), table.family)
    const elements = types && parseSetElements(node, types)
    if (!elements) this.#outside(`${kind} ${name}: an element or type that is not modelled`, node)
    table.sets.push({ name, elements: elements ?? [], isDynamic: isDeclaredDynamic || !elements, source })
  }

  #outside(construct: string, node: JsonNode): void {
    this.#unmodelled.push({ construct, source: this.#source(node, compactJson) })
  }

  finish(): Ruleset {
    const tables = [...this.#tables.values()].map((open): Table => ({
      family: open.family,
      backend: 'nft',
      name: open.name,
      isDormant: open.isDormant,
      chains: [...open.chains.values()].map(({ chain }) => chain),
      sets: open.sets.map((set) => (open.context.dynamicSets.has(set.name) ? { ...set, isDynamic: true } : set)),
    }))
    return { tables, unmodelled: this.#unmodelled }
  }

  #tableOf(node: JsonNode): OpenTable | undefined {
    const key = `${node.require('family').text()} ${node.require('table').text()}`
    const table = this.#tables.get(key)
    if (!table && !this.#foreign.has(key)) node.refuse('names a table that is not listed before it', '引用了之前没有列出的表')
    return table
  }

  #base(node: JsonNode): BaseChain | undefined {
    const hook = node.member('hook')?.text()
    if (hook === undefined) return undefined
    const type = node.require('type').text()
    if (!isHook(hook) || !isChainType(type)) {
      this.#outside(`chain ${node.require('name').text()} hook ${hook}`, node)
      return undefined
    }
    const policy = node.member('policy')?.value === 'drop' ? 'drop' : 'accept'
    return { type, hook, priority: parsePriority(node.require('prio')), policy }
  }

  #source(node: JsonNode, print: (node: JsonNode) => string): Source {
    const { file, dialect } = this.#origin
    const line = node.member('line')?.value
    if (typeof line === 'number') return { dialect, file, line, text: node.member('written')?.text() ?? print(node) }
    if (dialect === 'nft' || !this.#item) return { dialect, file, text: print(node) }
    const handle = node.member('handle')?.value
    return new NftSource(file, this.#item, typeof handle === 'number' ? handle : undefined, print)
  }
}

/** Text and pointer are only made when a message needs them: a ruleset of 100,000 rules is read for its meaning. */
class NftSource implements Source {
  readonly dialect = 'nft-json'
  readonly file: string
  readonly handle?: number
  readonly #item: JsonItem
  readonly #print: (node: JsonNode) => string

  constructor(file: string, item: JsonItem, handle: number | undefined, print: (node: JsonNode) => string) {
    this.file = file
    if (handle !== undefined) this.handle = handle
    this.#item = item
    this.#print = print
  }

  get pointer(): string {
    return this.#read().pointer
  }

  get text(): string {
    return this.#print(this.#read())
  }

  #read(): JsonNode {
    const object = this.#item.read()
    return object.sole?.node ?? object
  }
}

const printName = (node: JsonNode): string => `${node.key} ${node.require('name').text()}`

const printRule = (node: JsonNode): string => node.require('expr').items().map(printNft).join(' ').slice(0, 500)

/** A named set's types, written as `"ipv4_addr"`, `["ipv4_addr", "inet_service"]`, `"ipv4_addr . inet_service"` or by `typeof`. */
function parseSetTypes(node: JsonNode, family: TableFamily): DataType[] | undefined {
  const types: DataType[] = []
  const typeOf = node.member('typeof')
  const parts = typeOf ? (typeOf.member('concat')?.items() ?? [typeOf]) : node.oneOrMore()
  for (const part of parts) {
    for (const name of typeof part.value === 'string' ? part.value.split(' . ') : [undefined]) {
      const type = name === undefined ? parseField(part, family)?.type : entryOf(SET_TYPES, name)
      if (!type || type === 'fragment') return undefined
      types.push(type)
    }
  }
  return types
}

function parseSetElements(node: JsonNode, types: readonly DataType[]): SetElement[] | undefined {
  const value = node.member('map')?.value
  const isPair = value !== undefined
  const parse = !isPair ? parseElement : value === 'verdict' ? parseVerdictElement : parseNatElement
  const elements: SetElement[] = []
  for (const item of node.member('elem')?.oneOrMore() ?? []) {
    const element = parse(item, types)
    if (!element) return undefined
    const key = isPair ? item.items()[0] : item
    const expires = key?.member('elem')?.member('expires')?.value
    elements.push(typeof expires === 'number' ? { ...element, expiresSeconds: expires } : element)
  }
  return elements
}

function parsePriority(node: JsonNode): number {
  if (typeof node.value === 'number') return node.integer()
  const [, name = '', offset = '0'] = /^(\w+)(?: *([+-] *[0-9]+))?$/.exec(node.text()) ?? []
  const base = entryOf(PRIORITY_SYMBOLS, name)
  return base === undefined ? node.refuse('is not a priority', '不是优先级') : base + Number(offset.replaceAll(' ', ''))
}

const isTableFamily = (name: string): name is TableFamily => name === 'ip' || name === 'ip6' || name === 'inet'

const isHook = (name: string): name is Hook =>
  name === 'prerouting' || name === 'input' || name === 'forward' || name === 'output' || name === 'postrouting'

const isChainType = (name: string): name is BaseChain['type'] => name === 'filter' || name === 'nat' || name === 'route'

/** V8 tells `position N` for most syntax errors; where it does not, the end of the text is where it gave up. */
function syntaxFault(text: string, file: string): Fault {
  const message = syntaxMessage(text)
  const position = Number(/position (\d+)/.exec(message)?.[1] ?? text.length)
  return { ...nftJsonFault(`is not JSON: ${message}`, `不是 JSON：${message}`), place: placeAt(position, { file, text }) }
}

/** Of the whole text, whatever part of it was being read. */
function syntaxMessage(text: string): string {
  try {
    JSON.parse(text)
  } catch (error) {
    return (error as SyntaxError).message
  }
  return 'it is read differently in parts'
}

function placeAt(position: number, { file, text = '' }: Pick<Origin, 'file' | 'text'>): Place {
  const before = text.slice(0, position)
  return { file, line: before.split('\n').length, column: position - before.lastIndexOf('\n') }
}

const tooLarge = (characters: number) => ({
  code: 'RULESET_TOO_LARGE',
  what: {
    en: `the ruleset has ${characters} characters; the limit is ${NFT_JSON_CHARACTERS_MAX}`,
    zh: `规则集有 ${characters} 个字符，上限为 ${NFT_JSON_CHARACTERS_MAX}`,
  },
})
