import { parseAddress, type Address } from '@portcullis/core/net/address.ts'
import { printable } from './printable.ts'

/** A port that systemd holds for a unit, as `systemctl list-sockets --all --no-legend --full` prints it. */
export interface SocketUnit {
  readonly address: Address
  readonly port: number
  readonly socket: string
  /** What the first connection starts. */
  readonly activates: string
}

/** Lines `LISTEN UNIT ACTIVATES`. Sockets that are not of the network (paths, netlink) are left out. */
export function readSocketUnits(text: string): SocketUnit[] {
  return text.split('\n').flatMap((line) => {
    const match = /^\s*(\S.*?)\s+(\S+\.socket)\s+(\S+)\s*$/.exec(line)
    const [, listen = '', socket = '', activates = ''] = match ?? []
    const bound = /^(?:\[([0-9a-fA-F:.]+)\]|([0-9.]+|\*))(?:%\S+?)?:([0-9]{1,5})(?:%\S+)?$/.exec(listen)
    const address = bound && parseAddress(bound[1] ?? (bound[2] === '*' ? '::' : (bound[2] ?? '')))
    if (!address?.ok || activates === '-') return []
    return [{ address: address.value, port: Number(bound?.[3]), socket: printable(socket), activates: printable(activates) }]
  })
}

/** The unit that owns a socket made in this cgroup: the innermost service, or scope of a container. */
export function unitOfCgroup(path: string | undefined): string | undefined {
  const unit = path?.split('/').findLast((part) => /\.(?:service|scope)$/.test(part))
  // systemd's own init.scope owns what it holds for others.
  return unit === undefined || unit === 'init.scope' ? undefined : printable(unescapeUnit(unit))
}

/** systemd writes characters that a path cannot hold as `\x2d` (systemd-escape(1)). */
const unescapeUnit = (name: string): string =>
  name.replaceAll(/\\x([0-9a-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
