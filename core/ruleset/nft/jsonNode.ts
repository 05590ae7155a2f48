import { FaultError, type Fault } from '../../fault/fault.ts'

export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json }

/** nft nests about ten deep; a document that nests deeper is refused before it can exhaust the stack. */
const DEPTH_MAX = 64

/** One value of a JSON document and where it stands, so that a refusal can name the place. */
export class JsonNode {
  readonly value: Json
  readonly #parent: JsonNode | undefined
  readonly #key: string | number
  readonly #depth: number

  constructor(value: Json, parent?: JsonNode, key: string | number = '') {
    this.value = value
    this.#parent = parent
    this.#key = key
    this.#depth = parent ? parent.#depth + 1 : 0
    if (this.#depth > DEPTH_MAX) this.refuse(`is nested deeper than ${DEPTH_MAX}`, `嵌套超过 ${DEPTH_MAX} 层`)
  }

  /** Of its parent's members; empty for the document. */
  get key(): string {
    return String(this.#key)
  }

  /** RFC 6901. */
  get pointer(): string {
    if (!this.#parent) return ''
    return `${this.#parent.pointer}/${String(this.#key).replaceAll('~', '~0').replaceAll('/', '~1')}`
  }

  get isObject(): boolean {
    return isObject(this.value)
  }

  get isList(): boolean {
    return Array.isArray(this.value)
  }

  member(key: string): JsonNode | undefined {
    if (!isObject(this.value) || !Object.hasOwn(this.value, key)) return undefined
    const value = this.value[key]
    return value === undefined ? undefined : new JsonNode(value, this, key)
  }

  require(key: string): JsonNode {
    return this.member(key) ?? this.refuse(`has no "${key}"`, `缺少 “${key}”`)
  }

  /** The only member of an object such as `{"match": …}`; of several, the first. */
  get sole(): { readonly key: string; readonly node: JsonNode } | undefined {
    if (!isObject(this.value)) return undefined
    for (const key in this.value) {
      const node = this.member(key)
      if (node) return { key, node }
    }
    return undefined
  }

  items(): JsonNode[] {
    if (!isList(this.value)) return this.refuse('must be a list', '必须是列表')
    return this.value.map((value, index) => new JsonNode(value, this, index))
  }

  /** A list's items; a lone value is a list of one, as nft prints it. */
  oneOrMore(): JsonNode[] {
    return this.isList ? this.items() : [this]
  }

  text(): string {
    return typeof this.value === 'string' ? this.value : this.refuse('must be a text', '必须是字符串')
  }

  integer(): number {
    if (typeof this.value === 'number' && Number.isSafeInteger(this.value)) return this.value
    return this.refuse('must be a whole number', '必须是整数')
  }

  refuse(en: string, zh: string): never {
    throw new FaultError(nftJsonFault(`${this.pointer || '/'} ${en}`, `${this.pointer || '/'} ${zh}`))
  }
}

export const nftJsonFault = (en: string, zh: string): Fault => ({
  code: 'RULESET_NFT_JSON',
  what: { en, zh },
  next: { en: 'give the output of "nft -j list ruleset"', zh: '请提供 “nft -j list ruleset” 的输出' },
})

/** An entry of a table by a key that a document gave: `valueOf` is not one. */
export const entryOf = <T>(table: Readonly<Record<string, T>>, key: string): T | undefined =>
  Object.hasOwn(table, key) ? table[key] : undefined

const isList = (value: Json): value is readonly Json[] => Array.isArray(value)

const isObject = (value: Json): value is { readonly [key: string]: Json } =>
  value !== null && typeof value === 'object' && !Array.isArray(value)
