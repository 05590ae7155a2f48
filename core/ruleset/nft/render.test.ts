import { createHash } from 'node:crypto'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Intent } from '../../policy/intent.ts'
import { GOLDEN_INTENTS, intentOf } from './golden/intents.ts'
import { renderNft, SWITCH } from './render.ts'

const digestOf = (text: string): string => createHash('sha256').update(text).digest('hex')
const render = (intent: Intent): string => renderNft(intent, { digestOf }).text

/** The rules of a chain in the part of the text that fills it. */
function rulesOf(text: string, chain: string): string[] {
  const lines = text.slice(text.indexOf('flush table')).split('\n')
  const first = lines.indexOf(`\tchain ${chain} {`) + 1
  return first === 0 ? [] : lines.slice(first, lines.indexOf('\t}', first)).map((line) => line.trim())
}

test.each(Object.entries(GOLDEN_INTENTS))('%s', async (name, intent) => {
  await expect(render(intent)).toMatchFileSnapshot(`golden/${name}.nft`)
})

describe('the text', () => {
  const all = Object.values(GOLDEN_INTENTS)

  test('keeps to the lines that the host script lets through', () => {
    const evil = intentOf({ host: 'x\n}\ndelete table ip nat # "' })
    for (const text of [...all, evil].map(render)) expect(strayLines(text)).toEqual([])
  })

  test('never leaves the last word to a chain policy', () => {
    for (const intent of all) expect(rulesOf(render(intent), 'gate').at(-1)).toBe(intent.mode === 'enforce' ? 'drop' : 'accept')
  })

  test('asks one question before it lets known flows pass', () => {
    for (const intent of all) {
      expect(rulesOf(render(intent), 'gate').slice(1, 3)).toEqual(['meta nfproto @watch_in jump watched', 'ct state established,related accept'])
      expect(rulesOf(render(intent), 'closing_out').slice(1)).toEqual([expect.stringMatching(/^meta nfproto @watch_out /)])
    }
  })

  test('deletes and flushes no set', () => {
    for (const intent of all) expect(render(intent)).not.toMatch(/^(?:flush|delete) (?:set|map|table .*\{)/m)
  })

  test.each([
    ['enforce', 'drop', true],
    ['enforce', 'reject', false],
    ['observe', 'drop', false],
    ['observe', 'reject', false],
  ] as const)('%s, %s: a SYN is dropped before connection tracking: %s', (mode, refusal, isEarly) => {
    expect(rulesOf(render(intentOf({ mode, refusal })), 'early').length > 0).toBe(isEarly)
  })

  test.each(Object.entries(GOLDEN_INTENTS))('makes no set that nobody asks (%s)', (_, intent) => {
    const [sets = '', rules = ''] = render(intent).split(`${SWITCH}\n`)
    for (const [, name = ''] of sets.matchAll(/^\t(?:set|map) (\w+)/gm)) expect(rules).toMatch(new RegExp(`@${name}\\b`))
  })

  test.each(Object.entries(GOLDEN_INTENTS))('fills nothing after the switch, and before it touches nothing that is live (%s)', (_, intent) => {
    const [sets = '', rules = '', ...more] = render(intent).split(`${SWITCH}\n`)
    expect(more).toEqual([])
    expect(rules).not.toMatch(/^add element|\belements\b|(?:addr|port) \{/m)
    for (const line of sets.split('\n').slice(2)) expect(line).toMatch(/^$|^table|^\}$|^\t(?:set|map|chain) \w+_g7 \{|^add element inet portcullis \w+_g7 \{/)
  })

  test('no name of one generation is one of the next', () => {
    const named = (generation: number): string[] => render(intentOf({ generation, grants: ['tcp 1-9 any', 'tcp 443 10.0.0.0/8'] })).match(/\w+_g\d+/g) ?? []
    const before = new Set(named(7))
    expect(before.size).toBeGreaterThan(0)
    expect(named(8).filter((name) => before.has(name))).toEqual([])
  })

  test('asks no set that holds nothing', () => {
    expect(rulesOf(render(intentOf({})), 'open')).toEqual([])
    expect(rulesOf(render(intentOf({ grants: ['tcp 443 any'] })), 'open')).toEqual(['meta l4proto . th dport @open_g7 goto accepted'])
  })
})

describe('digests', () => {
  test('the digest is that of the text', () => {
    const { text, digest } = renderNft(intentOf({}), { digestOf })
    expect(digest).toBe(digestOf(text))
  })

  test('another generation of the same rules has another text and the same rules digest', () => {
    const [seven, eight] = [7, 8].map((generation) => renderNft(intentOf({ generation }), { digestOf }))
    expect(eight?.digest).not.toBe(seven?.digest)
    expect(eight?.rulesDigest).toBe(seven?.rulesDigest)
    expect(eight?.text.replaceAll(/_g8|generation 8/g, '')).toBe(seven?.text.replaceAll(/_g7|generation 7/g, ''))
    expect(eight?.text).toContain(`return comment "schema 1 generation 8 enforce rules ${eight?.rulesDigest}"`)
  })

  test('what a rule holds fits into its comment (128 bytes, libnftnl udata.h)', () => {
    const text = render(intentOf({ generation: Number.MAX_SAFE_INTEGER, mode: 'observe' }))
    expect(/return comment "(.*)"/.exec(text)?.[1]?.length).toBeLessThan(128)
  })
})

test('shuffled grants render the same bytes', () => {
  const intent = GOLDEN_INTENTS['ranges-and-prefixes'] as Intent
  fc.assert(
    fc.property(fc.shuffledSubarray([...intent.grants], { minLength: intent.grants.length }), (grants) => {
      expect(render({ ...intent, grants })).toBe(render(intent))
    }),
    { numRuns: 30 },
  )
})

/** Lines that are none of the few forms the host script's check has to know. */
function strayLines(text: string): string[] {
  let isInside = false
  return text.split('\n').filter((line) => {
    const isEdge = line === (isInside ? '}' : 'table inet portcullis {')
    if (isEdge) isInside = !isInside
    return !isEdge && !(isInside ? INSIDE : OUTSIDE).some((form) => form.test(line))
  })
}

const HOOK = /type filter hook (?:prerouting|output|forward) priority -\d+; policy accept;/.source
const OUTSIDE = [
  /^$/,
  /^#/,
  /^flush table inet portcullis$/,
  new RegExp(`^add chain inet portcullis \\w+(?: \\{ ${HOOK} \\})?$`),
  /^delete chain inet portcullis \w+$/,
  /^add element inet portcullis \w+ \{ [0-9a-z_.:/, -]+ \}$/,
]
const INSIDE = [
  /^\tchain \w+ \{$/,
  /^\t\}$/,
  new RegExp(`^\t\t${HOOK}$`),
  new RegExp(`^\tchain \\w+ \\{ ${HOOK} \\}$`),
  /^\t(?:counter|chain) \w+ \{ \}$/,
  /^\t(?:set|map) \w+ \{ [a-z0-9_,:;. -]+ \}$/,
  /^\t\t(?:[^{};]|\{ [^{};]+ \})+$/,
]
