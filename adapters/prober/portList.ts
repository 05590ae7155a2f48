import { fail, succeed, type Fault, type Result } from '@portcullis/core/fault/fault.ts'
import { mergePortRanges, parsePortRange, type PortRange } from '@portcullis/core/net/port.ts'

/** Reads `22,80,8000-8100` to sorted, distinct ports; an empty text gives none. */
export function parsePortList(input: string): Result<Uint16Array> {
  const ranges: PortRange[] = []
  const faults: Fault[] = []
  for (const part of input.split(',').map((text) => text.trim()).filter((text) => text !== '')) {
    const range = parsePortRange(part)
    if (range.ok) ranges.push(range.value)
    else faults.push(...range.faults)
  }
  if (faults.length > 0) return fail(...faults)
  const merged = mergePortRanges(ranges)
  const ports = new Uint16Array(merged.reduce((count, range) => count + range.last - range.first + 1, 0))
  let at = 0
  for (const range of merged) for (let port = range.first; port <= range.last; port++) ports[at++] = port
  return succeed(ports)
}
