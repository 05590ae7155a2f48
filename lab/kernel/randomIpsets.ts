import type { Family } from '@portcullis/core/net/address.ts'
import type { Dice } from './dice.ts'

/** Sets that rules of iptables ask for, by name and by how many dimensions they have. */
export const IPSETS: Readonly<Record<Family, readonly { readonly name: string; readonly sides: number }[]>> = {
  4: [
    { name: 'hosts4', sides: 1 },
    { name: 'nets4', sides: 1 },
    { name: 'services4', sides: 2 },
    { name: 'netports4', sides: 2 },
    { name: 'links4', sides: 2 },
    { name: 'ports', sides: 1 },
    { name: 'holes4', sides: 1 },
    { name: 'filled4', sides: 1 },
  ],
  6: [
    { name: 'hosts6', sides: 1 },
    { name: 'nets6', sides: 1 },
    { name: 'services6', sides: 2 },
    { name: 'ports', sides: 1 },
  ],
}

interface SetKind {
  readonly name: string
  readonly create: string
  readonly elements: readonly string[]
}

const KINDS: readonly SetKind[] = [
  { name: 'hosts4', create: 'hash:ip timeout 0', elements: ['198.51.100.7', '10.9.0.5 timeout 3600', '192.0.2.9', '192.0.2.1', '10.9.0.77'] },
  { name: 'nets4', create: 'hash:net', elements: ['10.0.0.0/8', '198.51.100.0/24', '192.0.2.0/25', '203.0.113.1'] },
  { name: 'services4', create: 'hash:ip,port', elements: ['192.0.2.1,tcp:22', '10.9.0.1,udp:53', '10.9.0.77,tcp:80', '198.51.100.7,443'] },
  { name: 'netports4', create: 'hash:net,port', elements: ['10.9.0.0/16,tcp:80', '192.0.2.0/24,udp:53', '198.51.100.0/24,tcp:22'] },
  { name: 'links4', create: 'hash:net,iface', elements: ['10.0.0.0/8,eth1', '198.51.100.0/24,wan0', '192.0.2.0/24,eth0'] },
  { name: 'holes4', create: 'hash:net', elements: ['10.0.0.0/8', '10.9.0.0/16 nomatch', '198.51.100.0/24'] },
  { name: 'filled4', create: 'hash:ip', elements: ['198.51.100.7', '10.9.0.5'] },
  { name: 'ports', create: 'bitmap:port range 0-65535', elements: ['22', '80-90', '443', '65535'] },
  { name: 'hosts6', create: 'hash:ip family inet6', elements: ['2001:db8:7::7', 'fd00:9::5', '2001:db8:1::1', 'fd00:9::77'] },
  { name: 'nets6', create: 'hash:net family inet6', elements: ['fd00::/8', '2001:db8::/32', 'fe80::/64'] },
  { name: 'services6', create: 'hash:ip,port family inet6', elements: ['2001:db8:1::1,tcp:22', 'fd00:9::1,udp:53', 'fd00:9::77,tcp:443'] },
]

/** All sets, for `ipset restore -exist`: each emptied and filled anew. */
export const randomIpsets = (dice: Dice): string =>
  KINDS.flatMap(({ name, create, elements }) => [`create ${name} ${create}`, `flush ${name}`, ...dice.some(elements, 0, elements.length).map((element) => `add ${name} ${element}`)]).join('\n') + '\n'
