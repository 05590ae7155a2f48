import { parseAddress, type Address } from '@portcullis/core/net/address.ts'
import { hostPrefix } from '@portcullis/core/net/prefix.ts'
import type { Host, Transport } from '@portcullis/core/policy/policy.ts'
import { neverASource } from '@portcullis/core/policy/source.ts'
import type { Path } from './located.ts'
import type { Reading } from './reading.ts'
import type { HostEntry, PolicyFile } from './schema.ts'

const HOSTS_MAX = 100_000

type FleetEntry = PolicyFile['fleet']

export function readHosts(fleet: FleetEntry, reading: Reading): Host[] {
  const names = Object.keys(fleet.hosts)
  if (names.length > HOSTS_MAX) {
    const what = { en: `the fleet has ${names.length} hosts; a policy holds at most ${HOSTS_MAX}`, zh: `主机数为 ${names.length}，一份策略最多 ${HOSTS_MAX} 台` }
    reading.refuse({ code: 'POLICY_TOO_MANY_HOSTS', what, next: { en: 'split the fleet over several policies', zh: '请将主机拆分到多个策略中' } }, ['fleet', 'hosts'], 'key')
    return []
  }
  return Object.entries(fleet.hosts).map(([name, entry]) => readHost(name, entry, fleet, reading))
}

function readHost(name: string, entry: HostEntry, fleet: FleetEntry, reading: Reading): Host {
  const path = ['fleet', 'hosts', name, 'addresses']
  const written = entry.addresses
  const addresses = typeof written === 'string' ? readAddress(written, path, reading) : written.flatMap((item, index) => readAddress(item, [...path, index], reading))
  const labels = Object.fromEntries(Object.entries(entry.labels ?? {}).map(([label, value]) => [label, String(value)]))
  return { name, addresses, labels, tier: entry.tier ?? 'standard', transport: readTransport(name, entry, fleet) }
}

function readAddress(written: string, path: Path, reading: Reading): Address[] {
  const address = parseAddress(written)
  if (!address.ok) {
    for (const fault of address.faults) reading.refuse(fault, path)
    return []
  }
  if (!neverASource(hostPrefix(address.value))) return [address.value]
  const what = { en: `${written} is not an address that clients reach a host by`, zh: `${written} 不是客户端可以访问的主机地址` }
  const next = { en: 'write the address that clients connect to', zh: '请写客户端实际连接的地址' }
  reading.refuse({ code: 'POLICY_HOST_ADDRESS', what, next }, path)
  return []
}

/** `ssh`: what stands for every host of the file. */
export function readTransport(name: string, entry: Pick<HostEntry, 'transport'>, { ssh }: Pick<FleetEntry, 'ssh'>): Transport {
  const written = entry.transport ?? 'ssh'
  if (written === 'local') return { kind: 'local' }
  if (typeof written === 'object' && written.netns !== undefined) return { kind: 'netns', namespace: written.netns }
  const own = typeof written === 'object' ? (written.ssh ?? {}) : {}
  const { destination = name, port = 22, sudo, ...rest } = { ...ssh, ...own }
  return { kind: 'ssh', destination, port, ...defined(rest), sudo: sudo ?? (rest.user !== undefined && rest.user !== 'root') }
}

type Settings = { readonly user?: string; readonly identityFile?: string; readonly knownHostsFile?: string; readonly jump?: string }

const defined = (settings: { readonly [K in keyof Settings]?: Settings[K] | undefined }): Settings =>
  Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined))
