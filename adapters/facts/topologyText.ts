import { fail, succeed, type Fault, type Result } from '@portcullis/core/fault/fault.ts'
import type { HostFacts } from '@portcullis/core/ruleset/hostfacts.ts'
import { readFacts } from './reading.ts'
import { ANSWER_BYTES_MAX, type Section } from './section.ts'
import { readTopology } from './topology.ts'

/** Whether a text is a saved answer of `portcullis-host facts`. */
export const isFactsAnswer = (text: string): boolean => text.startsWith('@section ')

/**
 * Host facts from a file: a saved answer of `portcullis-host facts`, or what these print, one after the other in any order:
 * `ip -j addr`, `ip -j route show table all`, `ip -j rule`, `ip -j -6 rule`, `sysctl net.ipv4.ip_forward net.ipv6.conf.all.forwarding`.
 * Forwarding is taken as on where no sysctl says otherwise, because then the rules decide. Faults: FACTS_*.
 */
export function readTopologyText(text: string, file: string): Result<HostFacts> {
  if (isFactsAnswer(text)) {
    const reading = readFacts(file, 0, text)
    return reading.ok ? succeed(reading.value.topology) : reading
  }
  if (text.length > ANSWER_BYTES_MAX) return fail(notFacts(file, 1, 1))
  const parts = takeApart(text, file)
  if (!parts.ok) return parts
  const { sections, sysctls } = parts.value
  for (const needed of ['addr', 'route4'] as const) if (!sections.has(needed)) return fail(incomplete(file, needed))
  return readTopology(sections, sysctls, file)
}

interface Parts {
  readonly sections: Map<string, Section>
  readonly sysctls: Map<string, string>
}

const FORWARDING = [
  ['net/ipv4/ip_forward', '1'],
  ['net/ipv6/conf/all/forwarding', '1'],
] as const

function takeApart(text: string, file: string): Result<Parts> {
  const lists = new Map<string, { readonly items: unknown[]; readonly line: number }>()
  const sysctls = new Map<string, string>(FORWARDING)
  let line = 1
  for (let at = 0; at < text.length; ) {
    const end = text[at] === '[' ? endOfList(text, at) : endOfLine(text, at)
    const part = text.slice(at, end)
    const sysctl = /^([a-z0-9_.]+) = (.*)$/.exec(part.trim())
    if (part.startsWith('[')) {
      if (!addList(part, line, lists)) return fail(notFacts(file, line, 1))
    } else if (sysctl) sysctls.set((sysctl[1] ?? '').replaceAll('.', '/'), sysctl[2] ?? '')
    else if (part.trim() !== '') return fail(notFacts(file, line, 1))
    line += part.split('\n').length - 1
    at = end
  }
  const sections = new Map([...lists].map(([name, { items, line: first }]) => [name, { name, text: JSON.stringify(items), line: first }]))
  return succeed({ sections, sysctls })
}

function endOfLine(text: string, start: number): number {
  const end = text.indexOf('\n', start)
  return end < 0 ? text.length : end + 1
}

/** Behind the bracket that closes the one at `start`; strings may hold brackets. */
function endOfList(text: string, start: number): number {
  const mark = /["[\]]/g
  let depth = 0
  for (let at = start; at < text.length; at += 1) {
    mark.lastIndex = at
    const found = mark.exec(text)
    if (!found) return text.length
    at = found.index
    if (found[0] === '"') at = endOfString(text, at)
    else depth += found[0] === '[' ? 1 : -1
    if (depth === 0) return at + 1
  }
  return text.length
}

function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at += 1) {
    if (text[at] === '\\') at += 1
    else if (text[at] === '"') return at
  }
  return text.length
}

/** False: not a list of what ip(8) prints. */
function addList(part: string, line: number, lists: Map<string, { readonly items: unknown[]; readonly line: number }>): boolean {
  let items: unknown
  try {
    items = JSON.parse(part)
  } catch {
    return false
  }
  for (const item of Array.isArray(items) ? (items as unknown[]) : [undefined]) {
    const name = nameOf(item)
    if (name === undefined) return false
    const list = lists.get(name) ?? { items: [], line }
    lists.set(name, list)
    list.items.push(item)
  }
  return true
}

/** `ip -j route` tells the two families' default routes apart by the router preference, which only IPv6 has (RFC 4191). */
function nameOf(item: unknown): string | undefined {
  if (typeof item !== 'object' || item === null) return undefined
  if ('ifname' in item || Object.keys(item).length === 0) return 'addr'
  if ('dst' in item) return 'pref' in item || String(item.dst).includes(':') ? 'route6' : 'route4'
  return 'priority' in item ? 'rule4' : undefined
}

const HOW = { en: 'save what portcullis-host facts prints, or: ip -j addr; ip -j route show table all; ip -j rule', zh: '请保存 portcullis-host facts 的输出，或：ip -j addr; ip -j route show table all; ip -j rule' }

const notFacts = (file: string, line: number, column: number): Fault => ({
  code: 'FACTS_FILE',
  what: { en: 'this is neither an answer of portcullis-host facts nor what ip -j prints', zh: '既不是 portcullis-host facts 的应答，也不是 ip -j 的输出' },
  next: HOW,
  place: { file, line, column },
})

const incomplete = (file: string, missing: 'addr' | 'route4'): Fault => ({
  code: 'FACTS_INCOMPLETE',
  what: missing === 'addr' ? { en: 'there are no interfaces in it', zh: '其中没有网络接口' } : { en: 'there are no routes in it, and without them where a packet goes is not known', zh: '其中没有路由，无法判断报文去向' },
  next: HOW,
  place: { file, line: 1, column: 1 },
})
