import type { TransportProtocol } from '@portcullis/core/net/protocol.ts'
import type { Address } from '@portcullis/core/net/address.ts'

/** What of the policy's hosts an import asks: to whom an address or a name belongs. */
export interface FleetIndex {
  readonly ofAddress: (address: Address) => string | undefined
  readonly ofName: (name: string) => string | undefined
  /** Whether something is known to serve there: it listens, or a need of the policy names it. Absent where nobody looked. */
  readonly isServer?: (host: string, protocol: TransportProtocol, port: number) => boolean
}

export interface FleetMember {
  readonly name: string
  readonly addresses: readonly Address[]
}

/** Names are compared without case and, where that fits nobody, without domain. */
export function indexFleet(hosts: readonly FleetMember[]): FleetIndex {
  const byAddress = { 4: new Map<bigint, string>(), 6: new Map<bigint, string>() }
  for (const { name, addresses } of hosts) for (const { family, value } of addresses) byAddress[family].set(value, name)
  const byName = new Map(hosts.map(({ name }) => [name.toLowerCase(), name]))
  return {
    ofAddress: ({ family, value }) => byAddress[family].get(value),
    ofName: (name) => byName.get(name.toLowerCase()) ?? byName.get(name.toLowerCase().split('.')[0] ?? ''),
  }
}
