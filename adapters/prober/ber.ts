/** The few encodings of ASN.1's Basic Encoding Rules (X.690) that SNMP and LDAP questions need: definite, short lengths. */

export function tagged(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts)
  if (content.length > 127) throw new RangeError('only short lengths are written')
  return Buffer.concat([Buffer.from([tag, content.length]), content])
}

export const sequence = (...parts: readonly Uint8Array[]): Buffer => tagged(0x30, ...parts)

export const octets = (content: string | Uint8Array): Buffer => tagged(0x04, Buffer.from(content))

export const NULL = Buffer.from([0x05, 0x00])

/** Non-negative. */
export function integer(value: number): Buffer {
  const bytes: number[] = []
  let rest = value
  do {
    bytes.unshift(rest & 0xff)
    rest = Math.floor(rest / 256)
  } while (rest > 0)
  if ((bytes[0] ?? 0) > 0x7f) bytes.unshift(0)
  return tagged(0x02, Buffer.from(bytes))
}
