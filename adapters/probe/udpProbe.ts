import { createSocket } from 'node:dgram'
import { isIPv6 } from 'node:net'
import { z } from 'zod'
import { byDeadline } from './conversation.ts'
import { answerOfError, bad, good, unasked, type GateProbe, type ProbeAnswer } from './probe.ts'
import { address, port } from './settings.ts'

const settings = z
  .strictObject({
    port,
    address,
    text: z.string().max(1400).optional(),
    hex: z.string().regex(/^(?:[0-9a-fA-F]{2})*$/).max(2800).optional(),
    /** The answer must begin with these bytes; any answer will do without. */
    answerHex: z.string().regex(/^(?:[0-9a-fA-F]{2})+$/).max(2800).optional(),
  })
  .refine((given) => (given.text === undefined) !== (given.hex === undefined), { error: 'either text or hex' })

/** One datagram, and the first that comes back from the same address and port. */
export const udpProbe: GateProbe<z.infer<typeof settings>> = {
  settings,
  canAskFromElsewhere: false,
  ask: async (asked, target) => {
    if (target.signal.aborted) return unasked('stopped', '已停止')
    const socket = createSocket(isIPv6(target.address) ? 'udp6' : 'udp4')
    const wanted = Buffer.from(asked.answerHex ?? '', 'hex')
    const answered = new Promise<ProbeAnswer>((resolve) => {
      const startedMs = performance.now()
      socket.on('error', (error) => resolve(answerOfError(error)))
      socket.on('message', (bytes) => {
        const isWanted = bytes.subarray(0, wanted.length).equals(wanted)
        resolve(isWanted ? good(performance.now() - startedMs) : bad('another answer than expected', '应答与预期不符'))
      })
      // Connected, the kernel passes ICMP errors on and keeps everybody else's datagrams away (udp(7)).
      socket.connect(asked.port, target.address, () => socket.send(asked.hex === undefined ? Buffer.from(asked.text ?? '') : Buffer.from(asked.hex, 'hex')))
    })
    try {
      return await byDeadline(answered, target)
    } finally {
      socket.close()
    }
  },
}
