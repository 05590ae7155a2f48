import { execFileSync } from 'node:child_process'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Result } from '@portcullis/core/fault/fault.ts'
import { parseNftJson } from '@portcullis/core/ruleset/nft/parse.ts'
import { parseNftText } from '@portcullis/core/ruleset/nft/parseText.ts'
import type { Element, Ruleset } from '@portcullis/core/ruleset/ruleset.ts'
import { describe, expect, test } from 'vitest'

const ROOT = join(import.meta.dirname, '../..')
const FILES = [join(import.meta.dirname, 'constructs.nft'), ...globSync(join(ROOT, 'core/ruleset/nft/golden/*.nft'))]

/** Loads a file in a network namespace of its own and lists what the kernel then holds. */
const list = (file: string, ...options: string[]): string =>
  execFileSync('unshare', ['-n', 'sh', '-c', 'nft -f "$1" && shift && exec nft "$@" list ruleset', 'sh', file, ...options], { encoding: 'utf8', maxBuffer: 1 << 26 })

/** Everything but places, words of unmodelled constructs and the order of elements, which the kernel does not keep. */
function meaning(result: Result<Ruleset>): unknown {
  if (!result.ok) throw new Error(JSON.stringify(result.faults))
  const plain = JSON.stringify(result.value, (key, value: unknown) => {
    if (key === 'source' || key === 'what' || key === 'construct') return undefined
    if (typeof value === 'bigint') return String(value)
    return key === 'elements' ? (value as Element[]).map((element) => JSON.stringify(element, (_, inner: unknown) => (typeof inner === 'bigint' ? String(inner) : inner))).toSorted() : value
  })
  return JSON.parse(plain)
}

describe('nft text means what nft says in JSON of the same kernel ruleset', () => {
  test.each(FILES.map((file) => [file.slice(ROOT.length + 1), file]))('%s', (_, file) => {
    expect(meaning(parseNftText(list(file), 'text'))).toEqual(meaning(parseNftJson(list(file, '-j'), 'json')))
  })

  test.each(FILES.slice(1).map((file) => [file.slice(ROOT.length + 1), file]))('%s, read before it is loaded', (_, file) => {
    expect(meaning(parseNftText(readFileSync(file, 'utf8'), file))).toEqual(meaning(parseNftText(list(file), 'text')))
  })
})
