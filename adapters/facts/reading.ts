import { succeed, type Result } from '@portcullis/core/fault/fault.ts'
import type { EvidenceObservation, Instant, Observation } from '@portcullis/core/inventory/observation.ts'
import type { PortRange } from '@portcullis/core/net/port.ts'
import type { HostFacts } from '@portcullis/core/ruleset/hostfacts.ts'
import { legacyRuleset, nftRuleset } from './hostRuleset.ts'
import { innerListeners, withHolder, type Holders } from './holders.ts'
import { readListeners } from './listeners.ts'
import { printable } from './printable.ts'
import { readPublished } from './published.ts'
import { rulesetTextsOf, type RulesetTexts } from './rulesetTexts.ts'
import { readSections, type Section, type Sections } from './section.ts'
import { addressesOf, readTopology } from './topology.ts'
import { readTrackedFlows } from './trackedFlows.ts'

/** All that a host answered to `facts`, read. What the host could not tell is in `failures` and absent elsewhere. */
export interface FactsReading extends RulesetTexts {
  readonly host: string
  readonly at: Instant
  readonly script?: { readonly version: string; readonly digest: string }
  readonly nftVersion?: string
  readonly confirmed?: HeldGeneration
  readonly staged?: HeldGeneration
  readonly live?: HeldGeneration
  readonly armedSeconds?: number
  /** The host's own clock when it answered. */
  readonly clock?: Instant
  /** Changes at every boot. */
  readonly bootId?: string
  readonly topology: HostFacts
  /** Word for word: `nft -j list ruleset`, and of each family iptables-nft-save and iptables-legacy-save where such tables are in use. */
  readonly nftJson?: string
  readonly iptablesNft?: string
  readonly ip6tablesNft?: string
  readonly iptablesLegacy?: string
  readonly ip6tablesLegacy?: string
  /** By path below /proc/sys: `net/ipv4/ip_forward`. */
  readonly sysctls: ReadonlyMap<string, string>
  readonly conntrack?: { readonly count: number; readonly countMax: number }
  /** Established connections by protocol, of the host's own sockets. */
  readonly established: ReadonlyMap<string, number>
  /** Container runtimes and other firewalls, with the path that shows them. */
  readonly runtimes: ReadonlyMap<string, string>
  readonly tools: readonly string[]
  readonly missingTools: readonly string[]
  readonly hasSystemd: boolean
  readonly osName?: string
  readonly observations: readonly Observation[]
  readonly failures: readonly SectionFailure[]
}

export interface HeldGeneration {
  readonly generation: number
  readonly digest: string
}

export interface SectionFailure {
  readonly section: string
  readonly because: string
}

/**
 * Reads the output of the verb `facts`, at most 64 MiB. A single line that is not understood is lost evidence, a
 * section of another shape a fault. `holders` says who stands behind the listeners, where the host was asked. Faults: FACTS_TOO_LARGE, FACTS_FRAME, FACTS_SECTION.
 */
export function readFacts(host: string, at: Instant, text: string, holders?: Holders): Result<FactsReading> {
  const source = `facts of ${host}`
  const framed = readSections(text, source)
  if (!framed.ok) return framed
  const sections = framed.value
  const sysctls = wordsOf(sections.get('sysctls'))
  const topology = readTopology(sections, sysctls, source)
  if (!topology.ok) return topology
  const flows = sections.get('flows')
  const texts = rulesetTextsOf(sections)
  const failures = failuresOf(sections)
  const observations = [
    ...listenersOf(host, at, sections, sysctls, holders),
    ...(holders ? innerListeners(host, at, holders) : []),
    ...publishedOf(host, at, texts, topology.value).map((seen) => (holders && seen.kind === 'published' ? withHolder(holders, seen) : seen)),
    ...(flows ? readTrackedFlows(host, at, flows) : []),
    ...failures.map((failure) => lossOf(host, at, failure)),
  ]
  return succeed({
    host,
    at,
    ...identityOf(sections),
    ...clockOf(sections.get('clock')),
    ...systemOf(sections.get('system')),
    topology: topology.value,
    ...texts,
    sysctls,
    ...conntrackOf(sysctls),
    established: new Map([...wordsOf(sections.get('established'))].map(([protocol, count]) => [protocol, Number(count)])),
    runtimes: wordsOf(sections.get('runtimes')),
    observations,
    failures,
  })
}

function listenersOf(host: string, at: Instant, sections: Sections, sysctls: ReadonlyMap<string, string>, holders: Holders | undefined): Observation[] {
  const listeners = sections.get('listeners')
  if (listeners === undefined) return []
  const sockets = sections.get('sockets')
  return readListeners({ host, at, listeners, ...(sockets ? { sockets } : {}), ephemeral: ephemeralPorts(sysctls), ...(holders ? { holders } : {}) })
}

/** Reserved ports inside the range are never chosen by the kernel (Documentation/networking/ip-sysctl.rst). */
function ephemeralPorts(sysctls: ReadonlyMap<string, string>): PortRange[] {
  const [first = Number.NaN, last = Number.NaN] = (sysctls.get('net/ipv4/ip_local_port_range') ?? '').split(/\s+/).map(Number)
  if (!(first <= last)) return []
  const reserved = (sysctls.get('net/ipv4/ip_local_reserved_ports') ?? '').split(',').flatMap((range) => {
    const [from = Number.NaN, to = from] = range.split('-').map(Number)
    return from <= to && range !== '' ? [{ first: from, last: to }] : []
  })
  let open = [{ first, last }]
  for (const hole of reserved) {
    open = open.flatMap((range) => [
      { first: range.first, last: Math.min(range.last, hole.first - 1) },
      { first: Math.max(range.first, hole.last + 1), last: range.last },
    ]).filter((range) => range.first <= range.last)
  }
  return open.filter((range, index) => open.findIndex((each) => each.first === range.first && each.last === range.last) === index)
}

/** nft and legacy tables stand side by side; each is told by its own name. A dialect that cannot be read is a loss, not a fault: the listeners still count. */
function publishedOf(host: string, at: Instant, texts: RulesetTexts, topology: HostFacts): Observation[] {
  const addresses = addressesOf(topology)
  const rulesets = [
    { sensor: 'nft', ruleset: nftRuleset(texts) },
    ...(['iptables-legacy', 'ip6tables-legacy'] as const).map((sensor) => ({ sensor, ruleset: legacyRuleset(texts, sensor) })),
  ]
  return rulesets.flatMap(({ sensor, ruleset }) => {
    if (ruleset === undefined) return []
    if (ruleset.ok) return readPublished({ host, at, sensor, ruleset: ruleset.value, addresses })
    return [lossOf(host, at, { section: sensor, because: ruleset.faults[0]?.what.en ?? '' })]
  })
}

function conntrackOf(sysctls: ReadonlyMap<string, string>): Pick<FactsReading, 'conntrack'> {
  const [count, countMax] = [sysctls.get('net/netfilter/nf_conntrack_count'), sysctls.get('net/netfilter/nf_conntrack_max')]
  return count === undefined || countMax === undefined ? {} : { conntrack: { count: Number(count), countMax: Number(countMax) } }
}

/** Lines `NAME EXIT-CODE REASON`. */
const failuresOf = (sections: Sections): SectionFailure[] =>
  linesOf(sections.get('failed')).map((line) => {
    const [section = '', exitCode = '', ...reason] = line.split(' ')
    return { section: printable(section), because: printable(`exit code ${exitCode}${reason.length > 0 ? `: ${reason.join(' ')}` : ''}`) }
  })

const lossOf = (host: string, at: Instant, failure: SectionFailure): EvidenceObservation => ({
  kind: 'evidence',
  host,
  sensor: 'facts',
  at,
  lost: 1,
  because: printable(`${failure.section} could not be read: ${failure.because}`),
})

function identityOf(sections: Sections): Partial<Pick<FactsReading, 'script' | 'nftVersion' | 'confirmed' | 'staged' | 'live' | 'armedSeconds'>> {
  const words = wordsOf(sections.get('version'))
  const version = words.get('portcullis-host')
  const armed = words.get('armed')
  const nft = words.get('nft')
  return {
    ...(version === undefined ? {} : { script: { version: printable(version), digest: printable(words.get('script') ?? '') } }),
    ...(nft === undefined || nft === '-' ? {} : { nftVersion: printable(nft) }),
    ...held('confirmed', words),
    ...held('staged', words),
    ...held('live', words),
    ...(armed !== undefined && /^[0-9]{1,6}$/.test(armed) ? { armedSeconds: Number(armed) } : {}),
  }
}

function held<K extends 'confirmed' | 'staged' | 'live'>(key: K, words: ReadonlyMap<string, string>): { readonly [Name in K]?: HeldGeneration } {
  const match = /^([0-9]{1,15}) ([0-9a-f]{64})$/.exec(words.get(key) ?? '')
  return match ? ({ [key]: { generation: Number(match[1]), digest: match[2] } } as { readonly [Name in K]?: HeldGeneration }) : {}
}

function clockOf(section: Section | undefined): Pick<FactsReading, 'clock' | 'bootId'> {
  const words = wordsOf(section)
  const now = words.get('now') ?? ''
  const bootId = words.get('boot')
  return {
    ...(/^[0-9]{1,12}(\.[0-9]{1,9})?$/.test(now) ? { clock: Math.round(Number(now) * 1000) } : {}),
    ...(bootId === undefined ? {} : { bootId: printable(bootId) }),
  }
}

function systemOf(section: Section | undefined): Pick<FactsReading, 'tools' | 'missingTools' | 'hasSystemd' | 'osName'> {
  const lines = linesOf(section)
  const named = (word: string): string[] => lines.filter((line) => line.startsWith(`${word} `)).map((line) => printable(line.slice(word.length + 1)))
  const osName = named('os').find((line) => line.startsWith('PRETTY_NAME='))
  return {
    tools: named('tool'),
    missingTools: named('missing'),
    hasSystemd: named('init').includes('systemd'),
    ...(osName === undefined ? {} : { osName: osName.slice('PRETTY_NAME='.length).replaceAll('"', '') }),
  }
}

/** Lines `KEY VALUE…`. */
const wordsOf = (section: Section | undefined): Map<string, string> =>
  new Map(
    linesOf(section).map((line) => {
      const space = line.indexOf(' ')
      return space < 0 ? [line, ''] : [line.slice(0, space), line.slice(space + 1).trim()]
    }),
  )

const linesOf = (section: Section | undefined): string[] => (section?.text ?? '').split('\n').filter((line) => line !== '')

