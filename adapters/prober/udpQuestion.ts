import { randomBytes } from 'node:crypto'
import { isOpenVpnReset, OPENVPN_RESET, RPC_CALL } from './identify/handshake.ts'
import { sipOptions } from './sipOptions.ts'
import { integer, NULL, octets, sequence, tagged } from './ber.ts'

/** What to say to a UDP port so that the service which usually stands there answers; and how to know that it was that service. */
export interface UdpQuestion {
  readonly service: string
  readonly ports: readonly number[]
  /** Built afresh for each use: some carry a random transaction number. */
  readonly datagrams: () => readonly Buffer[]
  /** Whether an answer is this protocol's. The port number alone never names a service. */
  readonly recognises: (answer: Buffer) => boolean
  /** The answer may come from another port than the one asked. */
  readonly answersFromElsewhere?: boolean
}

export const UDP_QUESTIONS: readonly UdpQuestion[] = [
  {
    // RFC 1035 section 4.1: who serves the root zone? Anything with the QR bit and our id is a name server.
    service: 'dns',
    ports: [53],
    datagrams: () => [Buffer.from('5043010000010000000000000000020001', 'hex')],
    recognises: (answer) => answer.length >= 12 && answer.readUInt16BE(0) === 0x5043 && (answer.readUInt8(2) & 0x80) !== 0,
  },
  {
    // RFC 5905 figure 8: leap unknown, version 4, mode 3 (client). A server answers in mode 4.
    service: 'ntp',
    ports: [123],
    datagrams: () => [Buffer.concat([Buffer.from([0xe3]), Buffer.alloc(47)])],
    recognises: (answer) => answer.length >= 48 && (answer.readUInt8(0) & 0x07) === 4 && [3, 4].includes((answer.readUInt8(0) >>> 3) & 0x07) && answer.readUInt8(1) <= 16,
  },
  {
    service: 'snmp',
    ports: [161],
    datagrams: () => [snmpEngineDiscovery(), snmpSystemDescription()],
    recognises: isSnmpMessage,
  },
  {
    // RFC 1350: read a file that is not there. The error comes from a new port, the transfer's id.
    service: 'tftp',
    ports: [69],
    datagrams: () => [Buffer.from('\0\u0001portcullis-probe\0octet\0', 'latin1')],
    recognises: (answer) => answer.length >= 5 && ((answer.readUInt16BE(0) === 5 && answer.readUInt16BE(2) <= 8 && answer.at(-1) === 0) || answer.readUInt32BE(0) === 0x0003_0001),
    answersFromElsewhere: true,
  },
  {
    // RFC 3261 section 11: what can you do?
    service: 'sip',
    ports: [5060],
    datagrams: () => [Buffer.from(sipOptions('UDP'))],
    recognises: (answer) => answer.toString('latin1', 0, 8) === 'SIP/2.0 ',
  },
  {
    // RFC 6762 section 6.7: a question from another port than 5353 gets a unicast answer. RFC 6763 section 9: which services are there?
    service: 'mdns',
    ports: [5353],
    datagrams: () => [Buffer.concat([Buffer.from('504d00000001000000000000', 'hex'), dnsName('_services._dns-sd._udp.local'), Buffer.from('000c8001', 'hex')])],
    recognises: (answer) => answer.length >= 12 && answer.readUInt16BE(0) === 0x504d && (answer.readUInt8(2) & 0xf8) === 0x80,
  },
  {
    // UPnP Device Architecture 2.0 section 1.3.2.
    service: 'ssdp',
    ports: [1900],
    datagrams: () => [Buffer.from('M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: "ssdp:discover"\r\nMX: 1\r\nST: ssdp:all\r\n\r\n')],
    recognises: (answer) => answer.toString('latin1', 0, 9) === 'HTTP/1.1 ',
    answersFromElsewhere: true,
  },
  {
    // RFC 7296 section 2.5: a higher major version is refused by INVALID_MAJOR_VERSION, without any state. On 4500 after the non-ESP marker (RFC 3948).
    service: 'ike',
    ports: [500, 4500],
    datagrams: () => [ikeOfTheFuture(), Buffer.concat([Buffer.alloc(4), ikeOfTheFuture()])],
    recognises: (answer) => [0, 4].some((at) => answer.length >= at + 28 && answer.readUInt8(at + 17) >>> 4 <= 2 && answer.readUInt32BE(at + 24) === answer.length - at),
  },
  {
    // RFC 9000 section 6.1: an unknown version in a datagram of 1200 bytes is answered by Version Negotiation, which has version 0.
    service: 'quic',
    ports: [443, 853, 8443],
    datagrams: () => [Buffer.concat([Buffer.from('c01a2a3a4a08', 'hex'), randomBytes(8), Buffer.from([8]), randomBytes(8)], 1200)],
    recognises: (answer) => answer.length >= 7 && (answer.readUInt8(0) & 0x80) !== 0 && answer.readUInt32BE(1) === 0,
  },
  {
    // RFC 5997: Status-Server. A server that does not know us as a client stays silent.
    service: 'radius',
    ports: [1812, 1813, 1645, 1646],
    datagrams: () => [Buffer.concat([Buffer.from('0c2a0026', 'hex'), randomBytes(16), Buffer.from('5012', 'hex'), Buffer.alloc(16)])],
    recognises: (answer) => answer.length >= 20 && [2, 3, 5].includes(answer.readUInt8(0)) && answer.readUInt8(1) === 0x2a && answer.readUInt16BE(2) === answer.length,
  },
  {
    // memcached protocol.txt, "UDP protocol": request id, sequence, number of datagrams, reserved.
    service: 'memcached',
    ports: [11211],
    datagrams: () => [Buffer.concat([Buffer.from('5043000000010000', 'hex'), Buffer.from('version\r\n')])],
    recognises: (answer) => answer.toString('latin1', 8, 16) === 'VERSION ',
  },
  {
    // RFC 5531: the NULL procedure of the port mapper.
    service: 'rpcbind',
    ports: [111],
    datagrams: () => [RPC_CALL],
    recognises: (answer) => answer.length >= 24 && answer.readUInt32BE(0) === 0x50435043 && answer.readUInt32BE(4) === 1,
  },
  {
    // RFC 1002 section 4.2.17: node status of "*", whose 32 half-bytes are written as letters from A on.
    service: 'netbios-ns',
    ports: [137],
    datagrams: () => [Buffer.concat([Buffer.from('504e00000001000000000000', 'hex'), dnsName(`CK${'A'.repeat(30)}`), Buffer.from('00210001', 'hex')])],
    recognises: (answer) => answer.length >= 12 && answer.readUInt16BE(0) === 0x504e && (answer.readUInt8(2) & 0x80) !== 0,
  },
  {
    // RFC 8489 section 5: Binding request; answers have the upper class bit.
    service: 'stun',
    ports: [3478],
    datagrams: () => [Buffer.concat([Buffer.from('000100002112a442', 'hex'), randomBytes(12)])],
    recognises: (answer) => answer.length >= 20 && (answer.readUInt8(0) & 0xc1) === 0x01 && answer.readUInt32BE(4) === 0x2112a442,
  },
  {
    // RFC 7252 section 3, RFC 6690 section 4: GET /.well-known/core, confirmable; answered by an acknowledgement or a reset.
    service: 'coap',
    ports: [5683],
    datagrams: () => [Buffer.concat([Buffer.from([0x40, 0x01, 0x50, 0x43, 0xbb]), Buffer.from('.well-known'), Buffer.from([0x04]), Buffer.from('core')])],
    recognises: (answer) => answer.length >= 4 && (answer.readUInt8(0) & 0xe0) === 0x60 && answer.readUInt16BE(2) === 0x5043,
  },
  {
    // OpenVPN's wire protocol, as over TCP. With tls-auth or tls-crypt it answers nobody without the key.
    service: 'openvpn',
    ports: [1194],
    datagrams: () => [OPENVPN_RESET],
    recognises: isOpenVpnReset,
  },
  {
    // RFC 5426: syslog never answers, and anything sent would be logged: an empty datagram is not.
    service: 'syslog',
    ports: [514],
    datagrams: () => [Buffer.alloc(0)],
    recognises: () => false,
  },
]

/** RFC 3416 section 3, RFC 3412 section 6: a sequence of version (0, 1 or 3) and community or header data. */
function isSnmpMessage(answer: Buffer): boolean {
  if (answer.length < 12 || answer.readUInt8(0) !== 0x30) return false
  const at = 2 + (answer.readUInt8(1) >= 0x80 ? answer.readUInt8(1) & 0x7f : 0)
  return answer[at] === 2 && answer[at + 1] === 1 && [0, 1, 3].includes(answer[at + 2] ?? 255) && [0x04, 0x30].includes(answer[at + 3] ?? 0)
}

/** For every other port: eight zero bytes mean nothing to anybody, but make a service that answers whatever it gets answer. */
const UNSPECIFIC: UdpQuestion = { service: '', ports: [], datagrams: () => [Buffer.alloc(8)], recognises: () => false }

export const questionFor = (port: number): UdpQuestion => UDP_QUESTIONS.find(({ ports }) => ports.includes(port)) ?? UNSPECIFIC

/** RFC 3414 section 4: asks for the engine's id, which it tells without a user name. */
const snmpEngineDiscovery = (): Buffer => {
  const flags = sequence(integer(0x5043), integer(65_507), octets(Buffer.from([0x04])), integer(3))
  const security = sequence(octets(''), integer(0), integer(0), octets(''), octets(''), octets(''))
  const request = tagged(0xa0, integer(0x5043), integer(0), integer(0), sequence())
  return sequence(integer(3), flags, octets(security), sequence(octets(''), octets(''), request))
}

/** RFC 1157: sysDescr.0 of the community "public". */
function snmpSystemDescription(): Buffer {
  const name = tagged(0x06, Buffer.from([0x2b, 6, 1, 2, 1, 1, 1, 0]))
  const request = tagged(0xa0, integer(0x5043), integer(0), integer(0), sequence(sequence(name, NULL)))
  return sequence(integer(0), octets('public'), request)
}

/** An IKE header of major version 3 and nothing else: next payload none, exchange IKE_SA_INIT, flag initiator. */
const ikeOfTheFuture = (): Buffer => Buffer.concat([randomBytes(8), Buffer.alloc(8), Buffer.from('00302208000000000000001c', 'hex')])

const dnsName = (name: string): Buffer =>
  Buffer.concat([...name.split('.').flatMap((label) => [Buffer.from([label.length]), Buffer.from(label)]), Buffer.alloc(1)])
