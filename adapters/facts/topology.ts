import { succeed, type Result } from '@portcullis/core/fault/fault.ts'
import { parseAddress, type Address, type Family } from '@portcullis/core/net/address.ts'
import { parsePrefix, type Prefix } from '@portcullis/core/net/prefix.ts'
import type { HostFacts, Interface, Route } from '@portcullis/core/ruleset/hostfacts.ts'
import { z } from 'zod'
import { readJson } from './json.ts'
import { printable } from './printable.ts'
import type { Section, Sections } from './section.ts'

/** Interfaces, addresses and routes from `ip -j`. `sysctls` by their path below /proc/sys. Faults: FACTS_SECTION. */
export function readTopology(sections: Sections, sysctls: ReadonlyMap<string, string>, source: string): Result<HostFacts> {
  const links = read(sections, 'addr', source, LINKS)
  if (!links.ok) return links
  const routes: Route[] = []
  const unmodelled: string[] = []
  for (const family of [4, 6] as const) {
    const lines = read(sections, `route${family}`, source, ROUTES)
    if (!lines.ok) return lines
    for (const line of lines.value) routes.push(...routesOf(line, family, unmodelled))
    const rules = read(sections, `rule${family}`, source, RULES)
    if (!rules.ok) return rules
    unmodelled.push(...rules.value.filter((rule) => !isStock(rule)).map((rule) => printable(`ip rule ${rule.priority}: from ${rule.src} lookup ${rule.table ?? 'another action'}`)))
  }
  for (const link of links.value) if (link.xdp !== undefined) unmodelled.push(printable(`an XDP program on ${link.ifname}`))
  const isOn = (name: string): boolean => sysctls.get(name) === '1'
  return succeed({
    interfaces: links.value.flatMap((link) => interfaceOf(link)),
    routes,
    isForwarding: { 4: isOn('net/ipv4/ip_forward'), 6: isOn('net/ipv6/conf/all/forwarding') },
    unmodelled: [...new Set(unmodelled)],
  })
}

export const addressesOf = (facts: HostFacts): Address[] => facts.interfaces.flatMap((link) => link.addresses.map(({ address }) => address))

/** A section that the host could not make is empty here; which ones is told apart from this. */
const read = <T>(sections: Sections, name: string, source: string, shape: z.ZodType<T[]>): Result<T[]> => {
  const section: Section | undefined = sections.get(name)
  return section === undefined || section.text.trim() === '' ? succeed([]) : readJson(section, source, shape)
}

const LIST_MAX = 1_000_000

const LINKS = z
  .array(
    z.object({
      ifindex: z.int().optional(),
      ifname: z.string().max(64).optional(),
      link_type: z.string().max(64).optional(),
      xdp: z.unknown().optional(),
      addr_info: z.array(z.object({ local: z.string().max(64).optional(), prefixlen: z.int().min(0).max(128).optional() })).max(LIST_MAX).optional(),
    }),
  )
  .max(LIST_MAX)

type Link = z.infer<typeof LINKS>[number]

const ROUTE_TYPES = ['unicast', 'local', 'broadcast', 'multicast', 'anycast', 'blackhole', 'unreachable', 'prohibit', 'throw'] as const

const ROUTES = z
  .array(
    z.object({
      type: z.string().max(32).optional(),
      dst: z.string().max(64),
      dev: z.string().max(64).optional(),
      metric: z.int().min(0).optional(),
      table: z.union([z.string().max(64), z.int()]).optional(),
      nexthops: z.array(z.object({ dev: z.string().max(64).optional() })).max(1024).optional(),
    }),
  )
  .max(LIST_MAX)

const RULES = z
  .array(z.object({ priority: z.int().optional(), src: z.string().max(64).optional(), table: z.union([z.string().max(64), z.int()]).optional() }).loose())
  .max(LIST_MAX)

/** linux/if_arp.h, as ip(8) names them; others it prints as `[NUMBER]`. */
const LINK_TYPES: Readonly<Record<string, number>> = {
  ether: 1, infiniband: 32, ppp: 512, ipip: 768, tunnel6: 769, loopback: 772, sit: 776, gre: 778, gre6: 823, none: 65_534, void: 65_535,
}

function interfaceOf(link: Link): Interface[] {
  // An interface that vanished while ip(8) listed it has neither.
  if (link.ifindex === undefined || link.ifname === undefined) return []
  const type = LINK_TYPES[link.link_type ?? 'void'] ?? Number(/^\[([0-9]{1,5})\]$/.exec(link.link_type ?? '')?.[1] ?? 65_535)
  const addresses = (link.addr_info ?? []).flatMap(({ local, prefixlen }) => {
    const address = parseAddress(local ?? '')
    return address.ok && prefixlen !== undefined ? [{ address: address.value, prefixLength: prefixlen }] : []
  })
  return [{ index: link.ifindex, name: printable(link.ifname), type, addresses }]
}

function routesOf(line: z.infer<typeof ROUTES>[number], family: Family, unmodelled: string[]): Route[] {
  const destination = destinationOf(line.dst, family)
  const type = ROUTE_TYPES.find((each) => each === (line.type ?? 'unicast'))
  const table = (['local', 'main', 'default'] as const).find((each) => each === String(line.table ?? 'main'))
  if (destination === undefined || type === undefined || table === undefined) {
    unmodelled.push(printable(table === undefined ? `routing table ${line.table}` : `route ${line.type ?? ''} ${line.dst}`))
    return []
  }
  const devices = line.nexthops ? line.nexthops.map((hop) => hop.dev) : [line.dev]
  return devices.map((oif) => ({ type, destination, ...(oif === undefined ? {} : { oif: printable(oif) }), metric: line.metric ?? 0, table }))
}

function destinationOf(text: string, family: Family): Prefix | undefined {
  if (text === 'default') return { family, value: 0n, length: 0 }
  const prefix = parsePrefix(text)
  return prefix.ok && prefix.value.family === family ? prefix.value : undefined
}

/** The three rules that every host has (ip-rule(8)). */
const STOCK = new Map([
  [0, 'local'],
  [32_766, 'main'],
  [32_767, 'default'],
])

const isStock = (rule: z.infer<typeof RULES>[number]): boolean =>
  rule.src === 'all' && STOCK.get(rule.priority ?? -1) === rule.table && Object.keys(rule).every((key) => ['priority', 'src', 'table', 'protocol'].includes(key))
