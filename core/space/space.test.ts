import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Arena, BudgetError, type Diagram } from './arena.ts'
import { boxDiagram, boxesDiagram, type Box } from './box.ts'
import { Combiner } from './combine.ts'
import { ACCEPT, BOTH, DROP, EITHER, MASK, NEXT, NO, PLAIN_OUTCOMES, REJECT, UNKNOWN, YES } from './outcome.ts'
import { branchDiagram, complementRanges, intersectRanges, mergeRanges, rangesDiagram, type Chunks, type Range } from './ranges.ts'
import { cofactor, mapTerminals, relabel, rewriteLevel } from './transform.ts'

/** Two fields: one of three chunks of two bits, one of five values. 320 points: small enough to ask each. */
const SIZES = [4, 4, 4, 5]
const WIDE: Chunks = { firstLevel: 0, count: 3, bits: 2 }
const NARROW: Chunks = { firstLevel: 3, count: 1, bits: 3 }
const POINTS = Array.from({ length: 64 * 5 }, (_, index) => ({ wide: Math.floor(index / 5), narrow: index % 5 }))
type Point = (typeof POINTS)[number]

function valueAt(arena: Arena, diagram: Diagram, { wide, narrow }: Point): number {
  const digits = [wide >> 4, (wide >> 2) & 3, wide & 3, narrow]
  let at = diagram
  while (arena.levelOf(at) < digits.length) at = arena.childAt(at, digits[arena.levelOf(at)] ?? 0)
  return at
}

const rangesOf = (max: number): fc.Arbitrary<Range[]> =>
  fc.array(fc.tuple(fc.nat(max), fc.nat(max)), { maxLength: 5 }).map((pairs) =>
    mergeRanges(pairs.map(([a, b]) => ({ first: BigInt(Math.min(a, b)), last: BigInt(Math.max(a, b)) }))),
  )
const isIn = (ranges: readonly Range[], value: number): boolean => ranges.some(({ first, last }) => first <= BigInt(value) && BigInt(value) <= last)

const anyBox: fc.Arbitrary<Box> = fc
  .record({ wide: fc.option(rangesOf(63)), narrow: fc.option(rangesOf(4)) })
  .map(({ wide, narrow }) => [...(wide ? [{ chunks: WIDE, ranges: wide }] : []), ...(narrow ? [{ chunks: NARROW, ranges: narrow }] : [])])
const boxHas = (box: Box, point: Point): boolean =>
  box.every(({ chunks, ranges }) => isIn(ranges, chunks === WIDE ? point.wide : point.narrow))

/** A first-match list of boxes with outcomes: any function of the points can be written so. */
interface Listed {
  readonly box: Box
  readonly outcome: number
}
const anyList = (outcomes: readonly number[]): fc.Arbitrary<Listed[]> =>
  fc.array(fc.record({ box: anyBox, outcome: fc.constantFrom(...outcomes) }), { maxLength: 6 })

function build(combiner: Combiner, list: readonly Listed[]): Diagram {
  const parts = list.map(({ box, outcome }) => boxDiagram(combiner.arena, box, outcome, NEXT))
  return combiner.combineAll(PLAIN_OUTCOMES.firstMatch, parts, NEXT)
}
const listAt = (list: readonly Listed[], point: Point): number => list.find(({ box }) => boxHas(box, point))?.outcome ?? NEXT

const combinerOf = (): Combiner => new Combiner(new Arena(SIZES))
const OUTCOMES = [ACCEPT, DROP, REJECT, ACCEPT | NEXT, ACCEPT | DROP]
const lists = anyList(OUTCOMES)

describe('ranges', () => {
  test('complement and intersection are those of sets', () => {
    fc.assert(
      fc.property(rangesOf(63), rangesOf(63), (a, b) => {
        for (let value = 0; value < 64; value += 1) {
          expect(isIn(complementRanges(a, 63n), value)).toBe(!isIn(a, value))
          expect(isIn(intersectRanges(a, b), value)).toBe(isIn(a, value) && isIn(b, value))
        }
      }),
    )
  })

  test('a diagram of ranges over chunks says of every value what the ranges say', () => {
    fc.assert(
      fc.property(rangesOf(63), (ranges) => {
        const arena = new Arena(SIZES)
        const diagram = rangesDiagram(arena, WIDE, ranges, YES, NO)
        for (const point of POINTS) expect(valueAt(arena, diagram, point)).toBe(isIn(ranges, point.wide) ? YES : NO)
      }),
    )
  })

  test('touching ranges keep their own branches', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(62), { minLength: 1, maxLength: 8 }), (cuts) => {
        const edges = [-1, ...cuts.toSorted((a, b) => a - b), 63]
        const ranges = edges.slice(1).map((last, index) => ({ first: BigInt((edges[index] ?? 0) + 1), last: BigInt(last) }))
        const arena = new Arena(SIZES)
        const diagram = branchDiagram(arena, WIDE, ranges, (index) => index + 10, 0)
        for (const point of POINTS) {
          expect(valueAt(arena, diagram, point)).toBe(10 + ranges.findIndex(({ first, last }) => first <= BigInt(point.wide) && BigInt(point.wide) <= last))
        }
      }),
    )
  })
})

describe('boxes', () => {
  test('the union built by branching is the union built by merging, and what each point says', () => {
    fc.assert(
      fc.property(fc.array(anyBox, { maxLength: 8 }), (boxes) => {
        const combiner = combinerOf()
        const merged = combiner.combineAll(EITHER, boxes.map((box) => boxDiagram(combiner.arena, box, YES, NO)), NO)
        const branched = boxesDiagram(combiner, boxes, YES, NO, EITHER)
        expect(branched).toBe(merged)
        for (const point of POINTS) expect(valueAt(combiner.arena, branched, point)).toBe(boxes.some((box) => boxHas(box, point)) ? YES : NO)
      }),
    )
  })
})

describe('diagrams', () => {
  test('first match is what a list of rules does, however the merging is grouped', () => {
    fc.assert(
      fc.property(lists, (list) => {
        const sure = list.map((each) => ({ ...each, outcome: each.outcome & ~NEXT }))
        const combiner = combinerOf()
        const balanced = build(combiner, sure)
        const sequential = sure.reduceRight<Diagram>(
          (after, { box, outcome }) => combiner.combine(PLAIN_OUTCOMES.firstMatch, boxDiagram(combiner.arena, box, outcome, NEXT), after),
          NEXT,
        )
        expect(balanced).toBe(sequential)
        for (const point of POINTS) expect(valueAt(combiner.arena, balanced, point)).toBe(listAt(sure, point))
      }),
    )
  })

  test('what is made on the way and let go leaves results, and later ones, as they were', () => {
    fc.assert(
      fc.property(fc.array(lists, { minLength: 1, maxLength: 4 }), (all) => {
        const tidy = new Combiner(new Arena(SIZES), 2)
        const plain = combinerOf()
        const kept = all.map((list) => build(tidy, list))
        const expected = all.map((list) => build(plain, list))
        for (const [index, list] of all.entries()) {
          expect(build(tidy, list)).toBe(kept[index])
          for (const point of POINTS) expect(valueAt(tidy.arena, kept[index] ?? 0, point)).toBe(valueAt(plain.arena, expected[index] ?? 0, point))
        }
      }),
    )
  })

  test('equal meaning is the same number, whatever the order of rules of one verdict', () => {
    fc.assert(
      fc.property(fc.array(anyBox, { maxLength: 6 }), fc.infiniteStream(fc.nat()), (boxes, dice) => {
        const combiner = combinerOf()
        const shuffled = boxes.map((box) => ({ box, at: dice.next().value ?? 0 })).toSorted((a, b) => a.at - b.at).map(({ box }) => box)
        const of = (each: readonly Box[]): Diagram => build(combiner, each.map((box) => ({ box, outcome: ACCEPT })))
        expect(of(boxes)).toBe(of(shuffled))
      }),
    )
  })

  test.each([
    ['first match is associative', (c: Combiner, a: Diagram, b: Diagram, d: Diagram) => [then(c, then(c, a, b), d), then(c, a, then(c, b, d))]],
    ['first match is idempotent', (c: Combiner, a: Diagram) => [then(c, a, a), a]],
    ['next is the neutral element', (c: Combiner, a: Diagram) => [then(c, NEXT, a), then(c, a, NEXT)]],
    ['union is commutative', (c: Combiner, a: Diagram, b: Diagram) => [or(c, a, b), or(c, b, a)]],
    ['union is associative', (c: Combiner, a: Diagram, b: Diagram, d: Diagram) => [or(c, or(c, a, b), d), or(c, a, or(c, b, d))]],
    ['union absorbs itself', (c: Combiner, a: Diagram) => [or(c, a, a), a]],
  ])('%s', (_law, sides) => {
    fc.assert(
      fc.property(lists, lists, lists, (x, y, z) => {
        const combiner = combinerOf()
        const [a, b, c] = [build(combiner, x), build(combiner, y), build(combiner, z)]
        const [left, right] = sides(combiner, a, b, c)
        expect(left).toBe(right)
      }),
    )
  })

  test('and, or, not on matches obey De Morgan; unknown stays unknown', () => {
    fc.assert(
      fc.property(anyList([YES, NO, UNKNOWN]), anyList([YES, NO, UNKNOWN]), (x, y) => {
        const combiner = combinerOf()
        const match = (list: readonly Listed[]): Diagram => mapTerminals(combiner.arena, build(combiner, list), (t) => (t === NEXT ? NO : t))
        const not = (diagram: Diagram): Diagram => mapTerminals(combiner.arena, diagram, (t) => (t === YES ? NO : t === NO ? YES : t))
        const [a, b] = [match(x), match(y)]
        expect(not(combiner.combine(BOTH, a, b))).toBe(combiner.combine(EITHER, not(a), not(b)))
        expect(combiner.combine(BOTH, a, a)).toBe(a)
      }),
    )
  })

  test('cofactor, rewriting and relabelling do what they say of every point', () => {
    fc.assert(
      fc.property(lists, fc.nat(4), fc.array(fc.nat(4), { minLength: 5, maxLength: 5 }), (list, value, values) => {
        const combiner = combinerOf()
        const { arena } = combiner
        const diagram = build(combiner, list)
        const fixed = cofactor(arena, diagram, 3, value)
        const rewritten = rewriteLevel(arena, diagram, 3, values)
        for (const point of POINTS) {
          expect(valueAt(arena, fixed, point)).toBe(valueAt(arena, diagram, { ...point, narrow: value }))
          expect(valueAt(arena, rewritten, point)).toBe(valueAt(arena, diagram, { ...point, narrow: values[point.narrow] ?? 0 }))
        }
        expect(relabel(arena, diagram, [])).toBe(diagram)
      }),
    )
  })

  test('a mask keeps the second where the first is not zero', () => {
    fc.assert(
      fc.property(anyBox, lists, (box, list) => {
        const combiner = combinerOf()
        const diagram = build(combiner, list)
        const masked = combiner.combine(MASK, boxDiagram(combiner.arena, box, 1, 0), diagram)
        for (const point of POINTS) expect(valueAt(combiner.arena, masked, point)).toBe(boxHas(box, point) ? valueAt(combiner.arena, diagram, point) : 0)
      }),
    )
  })

  test('past its budget an arena gives up instead of answering', () => {
    const combiner = new Combiner(new Arena(SIZES, { edgesMax: 10 }))
    const boxes = Array.from({ length: 20 }, (_, index): Box => [{ chunks: WIDE, ranges: [{ first: BigInt(3 * index), last: BigInt(3 * index) }] }])
    expect(() => build(combiner, boxes.map((box) => ({ box, outcome: ACCEPT })))).toThrow(BudgetError)
  })
})

const then = (combiner: Combiner, a: Diagram, b: Diagram): Diagram => combiner.combine(PLAIN_OUTCOMES.firstMatch, a, b)
const or = (combiner: Combiner, a: Diagram, b: Diagram): Diagram => combiner.combine(PLAIN_OUTCOMES.union, a, b)
