import { Resolver } from 'node:dns/promises'
import { isIPv6 } from 'node:net'
import { z } from 'zod'
import { byDeadline } from './conversation.ts'
import { bad, good, noAnswer, printableLine, unasked, type GateProbe, type ProbeAnswer } from './probe.ts'
import { address, name, port } from './settings.ts'

const settings = z.strictObject({
  port: port.default(53),
  address,
  name,
  type: z.enum(['A', 'AAAA', 'CNAME', 'MX', 'NS', 'PTR', 'SRV', 'TXT']).default('A'),
  /** One of the records, as text. */
  expect: z.string().min(1).max(255).optional(),
  /** `absent`: that there is no such name is the right answer. */
  answer: z.enum(['present', 'absent']).default('present'),
})
type Settings = z.infer<typeof settings>

/** One question, asked once: a resolver that is silent now and then is what this is to find. */
export const dnsProbe: GateProbe<Settings> = {
  settings,
  canAskFromElsewhere: false,
  ask: async (asked, target) => {
    if (target.signal.aborted) return unasked('stopped', '已停止')
    const resolver = new Resolver({ timeout: target.timeoutMs, tries: 1 })
    resolver.setServers([isIPv6(target.address) ? `[${target.address}]:${asked.port}` : `${target.address}:${asked.port}`])
    try {
      return await byDeadline(question(resolver, asked, target.timeoutMs), target)
    } finally {
      resolver.cancel()
    }
  },
}

/** c-ares, as node:dns passes its codes on. */
const ABSENT = new Set(['ENOTFOUND', 'ENODATA'])

async function question(resolver: Resolver, asked: Settings, timeoutMs: number): Promise<ProbeAnswer> {
  const startedMs = performance.now()
  try {
    const records = (await resolver.resolve(asked.name, asked.type)) as readonly unknown[]
    const elapsedMs = performance.now() - startedMs
    const texts = records.map(recordText)
    if (asked.answer === 'absent') return bad(`${asked.name} is there`, `${asked.name} 存在`)
    if (asked.expect !== undefined && !texts.includes(asked.expect)) return bad(`answers ${printableLine(texts.join(', '))}`, `应答为 ${printableLine(texts.join('、'))}`)
    return good(elapsedMs, printableLine(texts.join(', ')))
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error)
    if (ABSENT.has(code)) return asked.answer === 'absent' ? good(performance.now() - startedMs) : bad(`there is no ${asked.type} of ${asked.name}`, `${asked.name} 没有 ${asked.type} 记录`)
    return code === 'ETIMEOUT' ? noAnswer(timeoutMs) : bad(code, code)
  }
}

function recordText(record: unknown): string {
  if (typeof record === 'string') return record
  if (Array.isArray(record)) return record.join('')
  return Object.values(record as Record<string, unknown>).join(' ')
}
