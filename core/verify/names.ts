import type { HostFacts } from '../ruleset/hostfacts.ts'
import {
  isInterfaceName,
  type Element,
  type Elements,
  type Field,
  type InterfaceName,
  type Match,
  type Ruleset,
  type Step,
} from '../ruleset/ruleset.ts'

/** A class of interface names that no rule tells apart. */
export type NameClass =
  | { readonly kind: 'none' }
  | { readonly kind: 'name'; readonly name: string }
  /** Names that start so, and with no longer prefix and no name of another class. */
  | { readonly kind: 'prefix'; readonly prefix: string }

/** The classes that the rulesets and facts tell apart; class 0 is the absence of an interface, the last one any other name. */
export function nameClasses(rulesets: readonly Ruleset[], facts?: HostFacts): NameClass[] {
  const names = new Set(facts?.interfaces.map((each) => each.name))
  const prefixes = new Set<string>()
  for (const ruleset of rulesets) {
    for (const name of namesIn(ruleset)) {
      if (name.isPrefix) prefixes.add(name.name)
      else names.add(name.name)
    }
  }
  names.delete('')
  prefixes.delete('')
  return [
    { kind: 'none' },
    ...[...names].toSorted().map((name): NameClass => ({ kind: 'name', name })),
    ...[...prefixes].toSorted().map((prefix): NameClass => ({ kind: 'prefix', prefix })),
    { kind: 'prefix', prefix: '' },
  ]
}

/** Whether the names of a class are named so. Longer prefixes hold their names in a class of their own, which this one is asked about too. */
export function classMatches(nameClass: NameClass, value: InterfaceName): boolean {
  if (nameClass.kind === 'none') return value.name === ''
  if (nameClass.kind === 'name') return value.isPrefix ? nameClass.name.startsWith(value.name) : nameClass.name === value.name
  return value.isPrefix && nameClass.prefix.startsWith(value.name)
}

/** A name of the class, to show. */
export function exampleOf(nameClass: NameClass, classes: readonly NameClass[]): string {
  if (nameClass.kind === 'none') return ''
  if (nameClass.kind === 'name') return nameClass.name
  const taken = (name: string): boolean =>
    classes.some((other) =>
      other.kind === 'name'
        ? other.name === name
        : other.kind === 'prefix' && other.prefix.length > nameClass.prefix.length && name.startsWith(other.prefix),
    )
  for (const name of examples(nameClass.prefix)) if (!taken(name)) return name
  // Every name that starts so is in another class: this one is empty.
  return `${nameClass.prefix}?`
}

const LETTERS = 'abcdefghijklmnopqrstuvwxyz'.split('')

/** Names that start so, the plainest first. */
function* examples(prefix: string): Generator<string> {
  const stems = prefix === '' ? ['eth', 'wan', 'if', ...LETTERS] : [prefix, ...LETTERS.map((letter) => prefix + letter)]
  for (const stem of stems) for (let number = 0; number < 100; number += 1) yield `${stem}${number}`
}

function* namesIn(ruleset: Ruleset): Generator<InterfaceName> {
  for (const table of ruleset.tables) {
    for (const set of table.sets) yield* namesOfElements(set.elements)
    for (const chain of table.chains) for (const rule of chain.rules) for (const step of rule.steps) yield* namesOfStep(step)
  }
}

function* namesOfStep(step: Step): Generator<InterfaceName> {
  if (step.kind === 'lookup' || step.kind === 'vmap') yield* namesOfLookup(step.fields, step.among)
  else if (step.kind === 'any-of') yield* namesOfMatches(step.alternatives.flat())
  else if (step.kind === 'nat' && step.target.kind === 'map') yield* namesOfLookup(step.target.fields, step.target.among)
}

function* namesOfMatches(matches: readonly Match[]): Generator<InterfaceName> {
  for (const match of matches) yield* namesOfStep(match)
}

function* namesOfLookup(fields: readonly Field[], among: Elements): Generator<InterfaceName> {
  const hasNames = fields.some((field) => field.name === 'iif' || field.name === 'oif')
  if (hasNames && among.kind === 'inline') yield* namesOfElements(among.elements)
}

function* namesOfElements(elements: readonly Element[]): Generator<InterfaceName> {
  for (const element of elements) for (const value of element.values) if (isInterfaceName(value)) yield value
}
