import { generateKeyPairSync, randomBytes } from 'node:crypto'

export interface OpensshKey {
  /** Content of a private key file (PROTOCOL.key of OpenSSH, without passphrase). */
  readonly privateFile: string
  /** `ssh-ed25519 AAAA…` */
  readonly publicLine: string
}

/** An ed25519 key as ssh-keygen(1) writes it; made here because a hundred ssh-keygen processes cost half a second. */
export function generateOpensshKey(comment: string): OpensshKey {
  const { privateKey } = generateKeyPairSync('ed25519')
  const { d = '', x = '' } = privateKey.export({ format: 'jwk' })
  const [seed, point] = [Buffer.from(d, 'base64url'), Buffer.from(x, 'base64url')]
  const publicBlob = Buffer.concat([field('ssh-ed25519'), field(point)])
  const check = randomBytes(4)
  const secret = pad(
    Buffer.concat([check, check, publicBlob, field(Buffer.concat([seed, point])), field(comment)]),
  )
  const file = Buffer.concat([
    Buffer.from('openssh-key-v1\0'),
    field('none'),
    field('none'),
    field(''),
    uint32(1),
    field(publicBlob),
    field(secret),
  ])
  return { privateFile: armour(file), publicLine: `ssh-ed25519 ${publicBlob.toString('base64')}` }
}

function field(content: string | Buffer): Buffer {
  const bytes = Buffer.from(content)
  return Buffer.concat([uint32(bytes.length), bytes])
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

/** To a multiple of the "none" cipher's block size 8, with the bytes 1, 2, 3, … */
function pad(bytes: Buffer): Buffer {
  const missing = (8 - (bytes.length % 8)) % 8
  return Buffer.concat([bytes, Buffer.from(Array.from({ length: missing }, (_, index) => index + 1))])
}

function armour(bytes: Buffer): string {
  const lines = bytes.toString('base64').match(/.{1,70}/g) ?? []
  return `-----BEGIN OPENSSH PRIVATE KEY-----\n${lines.join('\n')}\n-----END OPENSSH PRIVATE KEY-----\n`
}
