import type { Family } from '@portcullis/core/net/address.ts'
import type { Dice } from './dice.ts'

/** A set that a rule of iptables may ask for, and how many dimensions it has. */
export interface AskedSet {
  readonly name: string
  readonly sides: number
}

export const IPSETS: Readonly<Record<Family, readonly AskedSet[]>> = {
  4: [
    { name: 'hosts4', sides: 1 },
    { name: 'nets4', sides: 1 },
    { name: 'services4', sides: 2 },
    { name: 'netports4', sides: 2 },
    { name: 'links4', sides: 2 },
    { name: 'ports', sides: 1 },
    { name: 'holes4', sides: 1 },
    { name: 'filled4', sides: 1 },
    { name: 'hostporthosts4', sides: 3 },
    { name: 'hostportnets4', sides: 3 },
    { name: 'netportnets4', sides: 3 },
    { name: 'netnets4', sides: 2 },
    { name: 'marked4', sides: 2 },
    { name: 'map4', sides: 1 },
    { name: 'cards', sides: 1 },
    { name: 'cards4', sides: 2 },
    { name: 'leases4', sides: 2 },
    { name: 'hosts6', sides: 1 },
    { name: 'all', sides: 2 },
    { name: 'none', sides: 1 },
  ],
  6: [
    { name: 'hosts6', sides: 1 },
    { name: 'nets6', sides: 1 },
    { name: 'services6', sides: 2 },
    { name: 'ports', sides: 1 },
    { name: 'hostportnets6', sides: 3 },
    { name: 'netports6', sides: 2 },
    { name: 'links6', sides: 2 },
    { name: 'cards', sides: 1 },
    { name: 'hosts4', sides: 1 },
    { name: 'all', sides: 2 },
  ],
}

interface SetKind {
  readonly name: string
  readonly create: string
  readonly elements: readonly string[]
}

/** Lists stand behind their members. */
const KINDS: readonly SetKind[] = [
  { name: 'hosts4', create: 'hash:ip timeout 0', elements: ['198.51.100.7', '10.9.0.5 timeout 3600', '192.0.2.9', '192.0.2.1', '10.9.0.77'] },
  { name: 'nets4', create: 'hash:net', elements: ['10.0.0.0/8', '198.51.100.0/24', '192.0.2.0/25', '203.0.113.1'] },
  { name: 'services4', create: 'hash:ip,port', elements: ['192.0.2.1,tcp:22', '10.9.0.1,udp:53', '10.9.0.77,tcp:80', '198.51.100.7,443', '192.0.2.1,icmp:echo-request', '198.51.100.7,icmp:3/1', '192.0.2.1,47:0', '10.9.0.1,dccp:0', '192.0.2.1,udplite:80', '192.0.2.1,sctp:80-90'] },
  { name: 'netports4', create: 'hash:net,port', elements: ['10.9.0.0/16,tcp:80', '192.0.2.0/24,udp:53', '198.51.100.0/24,tcp:22'] },
  { name: 'links4', create: 'hash:net,iface', elements: ['10.0.0.0/8,eth1', '198.51.100.0/24,wan0', '192.0.2.0/24,eth0'] },
  { name: 'holes4', create: 'hash:net', elements: ['10.0.0.0/8', '10.9.0.0/16 nomatch', '198.51.100.0/24'] },
  { name: 'filled4', create: 'hash:ip', elements: ['198.51.100.7', '10.9.0.5'] },
  { name: 'ports', create: 'bitmap:port range 0-65535', elements: ['22', '80-90', '443', '65535'] },
  { name: 'hostporthosts4', create: 'hash:ip,port,ip', elements: ['198.51.100.7,tcp:22,192.0.2.1', '10.9.0.5,udp:53,10.9.0.1', '192.0.2.9,tcp:80,10.9.0.77', '198.51.100.7,icmp:8/0,192.0.2.1'] },
  { name: 'hostportnets4', create: 'hash:ip,port,net', elements: ['192.0.2.1,tcp:22,198.51.100.0/24', '10.9.0.1,udp:53,10.0.0.0/8', '10.9.0.77,tcp:80,0.0.0.0/1'] },
  { name: 'netportnets4', create: 'hash:net,port,net', elements: ['198.51.100.0/24,tcp:22,192.0.2.0/24', '10.0.0.0/8,udp:53,10.9.0.0/16', '192.0.2.0/24,tcp:80,10.0.0.0/8'] },
  { name: 'netnets4', create: 'hash:net,net', elements: ['198.51.100.0/24,192.0.2.0/24', '10.0.0.0/8,10.9.0.0/16', '192.0.2.0/24,10.9.0.77'] },
  { name: 'marked4', create: 'hash:ip,mark', elements: ['198.51.100.7,0x1', '10.9.0.5,0x0', '192.0.2.9,0x3', '192.0.2.1,0x0'] },
  { name: 'map4', create: 'bitmap:ip range 10.9.0.0/16', elements: ['10.9.0.5', '10.9.0.70-10.9.0.80', '10.9.4.0/24'] },
  { name: 'cards', create: 'hash:mac', elements: ['02:00:00:00:00:01', '02:00:00:00:00:07'] },
  { name: 'cards4', create: 'hash:ip,mac', elements: ['198.51.100.7,02:00:00:00:00:01', '10.9.0.5,02:00:00:00:00:02', '192.0.2.9,02:00:00:00:00:01'] },
  { name: 'leases4', create: 'bitmap:ip,mac range 10.9.0.0/24', elements: ['10.9.0.5,02:00:00:00:00:01', '10.9.0.77,02:00:00:00:00:02'] },
  { name: 'hosts6', create: 'hash:ip family inet6', elements: ['2001:db8:7::7', 'fd00:9::5', '2001:db8:1::1', 'fd00:9::77'] },
  { name: 'nets6', create: 'hash:net family inet6', elements: ['fd00::/8', '2001:db8::/32', 'fe80::/64'] },
  { name: 'services6', create: 'hash:ip,port family inet6', elements: ['2001:db8:1::1,tcp:22', 'fd00:9::1,udp:53', 'fd00:9::77,tcp:443', '2001:db8:1::1,icmpv6:echo-request', '2001:db8:1::1,47:0'] },
  { name: 'hostportnets6', create: 'hash:ip,port,net family inet6', elements: ['2001:db8:1::1,tcp:22,2001:db8:7::/64', 'fd00:9::1,udp:53,fd00::/8'] },
  { name: 'netports6', create: 'hash:net,port family inet6', elements: ['fd00::/8,udp:53', '2001:db8::/32,tcp:22-80', '2001:db8:1::/64,icmpv6:echo-request'] },
  { name: 'links6', create: 'hash:net,iface family inet6', elements: ['fd00::/8,eth1', '2001:db8:7::/64,wan0', '2001:db8:1::/64,eth0'] },
  { name: 'all', create: 'list:set size 8', elements: ['hosts4', 'nets4', 'services4', 'hosts6', 'ports', 'services6'] },
  { name: 'none', create: 'list:set size 8', elements: [] },
]

/** What `ipset create` is told, by set: a kernel may lack a type. */
export const SET_TYPES: Readonly<Record<string, string>> = Object.fromEntries(KINDS.map(({ name, create }) => [name, create]))

/** All sets, for `ipset restore -exist`: each emptied and filled anew. A list holds only those that the kernel has. */
export const randomIpsets = (dice: Dice, isThere: (name: string) => boolean = () => true): string =>
  KINDS.filter(({ name }) => isThere(name)).flatMap(({ name, create, elements }) => [`create ${name} ${create}`, `flush ${name}`, ...dice.some(elements, 0, elements.length).map((element) => `add ${name} ${element}`)]).join('\n') + '\n'
