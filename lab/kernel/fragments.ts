import { FRAME_BYTES_MAX, writeFrame } from './frame.ts'
import { mustRun } from './libnftables.ts'
import { address, finish, MACS } from './packet.ts'
import type { Stage } from './stage.ts'

const TABLE = 'zz_fragments'
const RULES = `table ip ${TABLE} {
  counter read { }
  chain c {
    type filter hook prerouting priority -460; policy accept;
    ip frag-off & 0x1fff != 0 udp dport != 1 counter name read
  }
}
`

/**
 * Whether rules of this kernel read ports where a later fragment has none. nft_payload.c refuses to, but Linux up to 6.18 at least forgets to look
 * on its quick way (nf_tables_core.c, nft_payload_fast_eval), so that a rule for a port meets whatever the fragment holds there.
 */
export async function readsPortsOfFragments(stage: Stage): Promise<boolean> {
  const socket = stage.sockets.get('eth0')
  const hardware = stage.hardware.get('eth0')
  const [macSource] = MACS
  if (!socket || !hardware || macSource === undefined) throw new Error('no interface eth0')
  mustRun(stage.nft.text, RULES)
  const batch = socket.newSendBatch({ capacity: 1, slotBytes: FRAME_BYTES_MAX })
  const fragment = finish(1, { source: address('192.0.2.9'), destination: address('192.0.2.77'), protocol: 17, fragment: 'later', iif: 'eth0', ct: 'untracked', macSource, pkttype: 0 })
  batch.setLength(0, writeFrame(batch.slot(0), fragment, hardware))
  while (socket.sendFrames(batch, 1, 0) === 0) await Promise.resolve()
  while (stage.takeArrived() === 0) await Promise.resolve()
  const listed = mustRun(stage.nft.json, `list counter ip ${TABLE} read`)
  mustRun(stage.nft.text, `delete table ip ${TABLE}`)
  return /"packets": 1\b/.test(listed)
}
