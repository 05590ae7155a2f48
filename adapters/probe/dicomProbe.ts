import { z } from 'zod'
import { converse, type Conversation } from './conversation.ts'
import { bad, good, type GateProbe, type ProbeAnswer } from './probe.ts'
import { address, port } from './settings.ts'

/** Application entity titles: up to 16 characters of the default repertoire, without backslash (DICOM PS3.5, 6.2). */
const title = z.string().regex(/^[\u0020-\u005b\u005d-\u007e]{1,16}$/)

const settings = z.strictObject({ port: port.default(104), address, calledTitle: title.default('ANY-SCP'), callingTitle: title.default('PORTCULLIS') })
type Settings = z.infer<typeof settings>

/** C-ECHO: an association for the verification service, one echo, its status, and the release (DICOM PS3.7, 9.1.5; PS3.8, 9.3). */
export const dicomProbe: GateProbe<Settings> = {
  settings,
  canAskFromElsewhere: true,
  ask: (asked, target) => converse(asked.port, target, (conversation) => echo(asked, conversation)),
}

const PDU = { associate: 1, accept: 2, reject: 3, data: 4, release: 5, abort: 7 } as const
const VERIFICATION = '1.2.840.10008.1.1'
const IMPLICIT_LITTLE_ENDIAN = '1.2.840.10008.1.2'
const APPLICATION_CONTEXT = '1.2.840.10008.3.1.1.1'
/** In Portcullis' own messages; made of a random UUID, as PS3.5, B.2 allows. */
const IMPLEMENTATION = '2.25.262846127711370263431217432891203847716'
const LENGTH_MAX = 16_384

async function echo(asked: Settings, conversation: Conversation): Promise<ProbeAnswer> {
  conversation.say(associateRequest(asked))
  const answer = await hearPdu(conversation)
  if (answer[0] === PDU.reject) return bad(`association rejected, reason ${answer[9] ?? '?'}`, `关联被拒绝，原因 ${answer[9] ?? '?'}`)
  if (answer[0] !== PDU.accept) return bad('no DICOM peer answers', '应答方不是 DICOM')
  if (acceptance(answer) !== 0) return bad('verification is not accepted', '不接受验证服务')
  conversation.say(echoRequest())
  const status = echoStatus(await hearPdu(conversation))
  conversation.say(pdu(PDU.release, Buffer.alloc(4)))
  return status === 0 ? good(conversation.elapsedMs) : bad(`C-ECHO status ${status === undefined ? '?' : `0x${status.toString(16).padStart(4, '0')}`}`, 'C-ECHO 状态异常')
}

const hearPdu = (conversation: Conversation): Promise<Buffer> => conversation.hear((heard) => (heard.length < 6 ? undefined : 6 + heard.readUInt32BE(2)))

function pdu(type: number, body: Buffer): Buffer {
  const head = Buffer.alloc(6)
  head.writeUInt8(type, 0)
  head.writeUInt32BE(body.length, 2)
  return Buffer.concat([head, body])
}

function item(type: number, ...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts)
  const head = Buffer.alloc(4)
  head.writeUInt8(type, 0)
  head.writeUInt16BE(body.length, 2)
  return Buffer.concat([head, body])
}

function associateRequest({ calledTitle, callingTitle }: Settings): Buffer {
  const fixed = Buffer.alloc(68)
  fixed.writeUInt16BE(1, 0)
  fixed.write(calledTitle.padEnd(16), 4, 'latin1')
  fixed.write(callingTitle.padEnd(16), 20, 'latin1')
  const uid = (text: string): Buffer => Buffer.from(text, 'latin1')
  const context = item(0x20, Buffer.of(1, 0, 0, 0), item(0x30, uid(VERIFICATION)), item(0x40, uid(IMPLICIT_LITTLE_ENDIAN)))
  const lengthMax = Buffer.alloc(4)
  lengthMax.writeUInt32BE(LENGTH_MAX)
  const user = item(0x50, item(0x51, lengthMax), item(0x52, uid(IMPLEMENTATION)))
  return pdu(PDU.associate, Buffer.concat([fixed, item(0x10, uid(APPLICATION_CONTEXT)), context, user]))
}

/** The result of the one presentation context: 0 is acceptance; undefined where there is none. */
function acceptance(answer: Buffer): number | undefined {
  for (let at = 74; at + 4 <= answer.length; at += 4 + answer.readUInt16BE(at + 2)) if (answer[at] === 0x21) return answer[at + 6]
  return undefined
}

/** Elements of the command group, implicit little endian, by number. */
function element(number: number, value: Buffer): Buffer {
  const head = Buffer.alloc(8)
  head.writeUInt16LE(number, 2)
  head.writeUInt32LE(value.length, 4)
  return Buffer.concat([head, value])
}

function echoRequest(): Buffer {
  const short = (value: number): Buffer => Buffer.of(value & 0xff, value >> 8)
  const commands = Buffer.concat([
    element(0x0002, Buffer.from(`${VERIFICATION}\0`, 'latin1')),
    element(0x0100, short(0x0030)),
    element(0x0110, short(1)),
    element(0x0800, short(0x0101)),
  ])
  const length = Buffer.alloc(4)
  length.writeUInt32LE(commands.length)
  const message = Buffer.concat([element(0x0000, length), commands])
  const head = Buffer.alloc(6)
  head.writeUInt32BE(message.length + 2, 0)
  head.writeUInt8(1, 4)
  head.writeUInt8(0x03, 5)
  return pdu(PDU.data, Buffer.concat([head, message]))
}

/** Element (0000,0900) of a C-ECHO response. */
function echoStatus(answer: Buffer): number | undefined {
  if (answer[0] !== PDU.data) return undefined
  for (let at = 12; at + 8 <= answer.length; at += 8 + answer.readUInt32LE(at + 4)) {
    if (answer.readUInt16LE(at) === 0 && answer.readUInt16LE(at + 2) === 0x0900 && at + 10 <= answer.length) return answer.readUInt16LE(at + 8)
  }
  return undefined
}
