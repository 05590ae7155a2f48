import { createSocket } from 'node:dgram'
import { setTimeout as sleep } from 'node:timers/promises'
import { UDP_QUESTIONS } from '../udpQuestion.ts'
import type { Place } from './conversation.ts'

/** Between questions, so that a small server's queue does not overflow and each gets its chance. */
const QUESTION_EVERY_MS = 40
const LAST_WAIT_MS = 1000

/**
 * Asks a UDP port every question there is, whatever its number, and answers whose it has answered; undefined when nobody's.
 * From one socket that is connected to nothing: some answers come from another port.
 */
export async function identifyUdp(place: Place, signal?: AbortSignal): Promise<string | undefined> {
  const socket = createSocket(place.address.includes(':') ? 'udp6' : 'udp4')
  const heard = new AbortController()
  const until = signal ? AbortSignal.any([signal, heard.signal]) : heard.signal
  let service: string | undefined
  socket.on('error', () => heard.abort())
  socket.on('message', (answer, from) => {
    if (withoutZone(from.address) !== withoutZone(place.address)) return
    service ??= UDP_QUESTIONS.find((question) => question.recognises(answer))?.service
    if (service !== undefined) heard.abort()
  })
  try {
    for (const question of UDP_QUESTIONS) {
      for (const datagram of question.datagrams()) socket.send(datagram, place.port, place.address, () => undefined)
      await sleep(QUESTION_EVERY_MS, undefined, { signal: until })
    }
    await sleep(LAST_WAIT_MS, undefined, { signal: until })
  } catch (error) {
    if (!until.aborted) throw error
  } finally {
    socket.close()
  }
  return service
}

const withoutZone = (address: string): string => address.split('%')[0] ?? ''
