import type { Element, Elements, Field, LookupMatch, Match, NamedSet, SetElement, Value } from '../ruleset/ruleset.ts'
import type { Diagram } from '../space/arena.ts'
import { boxesDiagram, type Box, type Constraint } from '../space/box.ts'
import { BOTH, EITHER, NO, UNKNOWN, YES } from '../space/outcome.ts'
import { complementRanges, intersectRanges, type Chunks, type Range } from '../space/ranges.ts'
import { fieldDiagram, readableDiagram, simpleFieldOf } from './compileField.ts'
import { levelRanges } from './fieldValues.ts'
import type { LevelField } from './levels.ts'
import type { PacketSpace } from './packetSpace.ts'
import type { Stage } from './stage.ts'

/** Where matches are read. */
export interface MatchContext {
  readonly space: PacketSpace
  readonly stage: Stage
  readonly sets: ReadonlyMap<string, NamedSet>
}

/**
 * A rule's matches put together: nearly always one box, built without a single merge; what does not fit a box is a diagram beside it.
 * `isUnknown`: a match that is asked afresh each time takes part.
 */
export class Conjunction {
  readonly #context: MatchContext
  readonly #constraints: Constraint[] = []
  readonly diagrams: Diagram[] = []
  isUnknown = false
  isNever = false

  constructor(context: MatchContext) {
    this.#context = context
  }

  add(match: Match): void {
    if (match.kind === 'unknown' && !match.isDeterministic) this.isUnknown = true
    else if (match.kind !== 'lookup' || !this.#addSimple(match)) this.diagrams.push(matchDiagram(this.#context, match))
  }

  /** Sorted by level. */
  get box(): Box {
    return this.#constraints
  }

  /** A lookup of one plain field narrows the box. */
  #addSimple(match: LookupMatch): boolean {
    const { space, stage } = this.#context
    const [field] = match.fields
    if (match.fields.length !== 1 || !field) return false
    const known = simpleFieldOf(space, field.name, stage, rangesOf(this.#constraints, space.chunks('l4proto')))
    const values = known && valuesOf(this.#context, match.among)
    const ranges = known && values && levelRanges(space, known.level, field, values)
    if (!known || !ranges) return false
    for (const [level, needed] of known.needs) this.#narrow(level, needed)
    this.#narrow(known.level, match.isNegated ? complementRanges(ranges, space.maxOf(known.level)) : ranges)
    return true
  }

  #narrow(level: LevelField, ranges: readonly Range[]): void {
    const { space } = this.#context
    const [only] = ranges
    if (ranges.length === 1 && only?.first === 0n && only.last === space.maxOf(level)) return
    if (!narrow(this.#constraints, space.chunks(level), ranges)) this.isNever = true
  }
}

/** False: no value is left. */
function narrow(constraints: Constraint[], chunks: Chunks, ranges: readonly Range[]): boolean {
  let at = constraints.length
  while (at > 0 && (constraints[at - 1]?.chunks.firstLevel ?? 0) >= chunks.firstLevel) at -= 1
  const known = constraints[at]
  const left = known?.chunks === chunks ? intersectRanges(known.ranges, ranges) : ranges
  constraints.splice(at, known?.chunks === chunks ? 1 : 0, { chunks, ranges: left })
  return left.length > 0
}

const rangesOf = (constraints: readonly Constraint[], chunks: Chunks): readonly Range[] | undefined =>
  constraints.find((each) => each.chunks === chunks)?.ranges

/** The values of a lookup in one field; undefined where the set is not known. */
function valuesOf(context: MatchContext, among: Elements): readonly Value[] | undefined {
  const elements = elementsOf(context, among)
  return elements?.map((element) => element.values[0] ?? { first: 1n, last: 0n })
}

/** Undefined: unknown, as the set is filled while packets pass or does not exist. */
export function elementsOf(context: MatchContext, among: Elements): readonly SetElement[] | undefined {
  if (among.kind === 'inline') return among.elements
  const set = context.sets.get(among.name)
  return set && !set.isDynamic ? set.elements : undefined
}

/** Any match as a diagram of yes, no and unknown. */
export function matchDiagram(context: MatchContext, match: Match): Diagram {
  if (match.kind === 'unknown') return match.isDeterministic ? context.space.askBoolean(match.what, match.isNegated) : UNKNOWN
  if (match.kind === 'lookup') return lookupDiagram(context, match)
  const { space } = context
  const alternatives = match.alternatives.map((all) =>
    space.combiner.combineAll(BOTH, all.map((each) => matchDiagram(context, each)), YES),
  )
  const any = space.combiner.combineAll(EITHER, alternatives, NO)
  return match.isNegated ? space.invert(any) : any
}

function lookupDiagram(context: MatchContext, match: LookupMatch): Diagram {
  const { space, stage } = context
  const { combiner } = space
  const readable = combiner.combineAll(BOTH, match.fields.map((field) => readableDiagram(space, field, stage)), YES)
  const elements = elementsOf(context, match.among)
  const found = elements ? elementsDiagram(context, match.fields, elements) : UNKNOWN
  return combiner.combine(BOTH, readable, match.isNegated ? space.invert(found) : found)
}

/** Yes where the fields' values are one of the elements. */
export function elementsDiagram(context: MatchContext, fields: readonly Field[], elements: readonly Element[]): Diagram {
  const { combiner } = context.space
  const boxes: Box[] = []
  const others: Diagram[] = []
  for (const element of elements) {
    const box = elementBox(context, fields, element)
    if (box === 'never') continue
    if (box) boxes.push(box)
    else others.push(elementDiagram(context, fields, element))
  }
  return combiner.combineAll(EITHER, [boxesDiagram(combiner, boxes, YES, NO, EITHER), ...others], NO)
}

function elementBox(context: MatchContext, fields: readonly Field[], element: Element): Box | 'never' | undefined {
  const { space } = context
  const constraints: Constraint[] = []
  for (const [index, field] of fields.entries()) {
    const value = element.values[index]
    const known = simpleFieldOf(space, field.name, context.stage, rangesOf(constraints, space.chunks('l4proto')))
    const ranges = known && value && levelRanges(space, known.level, field, [value])
    if (!known || !ranges) return undefined
    for (const [level, needed] of [...known.needs, [known.level, ranges] as const]) {
      if (!narrow(constraints, space.chunks(level), needed)) return 'never'
    }
  }
  return constraints
}

function elementDiagram({ space, stage }: MatchContext, fields: readonly Field[], element: Element): Diagram {
  const tests = fields.map((field, index) => {
    const value = element.values[index]
    return value ? fieldDiagram(space, field, [value], stage) : NO
  })
  return space.combiner.combineAll(BOTH, tests, YES)
}

