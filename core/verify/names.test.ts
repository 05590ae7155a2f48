import { expect, test } from 'vitest'
import { exampleOf, type NameClass } from './names.ts'

const prefixes = (...all: string[]): NameClass[] => [...all, ''].map((prefix) => ({ kind: 'prefix', prefix }))

test.each<[string, NameClass[], string]>([
  ['any name', prefixes(), 'eth0'],
  ['a name that is in no class', [{ kind: 'name', name: 'eth0' }, ...prefixes()], 'eth1'],
  ['not one of a class with a prefix', prefixes('eth'), 'wan0'],
  ['of a class whose every number has a class of its own', prefixes('eth', ...Array.from({ length: 10 }, (_, digit) => `eth${digit}`)), 'wan0'],
])('an example: %s', (_title, classes, expected) => {
  expect(exampleOf(classes.at(-1) ?? { kind: 'none' }, classes)).toBe(expected)
})

test('of a prefix whose every number has a class of its own, a name with a letter', () => {
  const classes = prefixes('eth', ...Array.from({ length: 10 }, (_, digit) => `eth${digit}`))
  expect(exampleOf({ kind: 'prefix', prefix: 'eth' }, classes)).toBe('etha0')
})

test('of an empty class, something that says so', () => {
  const classes = prefixes('br', ...Array.from({ length: 36 }, (_, index) => `br${index.toString(36)}`))
  expect(exampleOf({ kind: 'prefix', prefix: 'br' }, classes)).toBe('br?')
})
