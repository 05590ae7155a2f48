import { describe, expect, test } from 'vitest'
import { readSections } from './section.ts'

const frame = (...sections: readonly (readonly [string, string])[]): string =>
  `${sections.map(([name, text]) => `@section ${name} ${Buffer.byteLength(text)}\n${text}\n`).join('')}@end\n`
const read = (text: string): unknown => {
  const sections = readSections(text, 'facts of web-1')
  return sections.ok ? Object.fromEntries([...sections.value].map(([name, section]) => [name, `${section.line}: ${section.text}`])) : sections.faults.map(({ code, place }) => `${code} ${place?.line}`).join()
}

test.each<[string, string, unknown]>([
  ['none', '@end\n', {}],
  ['two', frame(['a', 'x\n'], ['b', 'y']), { a: '2: x\n', b: '5: y' }],
  ['empty', frame(['a', '']), { a: '2: ' }],
  ['bytes, not characters', frame(['a', '端口\n'], ['b', 'y']), { a: '2: 端口\n', b: '5: y' }],
  ['a header in the content is content', frame(['a', '\n@section b 1\nz\n@end\n']), { a: '2: \n@section b 1\nz\n@end\n' }],
])('%s', (_, text, expected) => {
  expect(read(text)).toEqual(expected)
})

test.each([
  ['nothing', '', 'FACTS_FRAME 1'],
  ['no end', '@section a 1\nx\n', 'FACTS_FRAME 1'],
  ['words before', 'motd\n@end\n', 'FACTS_FRAME 1'],
  ['words after', '@end\nmotd\n', 'FACTS_FRAME 1'],
  ['cut short', '@section a 100\nx\n@end\n', 'FACTS_FRAME 1'],
  ['too few bytes stated', '@section a 1\nxyz\n@end\n', 'FACTS_FRAME 1'],
  ['twice the same', frame(['a', 'x'], ['a', 'y']), 'FACTS_FRAME 3'],
  ['a count that is none', '@section a -1\n\n@end\n', 'FACTS_FRAME 1'],
  ['a name that is none', '@section ../a 0\n\n@end\n', 'FACTS_FRAME 1'],
  ['more than 64', frame(...Array.from({ length: 65 }, (_, index) => [`s${index}`, ''] as const)), 'FACTS_FRAME 129'],
])('refused: %s', (_, text, expected) => {
  expect(read(text)).toBe(expected)
})

test('refused: more than 64 MiB', () => {
  expect(read('x'.repeat(64 * 1024 * 1024 + 1))).toBe('FACTS_TOO_LARGE 1')
})

describe('names that are not UTF-8', () => {
  // What a transport hands on after decoding: one to three bytes of the host became the three of U+FFFD.
  test.each([
    ['one byte', [0xff]],
    ['three bytes of a longer sequence', [0xf0, 0x9f, 0x92]],
    ['several', [0xff, 0x20, 0xfe, 0x20, 0xc3]],
  ])('%s', (_, bytes) => {
    const content = Buffer.concat([Buffer.from('name '), Buffer.from(bytes), Buffer.from(' 80\n')])
    const answer = Buffer.concat([Buffer.from(`@section a ${content.length}\n`), content, Buffer.from('\n@section b 1\ny\n@end\n')]).toString('utf8')
    expect(read(answer)).toEqual({ a: `2: ${content.toString('utf8')}`, b: '5: y' })
  })
})
