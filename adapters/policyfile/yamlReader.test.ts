import fc from 'fast-check'
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { resolvePlain, valueOf, type LocatedNode } from './located.ts'
import { readPlainYaml } from './plainYaml.ts'
import { readCompleteYaml, readYaml, YAML_BYTES_MAX } from './yamlReader.ts'

const faultsOf = (text: string): string[] => {
  const read = readYaml(text, 'x.yaml')
  return read.ok ? [] : read.faults.map((fault) => `${fault.place?.line}:${fault.place?.column} ${fault.code}`)
}
const valueIn = (text: string): unknown => {
  const read = readYaml(text, 'x.yaml')
  return read.ok ? JSON.parse(JSON.stringify(valueOf(read.value.root))) : read.faults
}

describe('values', () => {
  test.each<[string, unknown]>([
    ['a: 1', { a: 1 }],
    ['a: 1.10', { a: '1.10' }],
    ['a: 007', { a: '007' }],
    ['a: 0x10', { a: '0x10' }],
    ['a: 1e3', { a: '1e3' }],
    ['a: yes', { a: 'yes' }],
    ['a: true', { a: true }],
    ['a: True', { a: 'True' }],
    ['a: "true"', { a: 'true' }],
    ['a: ~', { a: null }],
    ['a:', { a: null }],
    ['a: 2027-03-01', { a: '2027-03-01' }],
    ['a: fd00::/64', { a: 'fd00::/64' }],
    ['a: [fd00::1, b]', { a: ['fd00::1', 'b'] }],
    ['a: &x [1]\nb: *x', { a: [1], b: [1] }],
    ['a: |\n  two\n  lines\n', { a: 'two\nlines\n' }],
    ['a: b # c', { a: 'b' }],
    ['a: b#c', { a: 'b#c' }],
    ['a: "b # c" # d', { a: 'b # c' }],
    ['# only a comment', null],
    ['', null],
    ['22: x', { '22': 'x' }],
  ])('%j', (text, expected) => {
    expect(valueIn(text)).toEqual(expected)
  })
})

describe('faults', () => {
  test.each<[string, string[]]>([
    ['a: 1\nb: 2\na: 3', ['3:1 YAML_DUPLICATE_KEY']],
    ['a: {b: 1, b: 2}', ['1:11 YAML_DUPLICATE_KEY']],
    ['a: [1', ['1:6 YAML_SYNTAX']],
    ['a:\n\t- b', ['2:1 YAML_SYNTAX']],
    ['a: b: c', ['1:4 YAML_SYNTAX']],
    ['a: "x', ['1:6 YAML_SYNTAX']],
    ['a: *gone', ['1:4 YAML_SYNTAX']],
    ['a: !!js/function x', ['1:4 YAML_SYNTAX']],
    ['? [a]\n: b', ['1:3 YAML_SYNTAX']],
    ['a: 1\n---\nb: 2', ['2:1 YAML_SYNTAX']],
    ['__proto__: 1', ['1:1 YAML_SYNTAX']],
    ['a: &a [*a]', ['1:8 YAML_SYNTAX']],
  ])('%j', (text, expected) => {
    expect(faultsOf(text)).toEqual(expected)
  })
})

const secondsSince = (started: NodeJS.CpuUsage): number => {
  const { user, system } = process.cpuUsage(started)
  return (user + system) / 1e6
}

describe('limits', { timeout: 30_000 }, () => {
  test('a text over 8 MiB is refused unread', () => {
    expect(faultsOf('#'.repeat(YAML_BYTES_MAX + 1))).toEqual(['1:1 YAML_TOO_LARGE'])
    expect(faultsOf(`# ${'中'.repeat(YAML_BYTES_MAX / 3 + 1)}`)).toEqual(['1:1 YAML_TOO_LARGE'])
  })

  test('aliases of aliases do not blow up', () => {
    const bomb = ['a0: &a0 [x, x, x, x, x, x, x, x, x, x]', ...Array.from({ length: 12 }, (_, at) => `a${at + 1}: &a${at + 1} [${`*a${at}, `.repeat(10)}]`)]
    const started = process.cpuUsage()
    expect(faultsOf(bomb.join('\n'))).toContain('7:9 YAML_TOO_MANY_ALIASES')
    expect(secondsSince(started)).toBeLessThan(4)
  })

  test('a long chain of aliases is too deep', () => {
    const chain = ['a0: &a0 [x]', ...Array.from({ length: 5_000 }, (_, at) => `a${at + 1}: &a${at + 1} [*a${at}]`)]
    expect(faultsOf(chain.join('\n'))[0]).toMatch(/YAML_TOO_DEEP/)
  })

  test.each([
    ['brackets', '['.repeat(1_000_000)],
    ['braces', '{a: '.repeat(500_000)],
    ['dashes', '- '.repeat(500_000)],
    ['indents', Array.from({ length: 2_000 }, (_, at) => `${' '.repeat(at)}a:`).join('\n')],
    ['question marks', '? '.repeat(500_000)],
  ])('deep nesting by %s ends at once', (_, text) => {
    const started = process.cpuUsage()
    expect(faultsOf(text)).toEqual([expect.stringMatching(/YAML_TOO_DEEP/)])
    expect(secondsSince(started)).toBeLessThan(4)
  })
})

describe('the fast reader', { timeout: 30_000 }, () => {
  const complete = (text: string): LocatedNode | undefined => {
    const read = readCompleteYaml(text, 'x.yaml')
    return read.ok ? read.value.root : undefined
  }
  /** What the fast reader answers, the complete one answers too, places included. */
  const agree = (text: string): boolean => {
    const fast = readPlainYaml(text)
    if (fast) expect({ text, root: fast }).toEqual({ text, root: complete(text) })
    return fast !== undefined
  }

  test('reads the example file', () => {
    expect(agree(readFileSync(new URL('testdata/clinic.yaml', import.meta.url), 'utf8'))).toBe(true)
  })

  test.each([
    'a:\n- b\n- c: 1\n  d: 2\n-   e: 3\n    f: [1, {g: h}]\n',
    '---\na: b\n',
    'a:\n  b:\n  c: "x, y"\nd: \'it: is\' # no\n',
    '- - a\n  - b\n- c\n',
    '"quoted key": v\na.b/c-d: 1\n',
    'a: [x , "y" , z,]\n',
    'a: (b) c, d; {e}\n',
    'a: it\'s "so" # comment\n',
    'a: {b: , c: d}\n',
    'a: http://x/y#z\n',
    'a: [http://x/y, fd00::/8, 10.0.0.0/8]\n',
    'a:\n    b: 1\n    c: 2\nd: 3',
    'a: 中文 值\n',
  ])('agrees on %j', (text) => {
    expect(complete(text)).toBeDefined()
    agree(text)
  })

  test.each(['a: |\n  b\n', 'a: &x b\n', 'a: b\n  c\n', 'a:\n\t- b', 'a: 1\na: 2', 'a: [b\n  ]', 'a: "b\\n"', "a: 'b''c'", 'a: b: c', 'a\r\nb', '\ufeffa: b', 'a: !x b', '? a', 'a: b\n c: d', 'a: @b', 'a: [b: c]', 'a: {b}', '...', '%YAML 1.2'])(
    'leaves %j to the complete reader',
    (text) => {
      expect(readPlainYaml(text)).toBeUndefined()
    },
  )

  const scalar = fc.oneof(
    fc.constantFrom('a', 'b c', 'x: y', '# no', "it's", '"q"', '', ' pad ', '10.0.0.0/8', 'fd00::1', '::1', '1.10', 'true', '~', '- x', 'a, b', '[z]', 'a #b', 'a#b', '中文', 'é', '\u00a0', 'a:', '@x', '%', '`', '|', '>', '!', '&a', '*a', '?', '-'),
    fc.string({ maxLength: 8 }),
    fc.integer(),
    fc.boolean(),
    fc.constant(null),
  )
  const document = fc.letrec((tie) => ({
    node: fc.oneof({ depthSize: 'small', withCrossShrink: true }, scalar, fc.array(tie('node'), { maxLength: 4 }), fc.dictionary(fc.oneof(fc.constantFrom('a', 'b', 'key.x', 'a b', '1'), fc.string({ maxLength: 4 })), tie('node'), { maxKeys: 4 })),
  })).node

  test('agrees with the complete one on whatever is written by a YAML library', () => {
    let read = 0
    fc.assert(
      fc.property(document, fc.boolean(), fc.boolean(), (value, isFlow, indentSeq) => {
        const text = stringify(value, { collectionStyle: isFlow ? 'flow' : 'any', lineWidth: 0, indentSeq })
        if (agree(text)) read += 1
      }),
      { numRuns: 1_500 },
    )
    // About 130 are; a run of luck must not fail.
    expect(read).toBeGreaterThan(30)
  })

  test('agrees with the complete one on damaged texts', () => {
    const example = readFileSync(new URL('testdata/clinic.yaml', import.meta.url), 'utf8').slice(0, 900)
    const piece = fc.constantFrom(' ', '\n', ':', ': ', '- ', '-', '#', ' #', '"', "'", '[', ']', '{', '}', ',', '\\', '\t', '&', '*', '!', '|', '>', '?', '%', '@', '...', '---', 'a', '\n  ', '\n    - ', '~', '\u00a0', '\u0085')
    const damage = fc.record({ at: fc.nat(example.length), cut: fc.nat(6), piece })
    let read = 0
    fc.assert(
      fc.property(fc.array(damage, { minLength: 1, maxLength: 3 }), (damages) => {
        let text = example
        for (const { at, cut, piece } of damages) text = text.slice(0, at) + piece + text.slice(at + cut)
        if (agree(text)) read += 1
      }),
      { numRuns: 600 },
    )
    expect(read).toBeGreaterThan(20)
  })

  test('agrees with the complete one on small texts of significant characters', () => {
    const text = fc.array(fc.constantFrom('a', 'b', ' ', ' ', '\n', '\n', ': ', ':', '- ', '-', '#', ' #', '"', "'", '[', ']', '{', '}', ', ', '1', '  ', 'a: ', '\n- ', '\n  ', '?', '.'), { maxLength: 14 })
    let read = 0
    fc.assert(
      fc.property(text, (pieces) => {
        if (agree(pieces.join(''))) read += 1
      }),
      { numRuns: 6_000 },
    )
    expect(read).toBeGreaterThan(60)
  })
})

test('numbers are numbers only if they read back as written', () => {
  fc.assert(fc.property(fc.string(), (text) => typeof resolvePlain(text) !== 'number' || String(resolvePlain(text)) === text))
  fc.assert(fc.property(fc.integer(), (number) => resolvePlain(String(number)) === number))
})
