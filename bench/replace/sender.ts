import { openPacketSocket } from '@portcullis/adapters/rawsocket/packetSocket.ts'
import { FRAME_BYTES_MAX, sourceAt, writeDatagram } from '../cable/frames.ts'
import { ALLOWED_PORT, FORBIDDEN_PORT } from './ports.ts'

/**
 * Sends datagrams to the allowed and to the forbidden port in turn until it is ended: `sender.ts DEVICE PACKETS-A-SECOND`.
 * A process of its own, so that it goes on while the rules are replaced.
 */
const [device = '', rate = ''] = process.argv.slice(2)
/** So many flows that none of them is ever taken for established. */
const FRAMES = 1_024
/** Shorter than any replacement, longer than a timer's slack. */
const PAUSE_MS = 0.05
/** After a stall it does not make up for all that was missed. */
const BURST_MAX = 256

const opened = await openPacketSocket(device)
if (!opened.ok) throw new Error(opened.faults[0]?.what.en)
const socket = opened.value
const batch = socket.newSendBatch({ capacity: FRAMES, slotBytes: FRAME_BYTES_MAX })
for (let slot = 0; slot < FRAMES; slot += 1) {
  writeDatagram(batch, slot, { source: sourceAt(1), sourcePort: 2_000 + slot, port: slot % 2 ? FORBIDDEN_PORT : ALLOWED_PORT })
}
const pause = new Int32Array(new SharedArrayBuffer(4))
const framesPerMs = Number(rate) / 1_000
let at = 0
for (let before = performance.now(); ; ) {
  Atomics.wait(pause, 0, 0, PAUSE_MS)
  const now = performance.now()
  const due = Math.min(Math.floor((now - before) * framesPerMs), BURST_MAX, FRAMES - at)
  if (due === 0) continue
  before = Math.max(before + due / framesPerMs, now - BURST_MAX / framesPerMs)
  socket.sendFrames(batch, at + due, at)
  at = (at + due) % FRAMES
}
