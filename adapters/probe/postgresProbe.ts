import { readFile } from 'node:fs/promises'
import type { Duplex } from 'node:stream'
import pg from 'pg'
import { z } from 'zod'
import { byDeadline, converse, dial, type Conversation } from './conversation.ts'
import { answerOfError, bad, good, printableLine, unasked, type GateProbe, type ProbeAnswer, type ProbedTarget } from './probe.ts'
import { address, file, name, port } from './settings.ts'

const settings = z.strictObject({
  port: port.default(5432),
  address,
  /** With a user, logs in and asks `select 1`; without, asks only whether the server would let somebody log in. */
  user: name.optional(),
  database: name.default('postgres'),
  passwordFile: file.optional(),
  tls: z.boolean().default(false),
})
type Settings = z.infer<typeof settings>

export const postgresProbe: GateProbe<Settings> = {
  settings,
  canAskFromElsewhere: true,
  ask: (asked, target) => (asked.user === undefined ? converse(asked.port, target, (conversation) => ping(asked, conversation)) : login(asked, target)),
}

/** A start of protocol 3.0; whatever is said of authentication comes from a server that takes connections (as pg_isready judges it). */
async function ping({ database }: Settings, conversation: Conversation): Promise<ProbeAnswer> {
  const parameters = Buffer.from(`user\0portcullis\0database\0${database}\0\0`)
  const start = Buffer.alloc(8)
  start.writeUInt32BE(8 + parameters.length, 0)
  start.writeUInt32BE(0x0003_0000, 4)
  conversation.say(Buffer.concat([start, parameters]))
  const message = await conversation.hear((heard) => (heard.length < 5 ? undefined : 1 + heard.readUInt32BE(1)))
  const kind = String.fromCodePoint(message[0] ?? 0)
  if (kind === 'R') return good(conversation.elapsedMs)
  if (kind !== 'E') return bad('no PostgreSQL server answers', '应答方不是 PostgreSQL')
  const fields = message.subarray(5).toString('utf8').split('\0')
  const state = fields.find((field) => field.startsWith('C'))?.slice(1) ?? ''
  // 57P: starting up or shutting down; 53: out of connections (PostgreSQL, appendix A). Any other refusal is about who asks.
  return /^(?:57P|53)/.test(state) ? bad(`SQLSTATE ${state}`, `SQLSTATE ${state}`) : good(conversation.elapsedMs, `SQLSTATE ${state}`)
}

async function login(asked: Settings, target: ProbedTarget): Promise<ProbeAnswer> {
  if (target.signal.aborted) return unasked('stopped', '已停止')
  const over = new AbortController()
  try {
    return await byDeadline(loginOnce(asked, { ...target, signal: AbortSignal.any([target.signal, over.signal]) }).catch(answerOfSql), target)
  } finally {
    over.abort()
  }
}

async function loginOnce(asked: Settings, target: ProbedTarget): Promise<ProbeAnswer> {
  const password = asked.passwordFile === undefined ? undefined : (await readFile(asked.passwordFile, 'utf8')).trimEnd()
  const startedMs = performance.now()
  const stream = target.vantage ? await dial(asked.port, target) : undefined
  const tls = asked.tls ? { ssl: { rejectUnauthorized: false } } : {}
  const elsewhere = stream === undefined ? {} : { stream: () => asConnecting(stream) }
  const client = new pg.Client({ host: target.address, port: asked.port, user: asked.user, database: asked.database, password, ...tls, ...elsewhere, connectionTimeoutMillis: target.timeoutMs })
  client.on('error', () => undefined)
  target.signal.addEventListener('abort', () => void client.end().catch(() => undefined), { once: true })
  await client.connect()
  await client.query('select 1')
  return good(performance.now() - startedMs)
}

/** The client wants to connect a stream itself; this one is connected. */
const asConnecting = (stream: Duplex): Duplex =>
  Object.assign(stream, {
    connect: () => {
      queueMicrotask(() => stream.emit('connect'))
      return stream
    },
  })

function answerOfSql(error: unknown): ProbeAnswer {
  const { code = '', message = '' } = error as { code?: string; message?: string }
  return /^[0-9A-Z]{5}$/.test(code) && /\d/.test(code) ? bad(printableLine(`${message} (SQLSTATE ${code})`), `SQLSTATE ${code}`) : answerOfError(error)
}
