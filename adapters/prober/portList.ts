import { succeed, type Result } from '@portcullis/core/fault/fault.ts'
import { countPorts, parsePortRanges } from '@portcullis/core/net/port.ts'

/** Reads `22,80,8000-8100` to sorted, distinct ports; an empty text gives none. */
export function parsePortList(input: string): Result<Uint16Array> {
  const ranges = parsePortRanges(input)
  if (!ranges.ok) return ranges
  const ports = new Uint16Array(countPorts(ranges.value))
  let at = 0
  for (const range of ranges.value) for (let port = range.first; port <= range.last; port++) ports[at++] = port
  return succeed(ports)
}
