import { z } from 'zod'
import { converse } from './conversation.ts'
import { bad, good, printableLine, type GateProbe } from './probe.ts'
import { address, port } from './settings.ts'

const settings = z.strictObject({ port: port.default(3306), address })

/**
 * The greeting of MySQL and MariaDB, which comes unasked: protocol 10 and a version, or an error (host blocked, too many
 * connections). Nothing is sent; servers count connections that end so, and block a host after `max_connect_errors` of them.
 */
export const mysqlProbe: GateProbe<z.infer<typeof settings>> = {
  settings,
  canAskFromElsewhere: true,
  ask: (asked, target) =>
    converse(asked.port, target, async (conversation) => {
      const packet = await conversation.hear((heard) => (heard.length < 4 ? undefined : 4 + heard.readUIntLE(0, 3)))
      if (packet[4] === 0xff) return bad(printableLine(`error ${packet.readUInt16LE(5)}: ${packet.subarray(7).toString('utf8')}`), `错误 ${packet.readUInt16LE(5)}`)
      const end = packet.indexOf(0, 5)
      if (packet[4] !== 10 || end < 0) return bad('no MySQL server answers', '应答方不是 MySQL')
      return good(conversation.elapsedMs, printableLine(packet.subarray(5, end).toString('latin1')))
    }),
}
