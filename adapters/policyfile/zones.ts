import type { Fault } from '@portcullis/core/fault/fault.ts'
import { aggregatePrefixes, ANY_IPV4, ANY_IPV6, formatPrefix, hostPrefix, parsePrefix, type Prefix } from '@portcullis/core/net/prefix.ts'
import type { Host, Zone } from '@portcullis/core/policy/policy.ts'
import { neverASource } from '@portcullis/core/policy/source.ts'
import type { Path } from './located.ts'
import { unknownName, type Reading } from './reading.ts'

export type ZoneEntries = Readonly<Record<string, string | readonly string[]>>

/** Reads zones, and sources that name them. Each zone is worked out once; zones may be made of zones. */
export class ZoneReader {
  readonly #entries: ZoneEntries
  readonly #reading: Reading
  readonly #hosts: ReadonlyMap<string, Host>
  /** `open` while a zone is being worked out: meeting it again is a circle. Nothing where it cannot be worked out. */
  readonly #zones = new Map<string, readonly Prefix[] | 'open' | undefined>()

  constructor(entries: ZoneEntries, hosts: readonly Host[], reading: Reading) {
    this.#entries = entries
    this.#reading = reading
    this.#hosts = new Map(hosts.map((host) => [host.name, host]))
  }

  readZones(): Zone[] {
    return Object.keys(this.#entries).flatMap((name) => {
      if (name === 'any') this.#reading.refuse(ANY_IS_TAKEN, ['zones', name], 'key')
      const prefixes = this.#readZone(name)
      return prefixes ? [{ name, prefixes }] : []
    })
  }

  /** Aggregated; nothing if any of them is faulty. */
  readSources(written: string | readonly string[], path: Path): Prefix[] | undefined {
    const parts = typeof written === 'string' ? [this.#readSource(written, path)] : written.map((item, index) => this.#readSource(item, [...path, index]))
    return parts.every((part) => part !== undefined) ? aggregatePrefixes(parts.flat()) : undefined
  }

  #readSource(written: string, path: Path): readonly Prefix[] | undefined {
    if (written === 'any') return [ANY_IPV4, ANY_IPV6]
    if (Object.hasOwn(this.#entries, written)) return this.#readNested(written, path)
    if (this.#reading.isBroken('zones', written)) return undefined
    return /[:/]|^[0-9.]+$/.test(written) ? this.#readPrefix(written, path) : this.#refuseName(written, path)
  }

  #readNested(name: string, path: Path): readonly Prefix[] | undefined {
    if (this.#zones.get(name) === 'open') return this.#reading.refuse(zoneCircle(name), path)
    return this.#readZone(name)
  }

  #readZone(name: string): readonly Prefix[] | undefined {
    const before = this.#zones.get(name)
    if (this.#zones.has(name) && before !== 'open') return before
    this.#zones.set(name, 'open')
    const prefixes = this.readSources(this.#entries[name] ?? [], ['zones', name])
    this.#zones.set(name, prefixes)
    return prefixes
  }

  #readPrefix(written: string, path: Path): readonly Prefix[] | undefined {
    const prefix = parsePrefix(written)
    if (!prefix.ok) {
      for (const fault of prefix.faults) this.#reading.refuse(fault, path)
      return undefined
    }
    const never = neverASource(prefix.value)
    if (!never) return [prefix.value]
    const what = { en: `${written} can never reach a host: ${never.en}`, zh: `${written} 无法到达主机：${never.zh}` }
    return this.#reading.refuse({ code: 'POLICY_SOURCE_IMPOSSIBLE', what }, path)
  }

  #refuseName(name: string, path: Path): undefined {
    const host = this.#hosts.get(name)
    if (host) return this.#reading.refuse(hostAsSource(host), path)
    return this.#reading.refuse(
      unknownName('POLICY_UNKNOWN_ZONE', { en: 'zone', zh: '区域' }, name, [...Object.keys(this.#entries), 'any'], {
        en: 'define it under zones, or write a prefix such as 10.0.0.0/8',
        zh: '请在 zones 中定义，或直接写网段，例如 10.0.0.0/8',
      }),
      path,
    )
  }
}

const ANY_IS_TAKEN: Fault = {
  code: 'POLICY_NAME',
  what: { en: 'a zone cannot be called "any": that word means every source', zh: '区域不能命名为 any：该词表示所有来源' },
  next: { en: 'choose another name', zh: '请换一个名称' },
}

const zoneCircle = (name: string): Fault => ({
  code: 'POLICY_ZONE_CIRCLE',
  what: { en: `zone "${name}" is made of itself`, zh: `区域“${name}”包含了自身` },
  next: { en: 'take one of the zones out of the circle', zh: '请打破区域之间的循环引用' },
})

const hostAsSource = (host: Host): Fault => {
  const addresses = host.addresses.map((address) => formatPrefix(hostPrefix(address))).join(', ')
  return {
    code: 'POLICY_UNKNOWN_ZONE',
    what: { en: `"${host.name}" is a host, and a source is a zone or a prefix`, zh: `“${host.name}”是主机，而来源应为区域或网段` },
    next: { en: `write its addresses: ${addresses}`, zh: `请写它的地址：${addresses}` },
  }
}
