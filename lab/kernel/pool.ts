import type { Family } from '@portcullis/core/net/address.ts'

/** Values that random rules mention, so that packets fall on both sides of every edge. */
export interface Pool {
  readonly sources: Record<Family, readonly string[]>
  readonly destinations: Record<Family, readonly string[]>
  readonly ports: readonly number[]
}

export const POOL: Pool = {
  sources: {
    4: ['198.51.100.7', '198.51.100.8', '198.51.100.255', '10.9.0.5', '10.9.255.254', '10.1.2.3', '10.1.2.4', '10.0.0.1', '192.0.2.9', '203.0.113.3', '8.8.8.8', '192.0.2.255', '10.9.0.1', '198.18.0.7', '10.7.0.1'],
    6: ['2001:db8:7::7', '2001:db8:7::8', '2001:db8:1::9', 'fd00:9::5', 'fd00:8::1', 'fe80::5', '2001:db8:f::3', '2001:db8:1::1', 'fe80::1', '2001:db8:dead::1'],
  },
  destinations: {
    4: ['192.0.2.1', '10.9.0.1', '203.0.113.1', '192.0.2.255', '255.255.255.255', '224.0.0.1', '10.9.0.77', '10.9.4.4', '8.8.4.4', '198.18.0.1', '192.0.2.77', '10.7.0.9'],
    6: ['2001:db8:1::1', 'fd00:9::1', '2001:db8:f::1', 'ff02::1', 'fd00:9::77', '2001:db8:ffff::1', '2001:db8:1::77', '2001:db8:1::', 'fe80::1', 'fe80::77', '2001:db8:dead::9'],
  },
  ports: [0, 1, 21, 22, 23, 53, 79, 80, 81, 89, 90, 443, 1023, 1024, 8080, 8081, 33_000, 65_534, 65_535],
}

/** Ports and ranges that do not overlap: the kernel refuses overlapping elements in one set. */
export const DISJOINT_PORTS = ['1-21', '22', '23-79', '80', '81-89', '443', '1024-8080', '8081', '65535'] as const

export const DISJOINT = {
  ip: ['10.0.0.0/8', '198.51.100.7', '198.51.100.8-198.51.100.20', '192.0.2.0/25', '192.0.2.255', '203.0.113.1'],
  ip6: ['fd00::/8', '2001:db8:7::7', '2001:db8:1::/64', 'fe80::5', 'ff02::1'],
} as const
