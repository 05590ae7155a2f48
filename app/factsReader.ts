import { readCounters } from '@portcullis/adapters/facts/counters.ts'
import { readHolders } from '@portcullis/adapters/facts/holders.ts'
import { hostRuleset } from '@portcullis/adapters/facts/hostRuleset.ts'
import { readFacts, type FactsReading } from '@portcullis/adapters/facts/reading.ts'
import { succeed } from '@portcullis/core/fault/fault.ts'
import type { Address } from '@portcullis/core/net/address.ts'
import { lastOf, type Prefix } from '@portcullis/core/net/prefix.ts'
import { PROTOCOL_NUMBERS } from '@portcullis/core/net/protocol.ts'
import type { ForeignRefusal } from '@portcullis/core/plan/draft.ts'
import type { Grant, Intent } from '@portcullis/core/policy/intent.ts'
import { foreignTables } from '@portcullis/core/ruleset/nft/ownTable.ts'
import type { Packet } from '@portcullis/core/ruleset/packet.ts'
import { TCP_FLAGS, type Ruleset } from '@portcullis/core/ruleset/ruleset.ts'
import { evaluateLinear } from '@portcullis/core/verify/linear.ts'
import { tableName } from '@portcullis/core/verify/tableDigest.ts'
import type { FactsReader } from '@portcullis/engine/world.ts'

export const FACTS_READER: FactsReader = {
  readFacts: ({ host, at, text }, holders) => {
    const told = holders === undefined ? undefined : readHolders(host, holders)
    if (told && !told.ok) return told
    const reading = readFacts(host, at, text, told?.value)
    if (!reading.ok) return reading
    const { observations, clock } = reading.value
    return succeed({ observations, ...(clock === undefined ? {} : { clock }) })
  },
  readCounters,
  readRuleset: ({ host, at, text }) => {
    const reading = readFacts(host, at, text)
    if (!reading.ok) return reading
    const ruleset = hostRuleset(reading.value)
    return ruleset.ok ? succeed({ ruleset: ruleset.value, topology: reading.value.topology }) : ruleset
  },
  foreignRefusals: (intent, { host, at, text }) => {
    const reading = readFacts(host, at, text)
    return reading.ok ? refusalsOf(intent, reading.value) : []
  },
}

/** So that a host with thousands of grants and rules is planned within seconds. */
const GRANTS_TRIED_MAX = 200

/**
 * Grants whose first client is surely refused by what stands beside our table. One packet a grant: it finds the firewall
 * that knows nothing of a need, and says nothing where a rule cannot be decided.
 */
function refusalsOf(intent: Intent, reading: FactsReading): ForeignRefusal[] {
  const others = otherTables(reading)
  if (others.tables.every((table) => table.chains.length === 0)) return []
  return intent.grants.slice(0, GRANTS_TRIED_MAX).flatMap((grant) => {
    const packet = firstPacket(grant, reading)
    if (!packet) return []
    const { outcomes, trace } = evaluateLinear(others, packet, { facts: reading.topology, isTraced: true })
    if (outcomes.has('accept')) return []
    const table = trace.at(-1)?.table
    return [{ table: table ? tableName(table) : 'another table', protocol: grant.protocol, ports: grant.ports, needs: grant.needs }]
  })
}

/** Nothing is said of a host that does not tell its rules. */
function otherTables(reading: FactsReading): Ruleset {
  const whole = hostRuleset(reading)
  return whole.ok ? foreignTables(whole.value) : { tables: [], unmodelled: [] }
}

/** From the grant's first client to the host's own address of that family, by the interface that holds it. */
function firstPacket(grant: Grant, { topology }: FactsReading): Packet | undefined {
  const links = topology.interfaces.filter((link) => link.name !== 'lo')
  const link = links.find(({ addresses }) => addresses.some(({ address }) => address.family === grant.from.family))
  const destination = link?.addresses.find(({ address }) => address.family === grant.from.family)?.address
  if (!link || !destination) return undefined
  const tcp = grant.protocol === 'tcp' ? { tcpFlags: TCP_FLAGS.syn } : {}
  const ports = { sourcePort: 40_000, destinationPort: grant.ports.first }
  return { source: firstClient(grant.from), destination, protocol: PROTOCOL_NUMBERS[grant.protocol], iif: link.name, ct: 'new', ...ports, ...tcp }
}

/** The network's own address is nobody's, except where it is all there is; of `any`, one that documents use (RFC 5737, RFC 3849). */
function firstClient(prefix: Prefix): Address {
  const { family } = prefix
  if (prefix.length === 0) return { family, value: family === 4 ? 0xc6_33_64_07n : 0x2001_0db8_0000_0000_0000_0000_0000_0007n }
  return { family, value: lastOf(prefix) > prefix.value ? prefix.value + 1n : prefix.value }
}
