import { readFile } from 'node:fs/promises'
import { request as plainRequest, type IncomingMessage } from 'node:http'
import { connect as secure } from 'node:tls'
import { z } from 'zod'
import { byDeadline, dial } from './conversation.ts'
import { answerOfError, bad, good, unasked, type GateProbe, type ProbeAnswer, type ProbedTarget } from './probe.ts'
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
  canAskFromElsewhere: true,
  ask: async (asked, target) => {
    if (target.signal.aborted) return unasked('stopped', '已停止')
    let authorities: { ca?: string } = {}
    try {
      if (asked.ca !== undefined) authorities = { ca: await readFile(asked.ca, 'utf8') }
    } catch (error) {
      return answerOfError(error)
    }
    const over = new AbortController()
    try {
      return await byDeadline(fetchOnce(asked, { ...target, signal: AbortSignal.any([target.signal, over.signal]) }, authorities).catch(answerOfError), target)
    } finally {
      over.abort()
    }
  },
}

async function fetchOnce(asked: Settings, target: ProbedTarget, authorities: { ca?: string }): Promise<ProbeAnswer> {
  const startedMs = performance.now()
  const isTls = asked.scheme === 'https'
  const port = asked.port ?? (isTls ? 443 : 80)
  const stream = await dial(port, target)
  const named = asked.name === undefined ? {} : { servername: asked.name }
  const connection = isTls ? secure({ socket: stream, host: target.address, rejectUnauthorized: asked.verify, ...named, ...authorities }) : stream
  const headers = asked.name === undefined ? {} : { headers: { host: asked.name } }
  return new Promise((resolve) => {
    // The request tells what went wrong while it lasted; what comes after the answer, such as a close that nobody reads, says nothing of it.
    connection.on('error', () => undefined)
    const request = plainRequest({ host: target.address, port, path: asked.path, method: asked.method, signal: target.signal, createConnection: () => connection, ...headers }, (response) => {
      judge(asked, response, startedMs).then(resolve, (error: unknown) => resolve(answerOfError(error)))
    })
    request.on('error', (error) => resolve(answerOfError(error)))
    request.end()
  })
}

async function judge(asked: Settings, response: IncomingMessage, startedMs: number): Promise<ProbeAnswer> {
  const status = response.statusCode ?? 0
  // The rest of it is not waited for: whoever asked ends the request.
  if (!isWanted(asked.status, status)) return bad(`status ${status}`, `状态码 ${status}`)
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
