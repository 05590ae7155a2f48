import { z } from 'zod'
import { converse } from './conversation.ts'
import { good, type GateProbe } from './probe.ts'
import { address, port } from './settings.ts'

const settings = z.strictObject({ port, address })

/** A handshake, ended without a byte of payload. */
export const tcpProbe: GateProbe<z.infer<typeof settings>> = {
  settings,
  canAskFromElsewhere: true,
  ask: (asked, target) => converse(asked.port, target, async (conversation) => good(conversation.elapsedMs)),
}
