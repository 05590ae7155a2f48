import type { Duplex } from 'node:stream'
import { connectTo, listenTo, type Place } from './conversation.ts'
import { HANDSHAKES, identityOf, type Identity } from './handshake.ts'
import { sshHandshake } from './sshHandshake.ts'
import { tlsHandshake } from './tlsHandshake.ts'

/** How long a server that speaks first may take to do so. */
const BANNER_WAIT_MS = 600
const QUESTION_WAIT_MS = 1200
const HANDSHAKE_WAIT_MS = 3000
/** For all questions to one endpoint together, those inside TLS apart: each of them may have to wait in vain. */
const BUDGET_MS = 30_000
/** What takes everything and says nothing, neither in the clear nor to TLS, is left alone after this long: the last question began within the budget. */
export const SILENT_MS_MAX = BANNER_WAIT_MS + HANDSHAKE_WAIT_MS + BUDGET_MS + QUESTION_WAIT_MS

/** A fresh connection to the endpoint, for one question; undefined when there is none to be had. */
type Open = () => Promise<Duplex | undefined>

/**
 * Asks an open TCP port what it is: first listens, then tries the handshakes one after another, each on its own connection,
 * and the same again inside TLS where it speaks that. The port's number plays no part. Undefined when nothing was recognised.
 */
export async function identify(place: Place, signal?: AbortSignal): Promise<Identity | undefined> {
  const plain: Open = () => Promise.resolve(connectTo(place))
  const spoken = await identifyBanner(plain, signal)
  if (spoken) return spoken.identity?.service === 'ssh' ? withHostKey(spoken.identity, place, signal) : spoken.identity
  return (await identifyTls(place, signal)) ?? askAll(plain, signal)
}

async function withHostKey(identity: Identity, place: Place, signal: AbortSignal | undefined): Promise<Identity> {
  return { service: 'ssh', details: { ...identity.details, ...(await sshHandshake(place, HANDSHAKE_WAIT_MS, signal)) } }
}

/** Undefined when nothing was said unasked. */
async function identifyBanner(open: Open, signal: AbortSignal | undefined): Promise<{ readonly identity: Identity | undefined } | undefined> {
  const banner = await ask(open, undefined, BANNER_WAIT_MS, signal)
  if (banner.length === 0) return undefined
  const identity = identityOf(banner, undefined)
  if (identity || !banner.toString('latin1').startsWith('220')) return { identity }
  const stream = await open()
  stream?.write('EHLO portcullis.invalid\r\n')
  const isEnough = (soFar: Buffer): boolean => identityOf(soFar, 'smtp') !== undefined
  return { identity: stream && identityOf(await listenTo(stream, { waitMs: QUESTION_WAIT_MS, signal, isEnough }), 'smtp') }
}

/** What speaks inside TLS is asked like what speaks in the clear; a server that demands a certificate of ours stays "tls". */
async function identifyTls(place: Place, signal: AbortSignal | undefined): Promise<Identity | undefined> {
  const tls = await tlsHandshake(place, HANDSHAKE_WAIT_MS)
  if (!tls) return undefined
  tls.socket?.destroy()
  const { details } = tls
  if (!tls.socket) return { service: 'tls', details }
  if (details['alpn'] === 'h2') return { service: 'https', details }
  const inside: Open = async () => (await tlsHandshake(place, HANDSHAKE_WAIT_MS))?.socket
  const spoken = await identifyBanner(inside, signal)
  const inner = spoken ? spoken.identity : await askAll(inside, signal)
  if (!inner) return { service: 'tls', details }
  return { service: inner.service === 'http' ? 'https' : `${inner.service}+tls`, details: { ...details, ...inner.details } }
}

async function askAll(open: Open, signal: AbortSignal | undefined): Promise<Identity | undefined> {
  const endMs = performance.now() + BUDGET_MS
  for (const { service, question } of HANDSHAKES) {
    if (!question) continue
    if (signal?.aborted || performance.now() > endMs) break
    const identity = identityOf(await ask(open, service, QUESTION_WAIT_MS, signal, question()), service)
    if (identity) return identity
  }
  return undefined
}

async function ask(open: Open, asked: string | undefined, waitMs: number, signal: AbortSignal | undefined, question?: Buffer): Promise<Buffer> {
  const stream = await open()
  if (!stream) return Buffer.alloc(0)
  if (question) stream.write(question)
  const isEnough = (soFar: Buffer): boolean => (soFar.toString('latin1', 0, 5) === 'HTTP/' ? hasTitleOrEnd(soFar) : identityOf(soFar, asked) !== undefined)
  return listenTo(stream, { waitMs, signal, isEnough })
}

/** The status line alone would be recognised, but the title comes later. */
const hasTitleOrEnd = (answer: Buffer): boolean => /<\/title>/i.test(answer.toString('latin1'))
