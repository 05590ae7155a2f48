import type { HostFacts } from '../ruleset/hostfacts.ts'
import {
  isInterfaceName,
  type Element,
  type Elements,
  type Field,
  type InterfaceName,
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
    takeNames(ruleset, (name) => (name.isPrefix ? prefixes : names).add(name.name))
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

type Take = (name: InterfaceName) => void

/** Without generators: every rule of a large ruleset is looked at for the few names. */
function takeNames(ruleset: Ruleset, take: Take): void {
  for (const table of ruleset.tables) {
    for (const set of table.sets) takeOfElements(set.elements, take)
    for (const chain of table.chains) for (const rule of chain.rules) for (const step of rule.steps) takeOfStep(step, take)
  }
}

function takeOfStep(step: Step, take: Take): void {
  if (step.kind === 'lookup' || step.kind === 'vmap') takeOfLookup(step.fields, step.among, take)
  else if (step.kind === 'any-of') for (const match of step.alternatives.flat()) takeOfStep(match, take)
  else if (step.kind === 'nat' && step.target.kind === 'map') takeOfLookup(step.target.fields, step.target.among, take)
}

function takeOfLookup(fields: readonly Field[], among: Elements, take: Take): void {
  if (among.kind === 'inline' && fields.some(isOfInterface)) takeOfElements(among.elements, take)
}

const isOfInterface = ({ name }: Field): boolean => name === 'iif' || name === 'oif'

function takeOfElements(elements: readonly Element[], take: Take): void {
  for (const element of elements) for (const value of element.values) if (isInterfaceName(value)) take(value)
}
