import type { Address } from '../net/address.ts'
import { containsAddress, type Prefix } from '../net/prefix.ts'

const LOOPBACK4: Prefix = { family: 4, value: 127n << 24n, length: 8 }

/** 127.0.0.0/8 (RFC 1122 section 3.2.1.3) and ::1 (RFC 4291 section 2.5.3). */
export const isLoopback = (address: Address): boolean =>
  address.family === 4 ? containsAddress(LOOPBACK4, address) : address.value === 1n
