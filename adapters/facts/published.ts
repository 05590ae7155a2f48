import type { Instant, Observation, PublishedObservation } from '@portcullis/core/inventory/observation.ts'
import { formatAddress, type Address, type Family } from '@portcullis/core/net/address.ts'
import { formatPortRange, type PortRange } from '@portcullis/core/net/port.ts'
import { PROTOCOL_NUMBERS, TRANSPORT_PROTOCOLS, type TransportProtocol } from '@portcullis/core/net/protocol.ts'
import type { Chain, Element, Field, Interval, LookupMatch, NatAddress, NatVerdict, Ruleset, Step, Table } from '@portcullis/core/ruleset/ruleset.ts'
import { isInterfaceName } from '@portcullis/core/ruleset/ruleset.ts'
import { printable } from './printable.ts'

export interface PublishedInput {
  readonly host: string
  readonly at: Instant
  /** `nft` or `iptables-legacy`. */
  readonly sensor: string
  readonly ruleset: Ruleset
  /** Of every interface: what is sent to another address is routed, not published. */
  readonly addresses: readonly Address[]
}

/**
 * Ports that destination NAT takes from packets for the host: the walk through the nat chains of prerouting, with what
 * the matches on the way leave of protocol, port and address. Other matches (interface, source) are not looked at, so
 * a port that is published to some is published. At last the word that these are all, or what could not be told.
 */
export function readPublished(input: PublishedInput): Observation[] {
  const walk = new Walk(input)
  for (const table of input.ruleset.tables) {
    if (table.isDormant) continue
    for (const chain of table.chains) {
      if (chain.base?.type === 'nat' && chain.base.hook === 'prerouting') walk.chain(table, chain, everything(table), 0)
    }
  }
  return walk.finish()
}

/** What may still come this way. */
interface Region {
  readonly families: ReadonlySet<Family>
  readonly protocols: ReadonlySet<TransportProtocol>
  /** Sorted, apart. */
  readonly ports: readonly PortRange[]
  /** Absent: any address. */
  readonly destinations?: readonly Interval[]
  /** A match on the way is not understood: less may come than this. */
  readonly isVague: boolean
}

const everything = (table: Table): Region => ({
  families: new Set(table.family === 'inet' ? ([4, 6] as const) : table.family === 'ip' ? ([4] as const) : ([6] as const)),
  protocols: new Set(TRANSPORT_PROTOCOLS),
  ports: [ALL_PORTS],
  isVague: false,
})

const ALL_PORTS: PortRange = { first: 1, last: 65_535 }

/** The kernel's own limit of nested jumps. */
const DEPTH_MAX = 16
/** kube-proxy makes some ten chains for each Service; thousands of Services stay below. */
const CHAINS_WALKED_MAX = 50_000

class Walk {
  readonly #input: PublishedInput
  readonly #found = new Map<string, PublishedObservation>()
  readonly #untold = new Set<string>()
  #chains = 0

  constructor(input: PublishedInput) {
    this.#input = input
  }

  chain(table: Table, chain: Chain, region: Region, depth: number): void {
    this.#chains += 1
    if (this.#chains > CHAINS_WALKED_MAX) return void this.#untold.add('too many chains')
    for (const rule of chain.rules) {
      let left: Region | undefined = region
      for (const step of rule.steps) {
        if (left === undefined) break
        left = this.#step(table, step, left, depth)
      }
    }
  }

  finish(): Observation[] {
    const { host, at, sensor } = this.#input
    const claim = { host, sensor, at }
    const found = [...this.#found.keys()].toSorted().flatMap((key) => this.#found.get(key) ?? [])
    const untold = [...this.#untold].toSorted()
    if (untold.length === 0) return [...found, { kind: 'reading', ...claim, covers: 'published' }]
    return [...found, { kind: 'evidence', ...claim, lost: untold.length, because: printable(`published ports that cannot be told: ${untold.join(', ')}`) }]
  }

  /** What goes on to the rule's next step. */
  #step(table: Table, step: Step, region: Region, depth: number): Region | undefined {
    switch (step.kind) {
      case 'lookup':
        return narrow(table, step, region)
      case 'vmap':
        for (const element of elementsOf(table, step.among)) {
          const verdict = 'verdict' in element ? element.verdict : undefined
          const chosen = narrowTo(step.fields, element, region)
          if (verdict && chosen) this.#step(table, verdict, chosen, depth)
        }
        return region
      case 'jump':
      case 'goto': {
        const target = table.chains.find((chain) => chain.name === step.chain)
        if (target && depth < DEPTH_MAX) this.chain(table, target, region, depth + 1)
        return step.kind === 'jump' ? region : undefined
      }
      case 'nat':
        this.#nat(table, step, region)
        return undefined
      case 'unmodelled':
        return this.#unmodelled(step.what, region)
      case 'any-of':
      case 'unknown':
        return { ...region, isVague: true }
      case 'accept':
      case 'drop':
      case 'reject':
      case 'return':
      case 'continue':
      case 'queue':
        return undefined
      case 'note':
      case 'set-mark':
      case 'notrack':
        return region
    }
  }

  #nat(table: Table, { change, target }: NatVerdict, region: Region): void {
    if (change !== 'dnat' && change !== 'redirect') return
    if (target.kind === 'map') {
      for (const element of elementsOf(table, target.among)) {
        const chosen = narrowTo(target.fields, element, region)
        const to = 'target' in element ? element.target : undefined
        if (chosen && to) this.#publish(chosen, describeTarget(target.ports ? { ...to, ports: target.ports } : to))
      }
    } else {
      this.#publish(region, target.kind === 'to' ? describeTarget(target.to) : target.kind === 'none' ? 'this host' : printable(target.what))
    }
  }

  /** nft prints what iptables-nft cannot say in nft's own words as an opaque `xt` expression. */
  #unmodelled(what: string, region: Region): Region | undefined {
    const target = /"type":\s*"target".*"name":\s*"(DNAT|REDIRECT)"/.exec(what)?.[1]
    if (target === undefined) return /"type":\s*"target"/.test(what) ? undefined : { ...region, isVague: true }
    if (region.ports.length === 1 && region.ports[0] === ALL_PORTS) this.#untold.add(`an iptables-nft ${target} rule`)
    else this.#publish(region, target === 'REDIRECT' ? 'this host' : 'a target that only iptables-nft-save shows')
    return undefined
  }

  #publish(region: Region, target: string): void {
    if (region.isVague && region.ports[0] === ALL_PORTS) return void this.#untold.add(`what goes to ${target}`)
    const { host, at, sensor } = this.#input
    for (const address of this.#addressesOf(region)) {
      for (const protocol of region.protocols) {
        for (const ports of region.ports) {
          const key = `${protocol} ${String(ports.first).padStart(5, '0')}-${ports.last} ${formatAddress(address)} ${target}`
          this.#found.set(key, { kind: 'published', host, sensor, at, protocol, ports, address, target })
        }
      }
    }
  }

  /** The host's own addresses among those that match; 0 of a family for all of it. */
  #addressesOf(region: Region): Address[] {
    const { destinations } = region
    if (destinations === undefined) return [...region.families].map((family) => ({ family, value: 0n }))
    return this.#input.addresses.filter(
      (address) => region.families.has(address.family) && destinations.some((range) => range.first <= address.value && address.value <= range.last),
    )
  }
}

function narrow(table: Table, match: LookupMatch, region: Region): Region | undefined {
  const { among } = match
  if (among.kind === 'named' && !table.sets.some((set) => set.name === among.name)) return { ...region, isVague: true }
  const elements = elementsOf(table, among)
  let left: Region | undefined = region
  for (const [index, field] of match.fields.entries()) {
    if (left === undefined) return undefined
    // A negated concatenation excludes combinations, which no single field tells.
    if (match.isNegated && match.fields.length > 1) continue
    left = narrowField(field, intervalsOf(elements, index), match.isNegated, left)
  }
  return left
}

function narrowTo(fields: readonly Field[], element: Element, region: Region): Region | undefined {
  let left: Region | undefined = region
  for (const [index, field] of fields.entries()) {
    if (left !== undefined) left = narrowField(field, intervalsOf([element], index), false, left)
  }
  return left
}

function narrowField(field: Field, values: readonly Interval[], isNegated: boolean, region: Region): Region | undefined {
  const narrower = field.mask === undefined ? NARROWERS[field.name] : undefined
  return narrower ? narrower(region, values, isNegated) : region
}

type Narrower = (region: Region, values: readonly Interval[], isNegated: boolean) => Region | undefined

/** Fields that are not here do not change which ports are published, only to whom. */
const NARROWERS: Partial<Record<Field['name'], Narrower>> = {
  family: (region, values, isNegated) => withFamilies(region, (family) => holds(values, family) !== isNegated),
  l4proto: (region, values, isNegated) => {
    const protocols = new Set([...region.protocols].filter((protocol) => holds(values, PROTOCOL_NUMBERS[protocol]) !== isNegated))
    return protocols.size === 0 ? undefined : { ...region, protocols }
  },
  dport: narrowPorts,
  ctOriginalDport: narrowPorts,
  daddr4: (region, values, isNegated) => narrowDestination(region, 4, values, isNegated),
  daddr6: (region, values, isNegated) => narrowDestination(region, 6, values, isNegated),
  saddr4: (region) => withFamilies(region, (family) => family === 4),
  saddr6: (region) => withFamilies(region, (family) => family === 6),
}

const holds = (values: readonly Interval[], value: number): boolean => values.some((range) => range.first <= value && value <= range.last)

function narrowPorts(region: Region, values: readonly Interval[], isNegated: boolean): Region | undefined {
  const ports = intersectPorts(region.ports, isNegated ? complementPorts(values) : values.map(portsOf))
  return ports.length === 0 ? undefined : { ...region, ports }
}

function narrowDestination(region: Region, family: Family, values: readonly Interval[], isNegated: boolean): Region | undefined {
  const kept = withFamilies(region, (each) => each === family)
  return kept && !isNegated ? { ...kept, destinations: values } : kept
}

function withFamilies(region: Region, keep: (family: Family) => boolean): Region | undefined {
  const families = new Set([...region.families].filter(keep))
  return families.size === 0 ? undefined : { ...region, families }
}

const portsOf = (range: Interval): PortRange => ({ first: Number(range.first), last: Number(range.last) })

const intersectPorts = (a: readonly PortRange[], b: readonly PortRange[]): readonly PortRange[] =>
  b.some((range) => range.first <= 1 && range.last >= 65_535)
    ? a
    : a.flatMap((x) => b.map((y) => ({ first: Math.max(x.first, y.first), last: Math.min(x.last, y.last) }))).filter((range) => range.first <= range.last)

function complementPorts(values: readonly Interval[]): PortRange[] {
  const gaps: PortRange[] = []
  let first = 1
  for (const range of values.map(portsOf).toSorted((a, b) => a.first - b.first)) {
    if (range.first > first) gaps.push({ first, last: range.first - 1 })
    first = Math.max(first, range.last + 1)
  }
  return first <= 65_535 ? [...gaps, { first, last: 65_535 }] : gaps
}

const intervalsOf = (elements: readonly Element[], index: number): Interval[] =>
  elements.flatMap((element) => {
    const value = element.values[index]
    return value === undefined || isInterfaceName(value) ? [] : [value]
  })

const elementsOf = <E extends Element>(
  table: Table,
  among: { readonly kind: 'inline'; readonly elements: readonly E[] } | { readonly kind: 'named'; readonly name: string },
): readonly (E | Table['sets'][number]['elements'][number])[] =>
  among.kind === 'inline' ? among.elements : (table.sets.find((set) => set.name === among.name)?.elements ?? [])

function describeTarget({ addresses, ports }: NatAddress): string {
  const address = addresses && (addresses.first.value === addresses.last.value ? addressText(addresses.first) : `${addressText(addresses.first)}-${addressText(addresses.last)}`)
  return `${address ?? 'this host'}${ports ? `:${formatPortRange(ports)}` : ''}`
}

const addressText = (address: Address): string => (address.family === 4 ? formatAddress(address) : `[${formatAddress(address)}]`)
