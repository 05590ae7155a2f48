import { readFile } from 'node:fs/promises'
import { request as plainRequest, type IncomingMessage, type RequestOptions } from 'node:http'
import { request as tlsRequest } from 'node:https'
import { z } from 'zod'
import { byDeadline } from './conversation.ts'
import { answerOfError, bad, good, unasked, type GateProbe, type ProbeAnswer } from './probe.ts'
import { address, file, name, port } from './settings.ts'

const BODY_BYTES_MAX = 1024 * 1024

const settings = z.strictObject({
  scheme: z.enum(['http', 'https']).default('http'),
  port: port.optional(),
  address,
  path: z.string().regex(/^\/[\u0021-\u007e]*$/).max(2048).default('/'),
  /** The Host header, and SNI. */
  name: name.optional(),
  method: z.enum(['GET', 'HEAD']).default('GET'),
  /** `200`, `200-399`; several with commas. */
  status: z.string().regex(/^[1-5]\d\d(?:-[1-5]\d\d)?(?:,[1-5]\d\d(?:-[1-5]\d\d)?)*$/).default('200-399'),
  /** Must stand in the body. */
  contains: z.string().min(1).max(1024).optional(),
  ca: file.optional(),
  verify: z.boolean().default(true),
})
type Settings = z.infer<typeof settings>

/** One request on a connection of its own; redirects are not followed. The value is the time to the end of the answer. */
export const httpProbe: GateProbe<Settings> = {
  settings,
  ask: async (asked, target) => {
    if (target.signal.aborted) return unasked('stopped', '已停止')
    let authorities: RequestOptions & { ca?: string } = {}
    try {
      if (asked.ca !== undefined) authorities = { ca: await readFile(asked.ca, 'utf8') }
    } catch (error) {
      return answerOfError(error)
    }
    const over = new AbortController()
    try {
      return await byDeadline(fetchOnce(asked, { host: target.address, signal: over.signal, ...authorities }), target)
    } finally {
      over.abort()
    }
  },
}

function fetchOnce(asked: Settings, options: RequestOptions): Promise<ProbeAnswer> {
  const startedMs = performance.now()
  const isTls = asked.scheme === 'https'
  const named = asked.name === undefined ? {} : { headers: { host: asked.name }, servername: asked.name }
  const full = { ...options, ...named, port: asked.port ?? (isTls ? 443 : 80), path: asked.path, method: asked.method, agent: false, rejectUnauthorized: asked.verify }
  return new Promise((resolve) => {
    const request = (isTls ? tlsRequest : plainRequest)(full, (response) => {
      judge(asked, response, startedMs).then(resolve, (error: unknown) => resolve(answerOfError(error)))
    })
    request.once('error', (error) => resolve(answerOfError(error)))
    request.end()
  })
}

async function judge(asked: Settings, response: IncomingMessage, startedMs: number): Promise<ProbeAnswer> {
  const status = response.statusCode ?? 0
  if (!isWanted(asked.status, status)) {
    response.destroy()
    return bad(`status ${status}`, `状态码 ${status}`)
  }
  let body = ''
  for await (const chunk of response.setEncoding('utf8')) {
    if (body.length < BODY_BYTES_MAX) body += String(chunk)
    else break
  }
  if (asked.contains !== undefined && !body.includes(asked.contains)) return bad('the body does not hold what it should', '正文不含预期内容')
  return good(performance.now() - startedMs, `status ${status}`)
}

const isWanted = (ranges: string, status: number): boolean =>
  ranges.split(',').some((range) => {
    const [low = 0, high = low] = range.split('-').map(Number)
    return status >= low && status <= high
  })
