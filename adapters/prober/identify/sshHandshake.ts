import { createHash, generateKeyPairSync, randomBytes } from 'node:crypto'
import { connect } from 'node:net'
import { listenTo, type Place } from './conversation.ts'
import { fact } from './handshake.ts'

// RFC 4253 section 12, RFC 5656 section 7.1.
const MSG_KEXINIT = 20
const MSG_KEX_ECDH_INIT = 30
const MSG_KEX_ECDH_REPLY = 31
const PACKET_BYTES_MAX = 35_000
const HOST_KEY_ALGORITHMS = 'ssh-ed25519,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521,rsa-sha2-512,rsa-sha2-256,ssh-rsa'
const KEY_EXCHANGES = 'curve25519-sha256,curve25519-sha256@libssh.org'
const ANY_CIPHER = 'aes128-ctr,aes256-ctr,aes128-gcm@openssh.com,chacha20-poly1305@openssh.com'
const ANY_MAC = 'hmac-sha2-256,hmac-sha2-512,hmac-sha2-256-etm@openssh.com,hmac-sha1'
const GREETING = 'SSH-2.0-portcullis\r\n'

/** What an SSH server shows before anyone logs in: its algorithms and its host key. No signature is checked: this looks, it does not trust. */
export async function sshHandshake(place: Place, waitMs: number, signal: AbortSignal | undefined): Promise<Record<string, string>> {
  const socket = connect({ host: place.address, port: place.port })
  socket.once('connect', () => socket.write(GREETING))
  let hasAsked = false
  const answer = await listenTo(socket, {
    waitMs,
    signal,
    isEnough: (soFar) => {
      const packets = readPackets(soFar)
      const offer = packets.find((packet) => packet[0] === MSG_KEXINIT)
      if (offer && !hasAsked) {
        hasAsked = true
        if (!nameLists(offer)[0]?.some((name) => KEY_EXCHANGES.split(',').includes(name))) return true
        socket.write(Buffer.concat([packetOf(ourOffer()), packetOf(ourKey())]))
      }
      return packets.some((packet) => packet[0] === MSG_KEX_ECDH_REPLY)
    },
  })
  return describe(readPackets(answer))
}

function describe(packets: readonly Buffer[]): Record<string, string> {
  const details: Record<string, string> = {}
  const offer = packets.find((packet) => packet[0] === MSG_KEXINIT)
  const reply = packets.find((packet) => packet[0] === MSG_KEX_ECDH_REPLY)
  if (offer) details['kex'] = fact((nameLists(offer)[0] ?? []).join(','))
  const hostKey = reply ? stringAt(reply, 1) : undefined
  const type = hostKey ? stringAt(hostKey, 0)?.toString('latin1') : undefined
  if (!hostKey || type === undefined) return details
  details['hostKeyType'] = fact(type)
  // As ssh-keygen -l prints it.
  details['hostKey'] = `SHA256:${createHash('sha256').update(hostKey).digest('base64').replace(/=+$/, '')}`
  return details
}

/** The payloads of the unencrypted binary packets (RFC 4253 section 6) after the identification line. */
export function readPackets(bytes: Buffer): Buffer[] {
  const banner = /(?:^|\n)SSH-[^\n]*\n/.exec(bytes.toString('latin1', 0, 8192))
  const packets: Buffer[] = []
  if (!banner) return packets
  for (let at = banner.index + banner[0].length; at + 5 <= bytes.length; ) {
    const length = bytes.readUInt32BE(at)
    const padding = bytes.readUInt8(at + 4)
    if (length > PACKET_BYTES_MAX || length < padding + 2 || at + 4 + length > bytes.length) break
    packets.push(bytes.subarray(at + 5, at + 4 + length - padding))
    at += 4 + length
  }
  return packets
}

/** The ten name lists of a KEXINIT (RFC 4253 section 7.1), behind the message number and 16 bytes of cookie. */
function nameLists(offer: Buffer): string[][] {
  const lists: string[][] = []
  for (let at = 17; lists.length < 10; ) {
    const list = stringAt(offer, at)
    if (!list) break
    lists.push(list.toString('latin1').split(','))
    at += 4 + list.length
  }
  return lists
}

function stringAt(bytes: Buffer, at: number): Buffer | undefined {
  if (at + 4 > bytes.length) return undefined
  const length = bytes.readUInt32BE(at)
  return at + 4 + length > bytes.length ? undefined : bytes.subarray(at + 4, at + 4 + length)
}

function ourOffer(): Buffer {
  const lists = [KEY_EXCHANGES, HOST_KEY_ALGORITHMS, ANY_CIPHER, ANY_CIPHER, ANY_MAC, ANY_MAC, 'none', 'none', '', '']
  // Then: no guessed packet follows, and a reserved word.
  return Buffer.concat([Buffer.from([MSG_KEXINIT]), randomBytes(16), ...lists.map((list) => sshString(Buffer.from(list))), Buffer.alloc(5)])
}

function ourKey(): Buffer {
  const spki = generateKeyPairSync('x25519').publicKey.export({ type: 'spki', format: 'der' })
  return Buffer.concat([Buffer.from([MSG_KEX_ECDH_INIT]), sshString(spki.subarray(-32))])
}

function sshString(content: Buffer): Buffer {
  const length = Buffer.alloc(4)
  length.writeUInt32BE(content.length)
  return Buffer.concat([length, content])
}

/** Padded with at least four bytes to a multiple of eight (RFC 4253 section 6). */
export function packetOf(payload: Buffer): Buffer {
  const padding = 4 + ((8 - ((payload.length + 5 + 4) % 8)) % 8)
  const head = Buffer.alloc(5)
  head.writeUInt32BE(1 + payload.length + padding)
  head.writeUInt8(padding, 4)
  return Buffer.concat([head, payload, randomBytes(padding)])
}
