import { randomBytes } from 'node:crypto'
import { sipOptions } from '../sipOptions.ts'

/** What a handshake has told. The facts' names are stable; their values are the server's own words, cut to a sane length. */
export interface Identity {
  readonly service: string
  readonly details: Readonly<Record<string, string>>
}

/** One protocol: how its servers are recognised, and what to say to those that wait for the client. */
export interface Handshake {
  readonly service: string
  /** Without it, the server speaks first. */
  readonly question?: () => Buffer
  /** `asked` is the service whose question was sent: some answers only mean something to the one who asked. */
  readonly recognise: (answer: Buffer, asked: string | undefined) => Readonly<Record<string, string>> | undefined
}

const FACT_LENGTH_MAX = 200

/** In the order in which they are tried. Every answer is shown to all of them, whoever asked. */
export const HANDSHAKES: readonly Handshake[] = [
  { service: 'ssh', recognise: (answer) => line(answer, /^(SSH-[0-9.]+-[^\r\n]*)/, 'banner') },
  // RFC 5321 section 4.2 and RFC 959 section 5.4 both greet with 220; what is said behind it tells them apart, or the answer to EHLO.
  { service: 'smtp', recognise: (answer, asked) => line(answer, /^220[ -]([^\r\n]*smtp[^\r\n]*)/i, 'banner') ?? (asked === 'smtp' ? line(answer, /(?:^|\n)250[ -]([^\r\n]*)/, 'greeting') : undefined) },
  { service: 'ftp', recognise: (answer, asked) => line(answer, /^220[ -]([^\r\n]*ftp[^\r\n]*)/i, 'banner') ?? (asked === 'smtp' ? line(answer, /^220[ -]([^\r\n]*)[^]*\n5[03][0-9] /, 'banner') : undefined) },
  { service: 'pop3', recognise: (answer) => line(answer, /^\+OK ([^\r\n]*)\r\n/, 'banner') },
  { service: 'imap', recognise: (answer) => line(answer, /^\* OK ([^\r\n]*)/, 'banner') },
  { service: 'mysql', recognise: recogniseMysql },
  { service: 'vnc', recognise: (answer) => line(answer, /^(RFB [0-9]{3}\.[0-9]{3})\n/, 'version') },
  // rsync(1), "rsync daemon": greets with its protocol's version.
  { service: 'rsync', recognise: (answer) => line(answer, /^(@RSYNCD: [0-9.]+)/, 'banner') },
  // RFC 854: a server that negotiates options at once. IAC, then WILL, WONT, DO or DONT.
  { service: 'telnet', recognise: (answer) => (answer[0] === 0xff && (answer[1] ?? 0) >= 0xfb && (answer[1] ?? 0) <= 0xfe ? {} : undefined) },
  { service: 'http', question: () => Buffer.from('GET / HTTP/1.1\r\nHost: portcullis.invalid\r\nUser-Agent: portcullis\r\nAccept: */*\r\nConnection: close\r\n\r\n'), recognise: recogniseHttp },
  // PostgreSQL, "Message Formats", SSLRequest: answered by one byte, S or N.
  { service: 'postgresql', question: () => Buffer.from('0000000804d2162f', 'hex'), recognise: recognisePostgresql },
  { service: 'redis', question: () => Buffer.from('*1\r\n$4\r\nPING\r\n'), recognise: (answer) => line(answer, /^(\+PONG|-NOAUTH [^\r\n]*|-DENIED [^\r\n]*|-ERR unknown command [^\r\n]*)\r\n/, 'reply') },
  { service: 'memcached', question: () => Buffer.from('version\r\n'), recognise: (answer) => line(answer, /^VERSION ([^\r\n]*)\r\n/, 'version') },
  { service: 'dns', question: () => Buffer.from('00115043010000010000000000000000020001', 'hex'), recognise: recogniseDns },
  { service: 'dicom', question: associationRequest, recognise: recogniseDicom },
  // [MS-RDPBCGR] 2.2.1.1: X.224 connection request with a request for TLS or CredSSP.
  { service: 'rdp', question: () => Buffer.from('030000130ee000000000000100080003000000', 'hex'), recognise: recogniseRdp },
  { service: 'smb', question: smbNegotiation, recognise: recogniseSmb },
  // MQTT 3.1.1 section 3.1: clean session, keep alive 60 s.
  { service: 'mqtt', question: () => Buffer.concat([Buffer.from('101600044d5154540402003c000a', 'hex'), Buffer.from('portcullis')]), recognise: recogniseMqtt },
  { service: 'amqp', question: () => Buffer.from('AMQP\0\0\u0009\u0001', 'latin1'), recognise: recogniseAmqp },
  // RFC 4511 section 4.2: anonymous bind, version 3; answered by a BindResponse (application 1) or, unasked, by a notice of disconnection (application 24).
  { service: 'ldap', question: () => Buffer.from('300c020101600702010304008000', 'hex'), recognise: recogniseLdap },
  // RFC 5531: the NULL procedure of the port mapper. Another server of remote procedures answers that it does not have this program.
  { service: 'rpcbind', question: () => Buffer.concat([Buffer.from('80000028', 'hex'), RPC_CALL]), recognise: (answer) => rpcReply(answer) === 0 ? {} : undefined },
  { service: 'sunrpc', recognise: (answer) => rpcReply(answer) === undefined ? undefined : {} },
  // RFC 2326 section 10.1, RFC 3261 section 11: what can you do?
  { service: 'rtsp', question: () => Buffer.from('OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n'), recognise: (answer) => line(answer, /^RTSP\/1\.[01] ([0-9]{3})/, 'status') },
  { service: 'sip', question: () => Buffer.from(sipOptions('TCP')), recognise: (answer) => line(answer, /^SIP\/2\.0 ([0-9]{3})/, 'status') },
  // ZooKeeper administrator's guide, "The Four Letter Words": the only one that is on by default.
  { service: 'zookeeper', question: () => Buffer.from('srvr'), recognise: (answer) => line(answer, /^Zookeeper version: ([^\r\n,]*)/, 'version') },
  // RFC 8489 section 5: Binding request; answers have the upper class bit and our transaction.
  { service: 'stun', question: () => Buffer.from(`000100002112a442${'504f5254'.repeat(3)}`, 'hex'), recognise: (answer) => (answer.length >= 20 && (answer.readUInt16BE(0) & 0xfeef) === 0x0001 && answer.includes(Buffer.from(`2112a442${'504f5254'.repeat(3)}`, 'hex')) ? {} : undefined) },
  // Erlang distribution protocol, NAMES_REQ: answered by epmd's own port and a line for each node.
  { service: 'epmd', question: () => Buffer.from('00016e', 'hex'), recognise: recogniseEpmd },
  // OpenVPN's wire protocol: P_CONTROL_HARD_RESET_CLIENT_V2 (7) of session "PORTCULL", no acknowledgement, packet 0.
  { service: 'openvpn', question: () => Buffer.concat([Buffer.from('000e', 'hex'), OPENVPN_RESET]), recognise: (answer) => (isOpenVpnReset(answer.subarray(2)) ? {} : undefined) },
  // Kafka protocol guide: ApiVersions (18) version 0, correlation id, client id.
  { service: 'kafka', question: () => Buffer.concat([Buffer.from('00000014001200005043504b000a', 'hex'), Buffer.from('portcullis')]), recognise: recogniseKafka },
]

/** A call of program 100000, version 2, procedure 0, without credentials; its number is "PCPC". */
export const RPC_CALL = Buffer.from(`504350430000000000000002000186a000000002${'00000000'.repeat(5)}`, 'hex')

export const OPENVPN_RESET = Buffer.from('38504f525443554c4c0000000000', 'hex')

/** P_CONTROL_HARD_RESET_SERVER_V2 (8) that acknowledges our session. */
export const isOpenVpnReset = (answer: Buffer): boolean => answer.length >= 14 && answer.readUInt8(0) >>> 3 === 8 && answer.includes('PORTCULL', 9, 'latin1')

export function identityOf(answer: Buffer, asked: string | undefined): Identity | undefined {
  if (answer.length === 0) return undefined
  for (const { service, recognise } of HANDSHAKES) {
    const details = recognise(answer, asked)
    if (details) return { service, details }
  }
  return undefined
}

/** Printable, one line, of bounded length: these words come from a stranger and end up on a terminal. */
export const fact = (text: string): string =>
  text
    .replaceAll(/[^\p{L}\p{N}\p{P}\p{S} ]+/gu, ' ')
    .trim()
    .slice(0, FACT_LENGTH_MAX)

function line(answer: Buffer, pattern: RegExp, name: string): Record<string, string> | undefined {
  const match = pattern.exec(answer.toString('latin1', 0, 4096))
  return match ? named({ [name]: match[1] }) : undefined
}

/** Only the facts that are there. */
const named = (facts: Readonly<Record<string, string | undefined>>): Record<string, string> =>
  Object.fromEntries(Object.entries(facts).flatMap(([name, value]) => (value === undefined || fact(value) === '' ? [] : [[name, fact(value)]])))

function recogniseHttp(answer: Buffer): Record<string, string> | undefined {
  const text = answer.toString('utf8')
  const status = /^HTTP\/1\.[01] ([0-9]{3})/.exec(text)
  if (!status) return undefined
  return named({ status: status[1], server: /\r\nserver: *([^\r\n]*)/i.exec(text)?.[1], title: /<title[^>]*>([^<]{0,300})/i.exec(text)?.[1] })
}

/** MySQL client/server protocol, "Protocol::HandshakeV10", or an error packet (a host that may not connect is told so at once). */
function recogniseMysql(answer: Buffer): Record<string, string> | undefined {
  if (answer.length < 8 || answer.readUIntLE(0, 3) + 4 > answer.length || answer[3] !== 0) return undefined
  if (answer[4] === 0x0a) return named({ version: /^[0-9][^\0]*/.exec(answer.toString('latin1', 5, 80))?.[0] })
  const isError = answer[4] === 0xff && answer.readUInt16LE(5) >= 1000 && answer.readUInt16LE(5) < 5000
  return isError ? named({ error: answer.toString('latin1', 7, 200) }) : undefined
}

function recognisePostgresql(answer: Buffer, asked: string | undefined): Record<string, string> | undefined {
  if (asked === 'postgresql' && answer.length === 1 && (answer[0] === 0x53 || answer[0] === 0x4e)) return { tls: answer[0] === 0x53 ? 'offered' : 'none' }
  const isError = answer[0] === 0x45 && answer.length >= 5 && answer.readUInt32BE(1) + 1 === answer.length && answer.includes('SFATAL')
  return isError ? {} : undefined
}

function recogniseDns(answer: Buffer): Record<string, string> | undefined {
  const isAnswer = answer.length >= 14 && answer.readUInt16BE(0) >= 12 && answer.readUInt16BE(2) === 0x5043 && ((answer[4] ?? 0) & 0x80) !== 0
  return isAnswer ? {} : undefined
}

function recogniseLdap(answer: Buffer): Record<string, string> | undefined {
  if (answer.length < 8 || answer[0] !== 0x30) return undefined
  // BER: a long form tells how many bytes the length takes.
  const at = 2 + ((answer[1] ?? 0) >= 0x80 ? (answer[1] ?? 0) & 0x7f : 0)
  const isMessage = answer[at] === 2 && answer[at + 1] === 1 && (answer[at + 2] ?? 255) <= 1
  return isMessage && (answer[at + 3] === 0x61 || answer[at + 3] === 0x78) ? {} : undefined
}

/** RFC 5531 section 9: the accept status of a reply to our call, behind the record mark; undefined when it is none. */
function rpcReply(answer: Buffer): number | undefined {
  const isReply = answer.length >= 28 && answer.readUInt32BE(4) === 0x50435043 && answer.readUInt32BE(8) === 1 && answer.readUInt32BE(12) === 0
  return isReply ? answer.readUInt32BE(answer.length >= 28 + answer.readUInt32BE(20) ? 24 + answer.readUInt32BE(20) : 24) : undefined
}

function recogniseEpmd(answer: Buffer, asked: string | undefined): Record<string, string> | undefined {
  if (asked !== 'epmd' || answer.length < 4 || answer.readUInt32BE(0) === 0 || answer.readUInt32BE(0) > 65_535) return undefined
  const nodes = answer.toString('latin1', 4)
  return /^(?:name [^\n]* at port [0-9]+\n)*$/.test(nodes) ? named({ nodes }) : undefined
}

/** DICOM PS3.8 section 9.3: type, reserved, length of the rest. Items of the user information: 52H class, 55H version name. */
function associationRequest(): Buffer {
  const item = (type: number, content: Buffer): Buffer => {
    const head = Buffer.from([type, 0, 0, 0])
    head.writeUInt16BE(content.length, 2)
    return Buffer.concat([head, content])
  }
  const uid = (text: string): Buffer => Buffer.from(text, 'ascii')
  const title = (text: string): Buffer => Buffer.from(text.padEnd(16), 'ascii')
  const verification = Buffer.concat([Buffer.from([1, 0, 0, 0]), item(0x30, uid('1.2.840.10008.1.1')), item(0x40, uid('1.2.840.10008.1.2'))])
  const user = Buffer.concat([item(0x51, Buffer.from([0, 0, 0x40, 0])), item(0x52, uid('2.25.106253714263217438'))])
  const body = Buffer.concat([
    Buffer.from([0, 1, 0, 0]),
    title('ANY-SCP'),
    title('PORTCULLIS'),
    Buffer.alloc(32),
    item(0x10, uid('1.2.840.10008.3.1.1.1')),
    item(0x20, verification),
    item(0x50, user),
  ])
  const head = Buffer.from([1, 0, 0, 0, 0, 0])
  head.writeUInt32BE(body.length, 2)
  return Buffer.concat([head, body])
}

const DICOM_ANSWERS: Readonly<Record<number, string>> = { 2: 'accepted', 3: 'rejected', 7: 'aborted' }

function recogniseDicom(answer: Buffer, asked: string | undefined): Record<string, string> | undefined {
  const association = DICOM_ANSWERS[answer[0] ?? 0]
  if (asked !== 'dicom' || association === undefined || answer.length < 10 || answer[1] !== 0 || answer.readUInt32BE(2) + 6 !== answer.length) return undefined
  return named({ association, implementation: association === 'accepted' ? implementationVersion(answer) : undefined })
}

/** The items behind the fixed part; the user information (50H) holds items of the same form. */
function implementationVersion(answer: Buffer): string | undefined {
  for (let at = 74; at + 4 <= answer.length; ) {
    const length = answer.readUInt16BE(at + 2)
    if (answer[at] === 0x55) return answer.toString('latin1', at + 4, at + 4 + length)
    at += answer[at] === 0x50 ? 4 : 4 + length
  }
  return undefined
}

/** TPKT version 3 (RFC 1006), X.224 connection confirm. */
function recogniseRdp(answer: Buffer): Record<string, string> | undefined {
  return answer.length >= 11 && answer[0] === 3 && answer[1] === 0 && answer.readUInt16BE(2) === answer.length && ((answer[5] ?? 0) & 0xf0) === 0xd0 ? {} : undefined
}

/** [MS-SMB2] 2.2.3: dialects 2.0.2 to 3.0.2. */
function smbNegotiation(): Buffer {
  const header = Buffer.alloc(64)
  header.write('\u00feSMB', 'latin1')
  header.writeUInt16LE(64, 4)
  header.writeUInt16LE(1, 14)
  const dialects = [0x0202, 0x0210, 0x0300, 0x0302]
  const body = Buffer.alloc(36 + dialects.length * 2)
  body.writeUInt16LE(36, 0)
  body.writeUInt16LE(dialects.length, 2)
  body.writeUInt16LE(1, 4)
  randomBytes(16).copy(body, 12)
  for (const [index, dialect] of dialects.entries()) body.writeUInt16LE(dialect, 36 + index * 2)
  const length = Buffer.alloc(4)
  length.writeUInt32BE(header.length + body.length)
  return Buffer.concat([length, header, body])
}

function recogniseSmb(answer: Buffer): Record<string, string> | undefined {
  const magic = answer.toString('latin1', 4, 8)
  if (magic === '\u00ffSMB') return { dialect: '1' }
  if (magic !== '\u00feSMB' || answer.length < 74) return undefined
  const dialect = answer.readUInt16LE(72)
  return { dialect: [dialect >>> 8, (dialect >>> 4) & 15, dialect & 15].join('.') }
}

function recogniseMqtt(answer: Buffer): Record<string, string> | undefined {
  return answer.length === 4 && answer[0] === 0x20 && answer[1] === 2 && (answer[3] ?? 255) <= 5 ? { code: String(answer[3]) } : undefined
}

/** AMQP 0-9-1 section 4.2.3: a method frame of channel 0 with Connection.Start (10, 10); or the header of the version it wants (1.0 too). */
function recogniseAmqp(answer: Buffer): Record<string, string> | undefined {
  if (answer.length === 8 && answer.toString('latin1', 0, 4) === 'AMQP') return named({ version: [...answer.subarray(5, 8)].join('.') })
  if (answer.length < 12 || answer[0] !== 1 || answer.readUInt16BE(1) !== 0 || answer.readUInt32BE(7) !== 0x000a000a) return undefined
  const product = answer.indexOf(AMQP_PRODUCT)
  const start = product + AMQP_PRODUCT.length + 4
  return product < 0 || start > answer.length ? {} : named({ product: answer.toString('utf8', start, start + answer.readUInt32BE(start - 4)) })
}

/** A field of the server's properties: its name, short; `S`: a long string follows. */
const AMQP_PRODUCT = Buffer.from('\u0007productS', 'latin1')

function recogniseKafka(answer: Buffer): Record<string, string> | undefined {
  return answer.length >= 10 && answer.readUInt32BE(0) >= 6 && answer.readUInt32BE(4) === 0x5043504b && answer.readUInt16BE(8) <= 100 ? {} : undefined
}
