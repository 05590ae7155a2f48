import { parseAddress, type Address } from '@portcullis/core/net/address.ts'
import { isTransportProtocol, type TransportProtocol } from '@portcullis/core/net/protocol.ts'

/** One flow of connection tracking, as `conntrack -L -o extended` prints it; source and port of its first packet. */
export interface TrackedFlow {
  readonly protocol: TransportProtocol
  readonly source: Address
  readonly port: number
  readonly isAnswered: boolean
  /** TCP that is over and only remembered. */
  readonly isEnded: boolean
  /** Of both directions, where the kernel counts them (net.netfilter.nf_conntrack_acct). */
  readonly bytes?: number
  /** Since its first packet, where the kernel notes it (net.netfilter.nf_conntrack_timestamp). */
  readonly ageSeconds?: number
}

/** Undefined when the line is not one of conntrack; flows without ports are `other`. */
export function readTrackedFlow(line: string): TrackedFlow | 'other' | undefined {
  const head = /^ipv[46]\s+[0-9]+\s+([a-z0-9]+)\s+[0-9]+\s+(?:[0-9]+\s+)?(?:([A-Z_0-9]+)\s+)?src=/.exec(line)
  if (!head) return undefined
  const [, protocol = '', state] = head
  if (!isTransportProtocol(protocol)) return 'other'
  // Each key stands twice, the first time for the original direction.
  const source = parseAddress(/ src=(\S+)/.exec(line)?.[1] ?? '')
  const port = Number(/ dport=([0-9]{1,5})\b/.exec(line)?.[1] ?? Number.NaN)
  if (!source.ok || !(port <= 65_535)) return undefined
  const bytes = [...line.matchAll(/ bytes=([0-9]{1,15})\b/g)].map((match) => Number(match[1]))
  const age = /\bdelta-time=([0-9]{1,12})\b/.exec(line)?.[1]
  return {
    protocol,
    source: source.value,
    port,
    isAnswered: !line.includes('[UNREPLIED]'),
    isEnded: state === 'TIME_WAIT' || state === 'CLOSE',
    ...(bytes.length > 0 ? { bytes: bytes.reduce((sum, each) => sum + each, 0) } : {}),
    ...(age === undefined ? {} : { ageSeconds: Number(age) }),
  }
}
