import { formatAddress, type Address } from '@portcullis/core/net/address.ts'
import { loadLibc } from '@portcullis/adapters/rawsocket/libc.ts'
import { assemble } from '@portcullis/adapters/rawsocket/packetFilter.ts'
import { openPacketSocket, type PacketSocket } from '@portcullis/adapters/rawsocket/packetSocket.ts'
import { mustRun } from '@portcullis/lab/command.ts'
import type { FirewallSpec } from '@portcullis/lab/daemons/spec.ts'
import type { LabHost } from '@portcullis/lab/host.ts'
import { batch } from '@portcullis/lab/netns.ts'
import { startWorld, type Lab } from '@portcullis/lab/start.ts'
import { client, interfaceIn, network } from '@portcullis/lab/world.ts'
import { GATEWAY_IPV4, GATEWAY_MAC, HOST_IPV4, HOST_MAC, SILENT_MAC, SOURCES } from './frames.ts'
import { BACKLOG, inNamespace } from './thread.ts'

/** Hosts that differ in their firewalls alone, each at the near end of a cable of its own. All far ends are in one place, outside. */
export interface Stage {
  readonly places: readonly Place[]
  /** The namespace of the far ends. */
  readonly outside: string
  /** Lets a client with these addresses answer at the far ends. */
  bringClient(addresses: readonly Address[]): Promise<void>
  /** Without it, what the hosts send ends at the far ends. */
  takeClient(addresses: readonly Address[]): Promise<void>
  close(): Promise<void>
}

export interface Place {
  readonly host: LabHost
  /** The far end of the cable. */
  readonly device: string
  readonly socket: PacketSocket
}

/** A host for each; of those that name a firewall system its daemon runs, with nothing allowed yet. */
export async function openStage(systems: readonly (FirewallSpec['kind'] | undefined)[]): Promise<Stage> {
  const net = network('servers', '10.98.0.0/16', 'fd98::/64')
  const hosts = systems.map((system, index) =>
    client(`v${index}`, interfaceIn(net, 10 + index), system === undefined ? {} : { firewall: { kind: system, allow: [] } }),
  )
  const lab = await startWorld({ networks: [net], hosts }, { prefix: `bn-${process.pid}` })
  const places: Place[] = []
  const close = async (): Promise<void> => {
    for (const { socket } of places) socket.close()
    await lab.stop()
  }
  try {
    await layCables(lab)
    for (const [index, host] of lab.hosts.entries()) places.push({ host, device: cableOf(index), socket: await openCable(lab, index) })
  } catch (error) {
    await close()
    throw error
  }
  return {
    places,
    outside: lab.switchNamespace,
    bringClient: (addresses) => setClient(lab, addresses, true),
    takeClient: (addresses) => setClient(lab, addresses, false),
    close,
  }
}

const cableOf = (index: number): string => `cable${index}`

/** From the lab's switch straight into each host, past the bridge. */
async function layCables(lab: Lab): Promise<void> {
  const near = lab.hosts.map((host, index) => `link add ${cableOf(index)} address ${SILENT_MAC} type veth peer name bench0 address ${HOST_MAC} netns ${host.netns}`)
  const up = lab.hosts.map((_, index) => `link set ${cableOf(index)} up`)
  await batch([...near, ...up], lab.switchNamespace)
  // All hosts have the same address: an answer comes from another cable than the first route says.
  const lax = ['all', ...lab.hosts.map((_, index) => cableOf(index))].map((name) => `net.ipv4.conf.${name}.rp_filter=0`)
  await mustRun(['ip', 'netns', 'exec', lab.switchNamespace, 'sysctl', '-qw', ...lax])
  // Nobody accepts what is opened here, and with few endpoints all of a round waits at one listener.
  await Promise.all(lab.hosts.map((host) => host.must(['sysctl', '-qw', `net.core.somaxconn=${BACKLOG}`])))
  const far = [
    `address add ${HOST_IPV4}/24 dev bench0`,
    'link set bench0 up',
    `route add ${SOURCES} via ${GATEWAY_IPV4} dev bench0`,
    `neighbour add ${GATEWAY_IPV4} lladdr ${GATEWAY_MAC} dev bench0 nud permanent`,
  ]
  await Promise.all(lab.hosts.map((host) => batch(far, host.netns)))
}

/** A client is there when the far ends have the gateway's hardware address. */
async function setClient(lab: Lab, addresses: readonly Address[], isThere: boolean): Promise<void> {
  const action = isThere ? 'add' : 'del'
  const cables = lab.hosts.flatMap((_, index) => [
    `link set ${cableOf(index)} address ${isThere ? GATEWAY_MAC : SILENT_MAC}`,
    `route ${action} ${HOST_IPV4}/32 dev ${cableOf(index)} metric ${index + 1}`,
    ...(isThere ? [`neighbour replace ${HOST_IPV4} lladdr ${HOST_MAC} dev ${cableOf(index)} nud permanent`] : []),
  ])
  await batch([...addresses.map((address) => `address ${action} ${formatAddress(address)}/32 dev lo`), ...cables], lab.switchNamespace)
}

async function openCable(lab: Lab, index: number): Promise<PacketSocket> {
  // Loaded before, so that the opening waits for nothing while this thread stands in the namespace.
  await loadLibc()
  const opened = await inNamespace(lab.switchNamespace, () => openPacketSocket(cableOf(index)))
  if (!opened.ok) throw new Error(opened.faults[0]?.what.en)
  opened.value.attachFilter(ANSWERS)
  return opened.value
}

/** SYN-ACKs alone, and of each the headers alone. */
const ANSWERS = assemble([
  { load: 'byte', at: 47 },
  { test: '==', value: 0x12, ifNo: 'refuse' },
  { give: 54 },
  { label: 'refuse' },
  { give: 0 },
])
