import { BITS, INTERFACES, type RuleSpec } from './hostRules.ts'

/** The reference: the space as a list of disjoint boxes. Of each rule is left what no rule before it takes. */
type Interval = readonly [first: number, last: number]
/** Interface, protocol (0 tcp, 1 udp), port, source. */
type Cube = readonly [Interval, Interval, Interval, Interval]

const WHOLE: Cube = [[0, INTERFACES], [0, 1], [0, 65_535], [0, 2 ** BITS[4] - 1]]

/** What is accepted, as disjoint cubes; all else is dropped. */
export function cubeList(rules: readonly RuleSpec[]): readonly Cube[] {
  const before: Cube[] = []
  const accepted: Cube[] = []
  for (const rule of rules) {
    for (const cube of cubesOf(rule)) {
      if (rule.verdict === 'accept') accepted.push(...without(cube, before))
      before.push(cube)
    }
  }
  return accepted
}

function without(cube: Cube, others: readonly Cube[]): Cube[] {
  let left: Cube[] = [cube]
  for (const other of others) {
    const next: Cube[] = []
    for (const one of left) {
      const common = intersect(one, other)
      if (common) subtract(one, common, next)
      else next.push(one)
    }
    left = next
    if (left.length === 0) break
  }
  return left
}

export const isAccepted = (cubes: readonly Cube[], point: readonly number[]): boolean =>
  cubes.some((cube) => cube.every(([first, last], field) => first <= (point[field] ?? 0) && (point[field] ?? 0) <= last))

function cubesOf({ interface: index, protocol, ports = [[0, 65_535]], sources }: RuleSpec): Cube[] {
  const addresses: readonly Interval[] = sources?.map(({ value, length }): Interval => [Number(value), Number(value) + 2 ** (BITS[4] - length) - 1]) ?? [WHOLE[3]]
  const own = index === undefined ? WHOLE[0] : ([index, index] as const)
  const number = protocol === 'udp' ? 1 : 0
  return ports.flatMap((port) => addresses.map((source): Cube => [own, protocol ? [number, number] : WHOLE[1], port, source]))
}

function intersect(a: Cube, b: Cube): Cube | undefined {
  const sides = a.map(([first, last], field): Interval => [Math.max(first, b[field]?.[0] ?? 0), Math.min(last, b[field]?.[1] ?? 0)])
  return sides.every(([first, last]) => first <= last) ? (sides as unknown as Cube) : undefined
}

/** What is left of a cube without a part of it: at most two slices a field. */
function subtract(cube: Cube, part: Cube, into: Cube[]): void {
  let rest = cube
  for (const [field, [first, last]] of part.entries()) {
    const [from, to] = rest[field] ?? [0, 0]
    const slice = (interval: Interval): Cube => rest.map((side, index) => (index === field ? interval : side)) as unknown as Cube
    if (from < first) into.push(slice([from, first - 1]))
    if (last < to) into.push(slice([last + 1, to]))
    rest = slice([first, last])
  }
}
