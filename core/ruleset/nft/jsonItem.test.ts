import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { itemsOfDocument, itemsOfText } from './jsonItem.ts'
import type { Json } from './jsonNode.ts'
import { parseNftJson } from './parse.ts'

describe('the objects of a text', () => {
  test('are those of the document, with their pointers, however it is spaced', () => {
    const objects = fc.array(fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 3 }), { maxKeys: 4 }), { minLength: 1, maxLength: 6 })
    fc.assert(
      fc.property(objects, fc.constantFrom(0, 1, '\t', ' \r\n'), (list, space) => {
        const text = JSON.stringify({ nftables: list }, undefined, space)
        const whole = itemsOfDocument(JSON.parse(text) as Json).map((item) => item.read())
        const parts = itemsOfText(text)?.map((item) => item.read())
        expect(parts?.map(({ value, pointer }) => ({ value, pointer }))).toEqual(whole.map(({ value, pointer }) => ({ value, pointer })))
      }),
    )
  })

  test.each([
    ['no objects', '{"nftables": []}'],
    ['something that is no object', '{"nftables": [1]}'],
    ['another member', '{"nftables": [{}], "more": 1}'],
    ['an end too early', '{"nftables": [{"rule": {'],
    ['an open string', '{"nftables": [{"a": "}]}'],
    ['text behind the end', '{"nftables": [{}]} x'],
    ['no comma', '{"nftables": [{} {}]}'],
    ['a comma too many', '{"nftables": [{},]}'],
  ])('are left to a reader of the whole where there is %s', (_what, text) => {
    expect(itemsOfText(text)).toBeUndefined()
  })
})

describe('what a message needs is read again', () => {
  const text = `{"nftables": [
    {"table": {"family": "inet", "name": "t", "handle": 1}},
    {"chain": {"family": "inet", "table": "t", "name": "c", "handle": 1}},
    {"rule": {"family": "inet", "table": "t", "chain": "c", "handle": 2, "comment": "\\"}]} {", "expr": [{"drop": null}]}},
    {"rule": {"family": "inet", "table": "t", "chain": "c", "handle": 3, "expr": [{"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": 22}}, {"accept": null}]}}
  ]}`

  test('a rule tells its words and its place', () => {
    const result = parseNftJson(text, 'x.json')
    const chain = result.ok ? result.value.tables[0]?.chains[0] : undefined
    const [first, second] = chain?.rules ?? []
    expect(first?.comment).toBe('"}]} {')
    expect(chain?.source).toMatchObject({ dialect: 'nft-json', file: 'x.json', handle: 1, pointer: '/nftables/1/chain', text: 'chain c' })
    expect(second?.source).toMatchObject({ handle: 3, pointer: '/nftables/3/rule', text: 'tcp dport 22 accept' })
  })

  test('a refusal has the line of its object, a syntax error its own', () => {
    const placeOf = (broken: string) => {
      const result = parseNftJson(broken, 'x.json')
      return result.ok ? undefined : result.faults[0]?.place
    }
    expect(placeOf(text.replace('"accept": null', '"jump": {}'))).toEqual({ file: 'x.json', line: 5, column: 5 })
    expect(placeOf(text.replace('"handle": 2,', '"handle": 2,,'))).toMatchObject({ file: 'x.json', line: 4 })
  })
})
