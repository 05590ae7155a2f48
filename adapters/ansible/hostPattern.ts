/** What `web[01:50].example.org:2222` stands for. */
export interface HostPattern {
  readonly names: readonly string[]
  readonly port?: string
}

/**
 * Ansible's host ranges: `[1:5]`, `[01:10]` (leading zeros kept), `[a:f]`, with a step `[0:10:2]`, several in one name. Both ends are
 * included. Nothing for a pattern that is not one, or that stands for more than `limit` hosts.
 */
export function expandHostPattern(pattern: string, limit: number): HostPattern | undefined {
  const match = /^(.*[^:]):([0-9]+)$/.exec(pattern)
  // More colons, outside of ranges, are an IPv6 address.
  const hasPort = match !== null && !(match[1] ?? '').replaceAll(/\[[^\]]*\]/g, '').includes(':')
  const names = expand(hasPort ? (match[1] ?? '') : pattern, limit)
  if (!names || names.length === 0) return undefined
  return hasPort ? { names, port: match[2] ?? '' } : { names }
}

function expand(pattern: string, limit: number): string[] | undefined {
  const match = /^([^[\]]*)\[([^[\]]*)\](.*)$/.exec(pattern)
  if (!match) return /[[\]\s]/.test(pattern) || pattern === '' ? undefined : [pattern]
  const [, head = '', range = '', tail = ''] = match
  const middles = expandRange(range, limit)
  const tails = tail === '' ? [''] : expand(tail, limit)
  if (!middles || !tails || middles.length * tails.length > limit) return undefined
  return middles.flatMap((middle) => tails.map((rest) => `${head}${middle}${rest}`))
}

function expandRange(range: string, limit: number): string[] | undefined {
  const match = /^([0-9]+|[A-Za-z]):([0-9]+|[A-Za-z])(?::([1-9][0-9]*))?$/.exec(range)
  if (!match) return undefined
  const [, from = '', to = '', step = '1'] = match
  const isNumber = /^[0-9]/.test(from)
  if (isNumber !== /^[0-9]/.test(to)) return undefined
  const isPadded = isNumber && from.length > 1 && from.startsWith('0')
  if (isPadded && from.length !== to.length) return undefined
  const [first, last] = isNumber ? [Number(from), Number(to)] : [from.charCodeAt(0), to.charCodeAt(0)]
  if (first > last || (last - first) / Number(step) > limit) return undefined
  const values: string[] = []
  for (let at = first; at <= last; at += Number(step)) {
    values.push(isNumber ? String(at).padStart(isPadded ? from.length : 0, '0') : String.fromCharCode(at))
  }
  return values
}
