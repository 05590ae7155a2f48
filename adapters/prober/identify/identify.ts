import { converse, listenTo, type Place } from './conversation.ts'
import { HANDSHAKES, identityOf, type Identity } from './handshake.ts'
import { sshHandshake } from './sshHandshake.ts'
import { tlsHandshake } from './tlsHandshake.ts'

/** How long a server that speaks first may take to do so. */
const BANNER_WAIT_MS = 600
const QUESTION_WAIT_MS = 1200
const HANDSHAKE_WAIT_MS = 3000
/** For all questions to one endpoint together. */
const BUDGET_MS = 12_000

/**
 * Asks an open TCP port what it is: first listens, then tries the handshakes one after another, each on its own connection.
 * The port's number plays no part. Undefined when nothing was recognised.
 */
export async function identify(place: Place, signal?: AbortSignal): Promise<Identity | undefined> {
  const endMs = performance.now() + BUDGET_MS
  const banner = await ask(place, undefined, BANNER_WAIT_MS, signal)
  if (banner.length > 0) return identifyBanner(place, banner, signal)
  const encrypted = await identifyTls(place, signal)
  if (encrypted) return encrypted
  for (const { service, question } of HANDSHAKES) {
    if (!question) continue
    if (signal?.aborted || performance.now() > endMs) break
    const identity = identityOf(await ask(place, service, QUESTION_WAIT_MS, signal, question()), service)
    if (identity) return identity
  }
  return undefined
}

async function identifyBanner(place: Place, banner: Buffer, signal: AbortSignal | undefined): Promise<Identity | undefined> {
  const identity = identityOf(banner, undefined)
  if (identity?.service === 'ssh') {
    return { service: 'ssh', details: { ...identity.details, ...(await sshHandshake(place, HANDSHAKE_WAIT_MS, signal)) } }
  }
  if (identity || !banner.toString('latin1').startsWith('220')) return identity
  const answer = await converse(place, Buffer.from('EHLO portcullis.invalid\r\n'), { waitMs: QUESTION_WAIT_MS, signal, isEnough: (soFar) => identityOf(soFar, 'smtp') !== undefined })
  return identityOf(answer, 'smtp')
}

/** What speaks inside TLS is asked by HTTP, the only question that servers of every other kind survive and answer in their own words. */
async function identifyTls(place: Place, signal: AbortSignal | undefined): Promise<Identity | undefined> {
  const tls = await tlsHandshake(place, HANDSHAKE_WAIT_MS)
  if (!tls?.socket) return tls && { service: 'tls', details: tls.details }
  const { socket, details } = tls
  if (details['alpn'] === 'h2') {
    socket.destroy()
    return { service: 'https', details }
  }
  socket.write(httpQuestion())
  const inner = identityOf(await listenTo(socket, { waitMs: QUESTION_WAIT_MS, signal, isEnough: hasTitleOrEnd }), 'http')
  if (!inner) return { service: 'tls', details }
  return { service: inner.service === 'http' ? 'https' : `${inner.service}+tls`, details: { ...details, ...inner.details } }
}

const httpQuestion = (): Buffer => HANDSHAKES.find(({ service }) => service === 'http')?.question?.() ?? Buffer.alloc(0)

function ask(place: Place, asked: string | undefined, waitMs: number, signal: AbortSignal | undefined, question?: Buffer): Promise<Buffer> {
  const isEnough = (soFar: Buffer): boolean => (soFar.toString('latin1', 0, 5) === 'HTTP/' ? hasTitleOrEnd(soFar) : identityOf(soFar, asked) !== undefined)
  return converse(place, question, { waitMs, signal, isEnough })
}

/** The status line alone would be recognised, but the title comes later. */
const hasTitleOrEnd = (answer: Buffer): boolean => /<\/title>/i.test(answer.toString('latin1'))
