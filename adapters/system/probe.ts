import type { Cancellation, Probe, ProbeOutcome, ProbeTarget } from '@portcullis/engine/ports.ts'
import { createSocket } from 'node:dgram'
import { connect } from 'node:net'

/** Plain TCP handshakes from where this process stands, ended at once without a byte of payload. */
export const systemProbe: Probe = { connect: connectOnce, sourceTowards }

function connectOnce({ address, port, timeoutMs }: ProbeTarget, signal?: Cancellation): Promise<ProbeOutcome> {
  const startedMs = performance.now()
  return new Promise((resolve) => {
    const socket = connect({ host: address, port, timeout: timeoutMs, ...(signal instanceof AbortSignal ? { signal } : {}) })
    const end = (outcome: ProbeOutcome): void => {
      socket.destroy()
      resolve(outcome)
    }
    const durationMs = (): number => performance.now() - startedMs
    socket.once('connect', () => end({ kind: 'answered', durationMs: durationMs() }))
    socket.once('timeout', () => end({ kind: 'silent', durationMs: durationMs() }))
    socket.once('error', (error: NodeJS.ErrnoException) => {
      end(error.code === 'ECONNREFUSED' ? { kind: 'refused', durationMs: durationMs() } : { kind: 'unknown', because: error.code ?? error.message })
    })
  })
}

/** Connecting a UDP socket sends nothing, and makes the kernel choose the source (udp(7), connect(2)). */
function sourceTowards(address: string): Promise<string | undefined> {
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4')
  return new Promise((resolve) => {
    const end = (source: string | undefined): void => {
      socket.close()
      resolve(source)
    }
    socket.once('error', () => end(undefined))
    socket.connect(DISCARD_PORT, address, () => end(socket.address().address))
  })
}

/** RFC 863; nothing is sent to it. */
const DISCARD_PORT = 9
