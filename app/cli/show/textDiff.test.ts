import fc from 'fast-check'
import { expect, test } from 'vitest'
import { paintFor } from '../paint.ts'
import { textDiff } from './textDiff.ts'

const pen = { paint: paintFor(false) }

test('three lines around each change, and where it stands', () => {
  const before = Array.from({ length: 20 }, (_, index) => `${index + 1}`)
  const after = [...before.slice(0, 9), 'new', ...before.slice(10), 'end']
  expect(textDiff(pen, `${before.join('\n')}\n`, `${after.join('\n')}\n`, 'p.yaml')).toBe(`--- a/p.yaml
+++ b/p.yaml
@@ -7,7 +7,7 @@
 7
 8
 9
-10
+new
 11
 12
 13
@@ -18,3 +18,4 @@
 18
 19
 20
+end
`)
})

test('a file that did not exist', () => {
  expect(textDiff(pen, '', 'a\n', 'p')).toBe('--- a/p\n+++ b/p\n@@ -0,0 +1,1 @@\n+a\n')
})

test('the diff turns the one text into the other', () => {
  const lines = fc.array(fc.constantFrom('a', 'b', 'c', ''), { maxLength: 30 })
  fc.assert(
    fc.property(lines, lines, (before, after) => {
      const text = (from: readonly string[]): string => from.map((line) => `${line}\n`).join('')
      expect(patch(before, textDiff(pen, text(before), text(after), 'p'))).toEqual(after)
    }),
  )
})

/** What patch(1) does. */
function patch(before: readonly string[], diff: string): string[] {
  const after: string[] = []
  let at = 0
  for (const line of diff.split('\n').slice(2, -1)) {
    const hunk = /^@@ -(\d+),(\d+) /.exec(line)
    if (hunk) {
      const start = Number(hunk[1]) - (hunk[2] === '0' ? 0 : 1)
      after.push(...before.slice(at, start))
      at = start
    } else if (line.startsWith('+')) after.push(line.slice(1))
    else {
      expect(before[at]).toBe(line.slice(1))
      if (line.startsWith(' ')) after.push(line.slice(1))
      at += 1
    }
  }
  return [...after, ...before.slice(at)]
}
