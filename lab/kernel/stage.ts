import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { HostFacts } from '@portcullis/core/ruleset/hostfacts.ts'
import { readTopology } from '@portcullis/adapters/facts/topology.ts'
import { openNflog, type NflogSocket } from '@portcullis/adapters/rawsocket/nflog.ts'
import { openPacketSocket, type PacketSocket } from '@portcullis/adapters/rawsocket/packetSocket.ts'
import { mustRun, openNft, type Nft } from './libnftables.ts'

/**
 * A host to test the kernel on, inside the network namespace that this process was started in: interfaces whose far ends are
 * in the same namespace, so that one process sends and listens. What rules let through is logged to NFLOG with the hook's number and
 * dropped at the end of input and of postrouting; a counter at −450 tells how many packets arrived at all.
 */
export const INTERFACES = ['eth0', 'eth1', 'wan0'] as const
export type InterfaceName = (typeof INTERFACES)[number]

const ADDRESSES: Record<InterfaceName, readonly string[]> = {
  eth0: ['192.0.2.1/24', '2001:db8:1::1/64', 'fe80::1/64'],
  eth1: ['10.9.0.1/16', 'fd00:9::1/64', 'fe80::2/64'],
  wan0: ['203.0.113.1/28', '2001:db8:f::1/64'],
}

const NFLOG_GROUP = 7
/** A frame from here is logged before any rule under test: when it comes back, all that was logged before it has come too. */
export const SENTINEL_MAC = '02:00:00:00:00:99'
export const PROBE_TABLE = 'zz_probe'
/** Senders of test packets. */
export const TEST_MACS = ['02:00:00:00:00:01', '02:00:00:00:00:02'] as const

/** What this host sends itself, errors and redirects that quote a test packet above all, is none of the test's: it has no such sender. */
const PROBE = `table inet ${PROBE_TABLE} {
  counter arrived { }
  chain first {
    type filter hook prerouting priority -450; policy accept;
    ether saddr ${SENTINEL_MAC} log group ${NFLOG_GROUP} queue-threshold 64 snaplen 192 drop
    iifname { "eth0", "eth1", "wan0" } ether saddr { ${TEST_MACS.join(', ')} } counter name arrived
  }
  chain input { type filter hook input priority 300; policy accept; ether saddr { ${TEST_MACS.join(', ')} } log group ${NFLOG_GROUP} queue-threshold 64 snaplen 192 drop; }
  chain postrouting { type filter hook postrouting priority 300; policy accept; ether saddr { ${TEST_MACS.join(', ')} } log group ${NFLOG_GROUP} queue-threshold 64 snaplen 192 drop; }
}
`

export interface Stage {
  readonly facts: HostFacts
  readonly sockets: ReadonlyMap<InterfaceName, PacketSocket>
  readonly hardware: ReadonlyMap<InterfaceName, Buffer>
  readonly nflog: NflogSocket
  readonly nft: Readonly<Record<'text' | 'json', Nft>>
  /** For files, taken away at the end. */
  readonly folder: string
  /** Packets that have arrived since the last call. */
  takeArrived(): number
}

export async function openStage(): Promise<Stage> {
  for (const name of INTERFACES) wire(name)
  for (const [path, value] of SYSCTLS) writeFileSync(`/proc/sys/net/${path}`, value)
  for (const route of ROUTES) ip(...route)
  const nft = { text: openNft('text'), json: openNft('json') }
  mustRun(nft.text, PROBE)
  const sockets = new Map<InterfaceName, PacketSocket>()
  for (const name of INTERFACES) sockets.set(name, unwrap(await openPacketSocket(`p-${name}`)))
  const nflog = unwrap(await openNflog(NFLOG_GROUP, { copyBytes: 192 }))
  let before = 0
  const takeArrived = (): number => {
    const now = arrived(nft.json)
    const taken = now - before
    before = now
    return taken
  }
  const folder = mkdtempSync(join(tmpdir(), 'portcullis-kernel-'))
  return { facts: readFacts(), sockets, hardware: new Map(INTERFACES.map((name) => [name, macOf(name)])), nflog, nft, folder, takeArrived }
}

export function closeStage(stage: Stage): void {
  for (const socket of stage.sockets.values()) socket.close()
  stage.nflog.close()
  rmSync(stage.folder, { recursive: true, force: true })
}

const ROUTES: readonly (readonly string[])[] = [
  ['route', 'add', 'default', 'via', '203.0.113.2', 'dev', 'wan0'],
  ['-6', 'route', 'add', 'default', 'via', '2001:db8:f::2', 'dev', 'wan0'],
  ['route', 'add', 'blackhole', '198.18.0.0/15'],
  ['-6', 'route', 'add', 'blackhole', '2001:db8:dead::/48'],
  ['route', 'add', '10.7.0.0/16', 'nexthop', 'via', '10.9.0.3', 'dev', 'eth1', 'nexthop', 'via', '192.0.2.3', 'dev', 'eth0'],
]

const SYSCTLS: readonly (readonly [string, string])[] = [
  ['ipv4/ip_forward', '1'],
  ['ipv6/conf/all/forwarding', '1'],
  ['ipv4/conf/all/accept_local', '1'],
  ['ipv4/conf/all/send_redirects', '0'],
  // Frames are made without transport checksums; the kernel would call them invalid.
  ['netfilter/nf_conntrack_checksum', '0'],
  ...INTERFACES.flatMap((name): (readonly [string, string])[] => [
    [`ipv4/conf/${name}/rp_filter`, '0'],
    [`ipv4/conf/${name}/send_redirects`, '0'],
  ]),
  ['ipv4/conf/all/rp_filter', '0'],
]

function wire(name: InterfaceName): void {
  // A router solicitation or a neighbour probe of the kernel's own would be counted as a packet of the test.
  ip('link', 'add', name, 'type', 'veth', 'peer', 'name', `p-${name}`)
  writeFileSync(`/proc/sys/net/ipv6/conf/p-${name}/disable_ipv6`, '1')
  writeFileSync(`/proc/sys/net/ipv6/conf/${name}/addr_gen_mode`, '1')
  for (const address of ADDRESSES[name]) ip('addr', 'add', address, 'dev', name, ...(address.includes(':') ? ['nodad'] : ['broadcast', '+']))
  ip('link', 'set', `p-${name}`, 'up')
  ip('link', 'set', name, 'up')
}

function readFacts(): HostFacts {
  const section = (name: string, ...args: string[]) => [name, { name, line: 1, text: execFileSync('ip', ['-j', ...args], { encoding: 'utf8' }) }] as const
  const sections = new Map([
    section('addr', 'addr'),
    section('route4', '-4', 'route', 'show', 'table', 'all'),
    section('route6', '-6', 'route', 'show', 'table', 'all'),
    section('rule4', '-4', 'rule'),
    section('rule6', '-6', 'rule'),
  ])
  const sysctls = new Map([
    ['net/ipv4/ip_forward', '1'],
    ['net/ipv6/conf/all/forwarding', '1'],
  ])
  return unwrap(readTopology(sections, sysctls, 'stage'))
}

function arrived(nft: Nft): number {
  const listed = JSON.parse(mustRun(nft, `list counter inet ${PROBE_TABLE} arrived`)) as { nftables: { counter?: { packets: number } }[] }
  return listed.nftables.find((each) => each.counter)?.counter?.packets ?? 0
}

function macOf(name: string): Buffer {
  const [link] = JSON.parse(execFileSync('ip', ['-j', 'link', 'show', name], { encoding: 'utf8' })) as { address: string }[]
  return Buffer.from((link?.address ?? '').replaceAll(':', ''), 'hex')
}

const ip = (...args: readonly string[]): void => void execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'inherit'] })

export function unwrap<T>(result: { ok: true; value: T } | { ok: false; faults: readonly { what: { en: string } }[] }): T {
  if (!result.ok) throw new Error(result.faults.map((fault) => fault.what.en).join('; '))
  return result.value
}
