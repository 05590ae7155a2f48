import { connect, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'

export const ANSWER_BYTES_MAX = 65_536

export interface Place {
  readonly address: string
  readonly port: number
}

export interface Listening {
  /** Ends the wait early. */
  readonly isEnough: (answer: Buffer) => boolean
  readonly waitMs: number
  readonly signal: AbortSignal | undefined
}

/** What is written before it stands is sent as soon as it does. */
export const connectTo = ({ address, port }: Place): Socket => connect({ host: address, port })

/** Reads until enough has come, the time is over or the other side ends; then the stream is destroyed. Never throws: no answer is an empty one. */
export function listenTo(stream: Duplex, { isEnough, waitMs, signal }: Listening): Promise<Buffer> {
  return new Promise((resolve) => {
    let answer = Buffer.alloc(0)
    const end = (): void => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', end)
      stream.destroy()
      resolve(answer)
    }
    const timer = setTimeout(end, waitMs)
    signal?.addEventListener('abort', end, { once: true })
    stream.on('data', (chunk: Buffer) => {
      answer = Buffer.concat([answer, chunk]).subarray(0, ANSWER_BYTES_MAX)
      if (answer.length === ANSWER_BYTES_MAX || isEnough(answer)) end()
    })
    stream.on('error', end)
    stream.on('close', end)
  })
}
