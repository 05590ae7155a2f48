import { JsonNode, type Json } from './jsonNode.ts'

/** One object of nft's list `{"nftables": [{"table": …}, {"rule": …}, …]}`, which can be read again when a message needs its text. */
export interface JsonItem {
  read(): JsonNode
  /** Where it starts in the document's text, where there is a text. */
  readonly offset?: number
}

/** The objects of a document that is in memory as a whole. */
export const itemsOfDocument = (document: Json): readonly JsonItem[] =>
  new JsonNode(document)
    .require('nftables')
    .items()
    .map((node) => ({ read: () => node }))

/**
 * The objects of a document's text, found by their braces, so that only one of them is in memory at a time. Undefined where the text is not
 * simply such a list: then it is read as a whole, which also tells what is wrong with it. O(text).
 */
export function itemsOfText(text: string): readonly JsonItem[] | undefined {
  const opening = OPENING.exec(text)
  if (!opening) return undefined
  const items: JsonItem[] = []
  for (let at = opening[0].length; ; at += 1) {
    at = afterSpace(text, at)
    const end = text.charCodeAt(at) === OPEN_BRACE ? endOfObject(text, at) : undefined
    if (end === undefined) return undefined
    items.push(new TextItem(text, at, end, items.length))
    at = afterSpace(text, end)
    if (text.charCodeAt(at) === CLOSE_BRACKET) return CLOSING.test(text.slice(at)) ? items : undefined
    if (text.charCodeAt(at) !== COMMA) return undefined
  }
}

const OPENING = /^\s*\{\s*"nftables"\s*:\s*\[/
const CLOSING = /^\]\s*\}\s*$/
const LIST = new JsonNode([], new JsonNode({}), 'nftables')

class TextItem implements JsonItem {
  readonly offset: number
  readonly #text: string
  readonly #end: number
  readonly #index: number

  constructor(text: string, start: number, end: number, index: number) {
    this.#text = text
    this.offset = start
    this.#end = end
    this.#index = index
  }

  read(): JsonNode {
    return new JsonNode(JSON.parse(this.#text.slice(this.offset, this.#end)) as Json, LIST, this.#index)
  }
}

const QUOTE = 0x22
const COMMA = 0x2c
const BACKSLASH = 0x5c
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d
const CLOSE_BRACKET = 0x5d
const SPACES = new Set([0x20, 0x0a, 0x0d, 0x09])

function afterSpace(text: string, from: number): number {
  let at = from
  while (SPACES.has(text.charCodeAt(at))) at += 1
  return at
}

/** Undefined where the text ends before the object does. Whether what lies between is JSON shows when it is read. */
function endOfObject(text: string, start: number): number | undefined {
  let depth = 0
  for (let at = start; at < text.length; at += 1) {
    const code = text.charCodeAt(at)
    if (code === QUOTE) at = endOfString(text, at)
    else if (code === OPEN_BRACE) depth += 1
    else if (code === CLOSE_BRACE) {
      depth -= 1
      if (depth === 0) return at + 1
    }
  }
  return undefined
}

/** The closing quote. */
function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at += 1) {
    const code = text.charCodeAt(at)
    if (code === QUOTE) return at
    if (code === BACKSLASH) at += 1
  }
  return text.length
}
