import { parseAddress, type Address } from '@portcullis/core/net/address.ts'
import { isTransportProtocol, type TransportProtocol } from '@portcullis/core/net/protocol.ts'
import { printable } from './printable.ts'

/** One socket as `ss -H -lntup -e` prints it. */
export interface ListenerLine {
  readonly protocol: TransportProtocol
  /** Two for an IPv6 socket that takes IPv4 as well: the wildcard of each family. */
  readonly addresses: readonly Address[]
  readonly port: number
  readonly interface?: string
  /** Whoever holds the socket; a name is at most 15 bytes of the process's own choice (prctl(2), PR_SET_NAME). */
  readonly holders: readonly { readonly name: string; readonly pid: number }[]
  /** Absent in the line for root. */
  readonly uid: number
  /** Where the socket was made, as a path of cgroup v2; absent on hosts that have none. */
  readonly cgroup?: string
}

/** Undefined when the line is not one of ss. A socket of another kind than TCP, UDP and SCTP is `other`. */
export function readListenerLine(line: string): ListenerLine | 'other' | undefined {
  const match = /^(\S+)\s+(?:LISTEN|UNCONN)\s+[0-9]+\s+[0-9]+\s+(\S+):([0-9]{1,5})\s+\S+:(?:[0-9]+|\*)(?:\s+(.*))?$/s.exec(line)
  if (!match) return undefined
  const [, netid = '', local = '', portText = '', rest = ''] = match
  if (!isTransportProtocol(netid)) return 'other'
  const detail = readDetail(rest)
  const bound = readLocal(local, detail.isV6Only)
  if (!bound || Number(portText) > 65_535) return undefined
  return {
    protocol: netid,
    addresses: bound.addresses,
    port: Number(portText),
    ...(bound.interface === undefined ? {} : { interface: printable(bound.interface) }),
    holders: readHolders(detail.users),
    uid: detail.uid,
    ...(detail.cgroup === undefined ? {} : { cgroup: detail.cgroup }),
  }
}

const ANY4: Address = { family: 4, value: 0n }
const ANY6: Address = { family: 6, value: 0n }

/** `127.0.0.1`, `0.0.0.0%eth0`, `[fe80::1]%eth0`, `[::]`, `*`, and `::` of older releases. */
function readLocal(text: string, isV6Only: boolean | undefined): { addresses: readonly Address[]; interface?: string } | undefined {
  const [, address = '', scope] = /^(.*?)(?:%([^%\]]+))?$/.exec(text.replace(/^\[(.*?)\]/, '$1')) ?? []
  const bound = scope === undefined ? {} : { interface: scope }
  if (address === '*') return { addresses: isV6Only === true ? [ANY6] : [ANY4, ANY6], ...bound }
  const parsed = parseAddress(address)
  if (!parsed.ok) return undefined
  if (parsed.value.family === 6 && parsed.value.value === 0n && isV6Only === false) return { addresses: [ANY4, ANY6], ...bound }
  return { addresses: [unmapped(parsed.value)], ...bound }
}

/** `::ffff:192.0.2.7` is an IPv6 socket that IPv4 packets reach (RFC 4291 section 2.5.5.2). */
const unmapped = (address: Address): Address =>
  address.family === 6 && address.value >> 32n === 0xffffn ? { family: 4, value: address.value & 0xffff_ffffn } : address

interface Detail {
  readonly users: string
  readonly uid: number
  readonly cgroup?: string
  readonly isV6Only?: boolean
}

// A process chooses its name, so the fields behind the names are read from the last place where they can begin.
function readDetail(rest: string): Detail {
  const match = /^(?:users:\((.*)\)\s+)?(?:timer:\S+\s+)?(?:uid:([0-9]+)\s+)?ino:[0-9]+\s+sk:\S+(.*)$/s.exec(rest.trim())
  if (!match) return { users: /^users:\((.*)\)/s.exec(rest)?.[1] ?? '', uid: 0 }
  const tail = match[3] ?? ''
  const cgroup = /^\s+cgroup:(\/.*?)(?=\s+(?:v6only:[01]\b|<->|bpf|$)|\s*$)/s.exec(tail)?.[1]
  const v6only = /\sv6only:([01])(?=\s|$)/.exec(tail)?.[1]
  return {
    users: match[1] ?? '',
    uid: Number(match[2] ?? 0),
    ...(cgroup === undefined ? {} : { cgroup }),
    ...(v6only === undefined ? {} : { isV6Only: v6only === '1' }),
  }
}

/** ss escapes nothing: a quote or a parenthesis in a name stands there as it is. */
const readHolders = (users: string): { name: string; pid: number }[] =>
  [...users.matchAll(/\("(.*?)",pid=([0-9]{1,10}),fd=[0-9]{1,10}\)/gs)].map(([, name = '', pid]) => ({ name: printable(name), pid: Number(pid) }))
