import { readFile } from 'node:fs/promises'
import { connect, type ConnectionOptions } from 'node:tls'
import { z } from 'zod'
import { byDeadline, dial } from './conversation.ts'
import { answerOfError, bad, good, unasked, type GateProbe, type ProbeAnswer, type ProbedTarget } from './probe.ts'
import { address, file, name, port } from './settings.ts'

const settings = z.strictObject({
  port: port.default(443),
  address,
  /** Asked for by SNI and looked for in the certificate; the target's address without it. */
  name: name.optional(),
  /** Authorities to trust instead of the usual ones, PEM. */
  ca: file.optional(),
  verify: z.boolean().default(true),
  /** `required`: an answer without a stapled OCSP response is bad: a server that can no longer reach its responder serves on, and breaks when the last one has run out. */
  staple: z.enum(['optional', 'required']).default('optional'),
})
type Settings = z.infer<typeof settings>

/** The value is the time from the first packet to the end of the handshake. */
export const tlsProbe: GateProbe<Settings> = {
  settings,
  canAskFromElsewhere: true,
  ask: async (asked, target) => {
    if (target.signal.aborted) return unasked('stopped', '已停止')
    try {
      return await shake(asked, target, asked.ca === undefined ? {} : { ca: await readFile(asked.ca, 'utf8') })
    } catch (error) {
      return answerOfError(error)
    }
  },
}

async function shake(asked: Settings, target: ProbedTarget, authorities: ConnectionOptions): Promise<ProbeAnswer> {
  const over = new AbortController()
  try {
    return await byDeadline(shakeOn(asked, { ...target, signal: AbortSignal.any([target.signal, over.signal]) }, authorities).catch(answerOfError), target)
  } finally {
    over.abort()
  }
}

async function shakeOn(asked: Settings, target: ProbedTarget, authorities: ConnectionOptions): Promise<ProbeAnswer> {
  const startedMs = performance.now()
  const stream = await dial(asked.port, target)
  const named = asked.name === undefined ? {} : { servername: asked.name }
  const socket = connect({ socket: stream, host: target.address, rejectUnauthorized: asked.verify, requestOCSP: true, ...named, ...authorities })
  target.signal.addEventListener('abort', () => socket.destroy(), { once: true })
  let isStapled = false
  socket.on('OCSPResponse', (response: Buffer | null) => {
    isStapled = response !== null && response.length > 0
  })
  return new Promise<ProbeAnswer>((resolve) => {
    socket.once('secureConnect', () => {
      if (asked.staple === 'required' && !isStapled) resolve(bad('no OCSP response is stapled', '未附带 OCSP 装订响应'))
      else resolve(good(performance.now() - startedMs, `${socket.getProtocol() ?? 'TLS'}, ${isStapled ? 'stapled' : 'not stapled'}`))
    })
    socket.on('error', (error) => resolve(answerOfError(error)))
    socket.once('close', () => resolve(bad('closed during the handshake', '握手期间连接被关闭')))
  })
}
