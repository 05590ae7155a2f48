import type { Fault, Place } from '@portcullis/core/fault/fault.ts'
import { nearest } from '@portcullis/core/policy/nearest.ts'
import { offsetOf, type Path } from './located.ts'
import type { LocatedText } from './yamlReader.ts'

/** What is collected while one policy file is read: faults, each with its place. */
export class Reading {
  readonly text: LocatedText
  readonly faults: Fault[] = []
  readonly #broken: ReadonlySet<string>

  constructor(text: LocatedText, broken: ReadonlySet<string>) {
    this.text = text
    this.#broken = broken
  }

  /** Whether an entry was left out because of its shape; then nothing that refers to it is known to be wrong. */
  isBroken(...path: readonly string[]): boolean {
    return this.#broken.has(path.join(' '))
  }

  hasBroken(...path: readonly string[]): boolean {
    const start = path.join(' ')
    return [...this.#broken].some((entry) => entry === start || entry.startsWith(`${start} `))
  }

  refuse(fault: Omit<Fault, 'place'>, path: Path, what: 'key' | 'value' = 'value'): undefined {
    this.faults.push({ ...fault, place: this.placeOf(path, what) })
    return undefined
  }

  placeOf(path: Path, what: 'key' | 'value' = 'value'): Place {
    return this.text.placeAt(offsetOf(this.text.root, path, what))
  }
}

/** `fallback` is told where no known name is near. */
export function unknownName(
  code: string,
  kind: { readonly en: string; readonly zh: string },
  name: string,
  known: Iterable<string>,
  fallback: { readonly en: string; readonly zh: string },
): Fault {
  const guess = nearest(name, known)
  return {
    code,
    what: { en: `there is no ${kind.en} "${name}"`, zh: `没有名为“${name}”的${kind.zh}` },
    next: guess === undefined ? fallback : { en: `did you mean "${guess}"?`, zh: `是否想写“${guess}”？` },
  }
}
