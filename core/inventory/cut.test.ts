import { expect, test } from 'vitest'
import { parseAddress } from '../net/address.ts'
import { parsePortRange } from '../net/port.ts'
import { parsePrefix } from '../net/prefix.ts'
import { flowsCutBy, type Admission, type AdmissionGrant } from './cut.ts'
import type { FlowObservation } from './observation.ts'

const value = <T>(result: { ok: true; value: T } | { ok: false }): T => {
  if (!result.ok) throw new Error('malformed test')
  return result.value
}
const grant = (protocol: 'tcp' | 'udp', ports: string, from: string): AdmissionGrant => ({ protocol, ports: value(parsePortRange(ports)), from: value(parsePrefix(from)) })
const intent: Admission = {
  host: 'web-1',
  management: [grant('tcp', '22', '10.9.0.0/16')],
  grants: [grant('tcp', '443', '0.0.0.0/0'), grant('udp', '60000-61000', '10.1.0.0/16'), grant('tcp', '443', '2001:db8::/32')],
}

/** `tcp 22 10.0.0.1 x3`, with `alive` for a snapshot and `denied` for that verdict. */
function flow(text: string): FlowObservation {
  const [protocol, port, source = '', count = 'x1', ...more] = text.split(' ')
  return {
    kind: 'flow', host: more.includes('other') ? 'web-2' : 'web-1', sensor: more.includes('alive') ? 'conntrack' : 'nft-counters', at: 7,
    source: value(parseAddress(source)), protocol: protocol as 'tcp', port: Number(port), connections: Number(count.slice(1)),
    tally: more.includes('alive') ? 'snapshot' : 'running', lastSeen: 7, verdict: more.includes('denied') ? 'denied' : 'accepted',
  }
}

test.each<[string, string[], string[]]>([
  ['what a grant lets in is kept', ['tcp 443 192.0.2.1', 'udp 60500 10.1.0.1', 'tcp 443 2001:db8::1'], []],
  ['management is kept', ['tcp 22 10.9.1.1'], []],
  ['another source is cut', ['tcp 22 10.8.1.1 x3', 'udp 60500 10.2.0.1'], ['tcp 22: 3, alive 0, from 1', 'udp 60500: 1, alive 0, from 1']],
  ['another protocol is cut', ['udp 443 192.0.2.1'], ['udp 443: 1, alive 0, from 1']],
  ['another family is cut', ['tcp 443 2001:db9::1'], ['tcp 443: 1, alive 0, from 1']],
  ['next to a range is cut', ['udp 59999 10.1.0.1', 'udp 61001 10.1.0.1'], ['udp 59999: 1, alive 0, from 1', 'udp 61001: 1, alive 0, from 1']],
  ['sources of one port are one group', ['tcp 80 10.1.0.1 x2', 'tcp 80 10.1.0.2', 'tcp 80 10.1.0.2 x1 alive'], ['tcp 80: 3, alive 1, from 2']],
  ['denied flows cannot be cut', ['tcp 80 10.1.0.1 x2 denied'], []],
  ['loopback is never cut', ['tcp 80 127.0.0.1', 'tcp 80 ::1'], []],
  ['other hosts have their own intent', ['tcp 80 10.1.0.1 x1 other'], []],
])('%s', (_, flows, expected) => {
  const cuts = flowsCutBy(intent, flows.map(flow))
  expect(cuts.map((cut) => `${cut.protocol} ${cut.port}: ${cut.connections}, alive ${cut.alive}, from ${cut.sources.length}`)).toEqual(expected)
})
