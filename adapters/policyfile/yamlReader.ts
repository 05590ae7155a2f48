import { Composer, isAlias, isMap, isPair, isScalar, isSeq, Lexer, Parser, type Document, type Node, type ParsedNode, type YAMLError } from 'yaml'
import { fail, succeed, type Fault, type Place, type Result, type Text } from '@portcullis/core/fault/fault.ts'
import { placesIn, resolvePlain, type LocatedEntry, type LocatedNode, type LocatedScalar } from './located.ts'
import { readPlainYaml } from './plainYaml.ts'

export const YAML_BYTES_MAX = 8 * 1024 * 1024
/** A policy nests six deep, an Ansible inventory two a level of groups. */
export const YAML_DEPTH_MAX = 64
/** 100,000 hosts of ten values each; more only comes out of aliases that refer to aliases. */
export const YAML_NODES_MAX = 2_000_000
const YAML_FAULTS_MAX = 20

export interface LocatedText {
  readonly root: LocatedNode
  readonly placeAt: (offset: number) => Place
}

/**
 * Reads one YAML 1.2 document; its scalars are those of `resolvePlain`. Faults: YAML_TOO_LARGE, YAML_TOO_DEEP, YAML_TOO_MANY_ALIASES,
 * YAML_DUPLICATE_KEY, YAML_SYNTAX. An empty text reads as null.
 */
export function readYaml(text: string, file: string): Result<LocatedText> {
  const placeAt = placesIn(text, file)
  // No UTF-16 unit takes less than one byte of UTF-8 or more than three.
  if (text.length > YAML_BYTES_MAX || utf8Length(text) > YAML_BYTES_MAX) return fail(tooLarge(file))
  const plain = readPlainYaml(text)
  return plain ? succeed({ root: plain, placeAt }) : readCompleteYaml(text, file)
}

/** The same without the short cut for plain texts, and without the limit of size. */
export function readCompleteYaml(text: string, file: string): Result<LocatedText> {
  const placeAt = placesIn(text, file)
  const document = compose(text, placeAt)
  return document.ok ? locate(document.value, placeAt) : document
}

const utf8Length = (text: string): number => (text.length * 3 <= YAML_BYTES_MAX ? text.length : Buffer.byteLength(text))

function compose(text: string, placeAt: (offset: number) => Place): Result<Document.Parsed> {
  const parser = new Parser()
  // Everything is a string at first; `resolvePlain` decides. Duplicate keys are found below, in linear time.
  const composer = new Composer({ schema: 'failsafe', stringKeys: true, uniqueKeys: false, strict: true })
  const documents: Document.Parsed[] = []
  for (const lexeme of new Lexer().lex(text)) {
    for (const token of parser.next(lexeme)) documents.push(...composer.next(token))
    if (parser.stack.length > 2 * YAML_DEPTH_MAX) return fail(tooDeep(placeAt(parser.offset)))
  }
  for (const token of parser.end()) documents.push(...composer.next(token))
  documents.push(...composer.end(true, text.length))
  const [first, second] = documents
  if (!first) return fail(syntax('IMPOSSIBLE', 'there is no document', placeAt(0)))
  const errors = [...first.errors, ...first.warnings].map((error) => describeError(error, placeAt))
  if (second) errors.push(syntax('MULTIPLE_DOCS', 'a second document begins here', placeAt(second.range[0])))
  return errors.length > 0 ? fail(...errors.slice(0, YAML_FAULTS_MAX)) : succeed(first)
}

/** What a node amounts to with its aliases written out. */
interface Extent {
  readonly size: number
  readonly depth: number
}

interface Locating {
  readonly anchors: Map<string, LocatedNode>
  readonly extents: Map<LocatedNode, Extent>
  readonly faults: Fault[]
  readonly placeAt: (offset: number) => Place
}

function locate(document: Document.Parsed, placeAt: (offset: number) => Place): Result<LocatedText> {
  const locating: Locating = { anchors: new Map(), extents: new Map(), faults: [], placeAt }
  const root = locateNode(document.contents, 0, locating)
  return locating.faults.length > 0 ? fail(...locating.faults.slice(0, YAML_FAULTS_MAX)) : succeed({ root, placeAt })
}

function locateNode(node: ParsedNode | Node | null, emptyAt: number, locating: Locating): LocatedNode {
  if (node === null) return { kind: 'scalar', value: null, at: emptyAt }
  const at = node.range?.[0] ?? emptyAt
  if (isAlias(node)) return locateAlias(node.source, at, locating)
  const located = isMap(node) || isSeq(node) ? locateCollection(node, at, locating) : locateScalar(node, at, emptyAt)
  if ((isScalar(node) || isMap(node) || isSeq(node)) && node.anchor) locating.anchors.set(node.anchor, located)
  return located
}

function locateAlias(anchor: string, at: number, { anchors, faults, placeAt }: Locating): LocatedNode {
  const target = anchors.get(anchor)
  if (target) return target
  faults.push(syntax('BAD_ALIAS', `there is no anchor &${anchor} before this alias`, placeAt(at)))
  return { kind: 'scalar', value: null, at }
}

function locateScalar(node: Node, at: number, emptyAt: number): LocatedScalar {
  if (!isScalar(node)) return { kind: 'scalar', value: null, at }
  const text = typeof node.value === 'string' ? node.value : ''
  const isPlain = node.type === 'PLAIN' || node.type === undefined
  return { kind: 'scalar', value: isPlain && !node.tag ? resolvePlain(text) : text, at: isPlain && text === '' ? emptyAt : at }
}

function locateCollection(node: Node, at: number, locating: Locating): LocatedNode {
  const located: LocatedNode = isMap(node)
    ? { kind: 'map', entries: locateEntries(node.items, locating), at }
    : { kind: 'list', items: isSeq(node) ? node.items.map((item) => locateNode(item as Node | null, at, locating)) : [], at }
  const parts = located.kind === 'map' ? Array.from(located.entries.values(), (entry) => entry.value) : located.items
  const extent = extentOf(parts, locating.extents)
  locating.extents.set(located, extent)
  if (extent.size <= YAML_NODES_MAX && extent.depth <= YAML_DEPTH_MAX) return located
  locating.faults.push(extent.depth > YAML_DEPTH_MAX ? tooDeep(locating.placeAt(at)) : tooManyAliases(locating.placeAt(at)))
  return { kind: 'scalar', value: null, at }
}

function extentOf(parts: readonly LocatedNode[], known: ReadonlyMap<LocatedNode, Extent>): Extent {
  let [size, depth] = [1, 1]
  for (const part of parts) {
    const extent = known.get(part) ?? { size: 1, depth: 0 }
    size += extent.size
    depth = Math.max(depth, extent.depth + 1)
  }
  return { size, depth }
}

function locateEntries(pairs: readonly unknown[], locating: Locating): Map<string, LocatedEntry> {
  const entries = new Map<string, LocatedEntry>()
  for (const pair of pairs) {
    if (!isPair(pair)) continue
    const key = pair.key as Node
    const keyAt = key.range?.[0] ?? 0
    const name = isScalar(key) && typeof key.value === 'string' ? key.value : ''
    const first = entries.get(name)
    if (first) locating.faults.push(duplicateKey(name, locating.placeAt(keyAt), locating.placeAt(first.keyAt)))
    if (name === '__proto__') locating.faults.push(syntax('NON_STRING_KEY', '"__proto__" cannot be a key', locating.placeAt(keyAt)))
    const value = locateNode(pair.value as Node | null, (key.range?.[1] ?? keyAt) + 1, locating)
    if (!first) entries.set(name, { keyAt, value })
  }
  return entries
}

export const duplicateKey = (name: string, place: Place, first: Place): Fault => ({
  code: 'YAML_DUPLICATE_KEY',
  place,
  what: { en: `"${name}" is written twice; first on line ${first.line}`, zh: `“${name}”重复出现；首次出现在第 ${first.line} 行` },
  next: { en: 'rename or remove one of them', zh: '请改名或删除其中之一' },
})

const tooLarge = (file: string): Fault => ({
  code: 'YAML_TOO_LARGE',
  place: { file, line: 1, column: 1 },
  what: { en: `the file is larger than ${YAML_BYTES_MAX / 1024 / 1024} MiB`, zh: `文件超过 ${YAML_BYTES_MAX / 1024 / 1024} MiB` },
  next: { en: 'split the fleet over several policies', zh: '请将主机拆分到多个策略中' },
})

const tooDeep = (place: Place): Fault => ({
  code: 'YAML_TOO_DEEP',
  place,
  what: { en: `values nest deeper than ${YAML_DEPTH_MAX} levels`, zh: `嵌套超过 ${YAML_DEPTH_MAX} 层` },
})

const tooManyAliases = (place: Place): Fault => ({
  code: 'YAML_TOO_MANY_ALIASES',
  place,
  what: {
    en: `with its aliases written out this holds more than ${YAML_NODES_MAX.toLocaleString('en')} values`,
    zh: `展开别名后超过 ${YAML_NODES_MAX.toLocaleString('en')} 个值`,
  },
  next: { en: 'write the values out, or use fewer aliases of aliases', zh: '请直接写出各值，或减少嵌套别名' },
})

const describeError = (error: YAMLError, placeAt: (offset: number) => Place): Fault =>
  syntax(error.code, (error.message.split('\n')[0] ?? '').replace(/ at line \d+, column \d+:?$/, ''), placeAt(error.pos[0]))

function syntax(code: string, message: string, place: Place): Fault {
  const hint = SYNTAX_HINTS[code]
  return {
    code: 'YAML_SYNTAX',
    place,
    what: { en: `not valid YAML: ${message}`, zh: `YAML 语法错误：${hint?.zh ?? message}` },
    ...(hint && { next: hint }),
  }
}

/** By the error codes of the `yaml` package. */
const SYNTAX_HINTS: Readonly<Record<string, Text>> = {
  BAD_ALIAS: { en: 'an alias must come after its anchor', zh: '别名必须出现在其锚点之后' },
  BAD_DQ_ESCAPE: { en: 'write the backslash twice, or use single quotes', zh: '双引号内的反斜杠须写两次，或改用单引号' },
  BAD_INDENT: { en: 'align this line with its neighbours', zh: '缩进不正确，请与相邻行对齐' },
  BAD_SCALAR_START: { en: 'put the value in quotes', zh: '请给该值加上引号' },
  BLOCK_AS_IMPLICIT_KEY: { en: 'a value with ": " in it needs quotes', zh: '含“: ”的值需要加引号' },
  BLOCK_IN_FLOW: { en: 'inside [ ] and { } use only [ ] and { }', zh: '[ ] 与 { } 内部只能使用 [ ] 与 { }' },
  MISSING_CHAR: { en: 'close the quote or bracket, or add what is missing', zh: '缺少字符，请补全引号、括号或冒号' },
  MULTILINE_IMPLICIT_KEY: { en: 'write the key and its ":" on one line', zh: '键与“:”须写在同一行' },
  MULTIPLE_DOCS: { en: 'remove the second "---"', zh: '只能有一个文档，请删除第二个“---”' },
  NON_STRING_KEY: { en: 'write a simple name as the key', zh: '键必须是简单的名称' },
  TAB_AS_INDENT: { en: 'indent by spaces', zh: '请用空格而不是制表符缩进' },
  TAG_RESOLVE_FAILED: { en: 'remove the tag (the word that begins with "!")', zh: '请删除以“!”开头的标签' },
  UNEXPECTED_TOKEN: { en: 'remove it, or put the value in quotes', zh: '此处内容多余，请删除或给该值加引号' },
}
