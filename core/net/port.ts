import { fail, succeed, type Fault, type Result } from '../fault/fault.ts'

export const PORT_MAX = 65_535

/** Ports `first` to `last`, both included. */
export interface PortRange {
  readonly first: number
  readonly last: number
}

/** Reads `443` or `60000-61000`. Port 0 is refused: nothing listens there. */
export function parsePortRange(input: string): Result<PortRange> {
  const match = /^([0-9]{1,5})(?:-([0-9]{1,5}))?$/.exec(input)
  if (!match) return fail(notAPort(input))
  const first = Number(match[1])
  const last = Number(match[2] ?? match[1])
  if (first < 1 || last > PORT_MAX || first > last) return fail(notAPort(input))
  return succeed({ first, last })
}

export const singlePort = (port: number): PortRange => ({ first: port, last: port })

export const formatPortRange = (range: PortRange): string =>
  range.first === range.last ? String(range.first) : `${range.first}-${range.last}`

/** Reads `22,80,8000-8100`, in any order; an empty text gives none. Sorted, without overlaps. */
export function parsePortRanges(input: string): Result<PortRange[]> {
  const ranges: PortRange[] = []
  const faults: Fault[] = []
  for (const part of input.split(',').map((text) => text.trim()).filter((text) => text !== '')) {
    const range = parsePortRange(part)
    if (range.ok) ranges.push(range.value)
    else faults.push(...range.faults)
  }
  return faults.length > 0 ? fail(...faults) : succeed(mergePortRanges(ranges))
}

export const formatPortRanges = (ranges: readonly PortRange[]): string => ranges.map(formatPortRange).join(',')

export const containsPort = (range: PortRange, port: number): boolean => range.first <= port && port <= range.last

/** Of ranges that do not overlap. */
export const countPorts = (ranges: readonly PortRange[]): number => ranges.reduce((count, { first, last }) => count + last - first + 1, 0)

/** Of ranges that are sorted and do not overlap. O(log n). */
export function someContainsPort(ranges: readonly PortRange[], port: number): boolean {
  let low = 0
  let high = ranges.length - 1
  while (low < high) {
    const middle = (low + high) >> 1
    if ((ranges[middle]?.last ?? 0) < port) low = middle + 1
    else high = middle
  }
  const range = ranges[low]
  return range !== undefined && containsPort(range, port)
}

/** Sorted, without overlaps, neighbours joined. O(n log n). */
export function mergePortRanges(ranges: readonly PortRange[]): PortRange[] {
  const merged: { first: number; last: number }[] = []
  for (const range of ranges.toSorted((a, b) => a.first - b.first)) {
    const open = merged.at(-1)
    if (open && range.first <= open.last + 1) open.last = Math.max(open.last, range.last)
    else merged.push({ ...range })
  }
  return merged
}

const notAPort = (input: string): Fault => ({
  code: 'NET_PORT',
  what: { en: `"${input.slice(0, 32)}" is not a port or a range of ports`, zh: `“${input.slice(0, 32)}”不是端口或端口范围` },
  next: { en: `write 443 or 60000-61000, from 1 to ${PORT_MAX}`, zh: `应写成 443 或 60000-61000，取值 1 到 ${PORT_MAX}` },
})
