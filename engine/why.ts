import { fail, succeed, type Fault, type Result } from '@portcullis/core/fault/fault.ts'
import type { Address, Family } from '@portcullis/core/net/address.ts'
import { PROTOCOL_NUMBERS } from '@portcullis/core/net/protocol.ts'
import { explain, type Explanation, type Question } from '@portcullis/core/policy/explain.ts'
import type { Host, Policy } from '@portcullis/core/policy/policy.ts'
import type { Packet } from '@portcullis/core/ruleset/packet.ts'
import { TCP_FLAGS } from '@portcullis/core/ruleset/ruleset.ts'
import { BudgetError } from '@portcullis/core/space/arena.ts'
import { judge, type Judgement } from '@portcullis/core/verify/judge.ts'
import { arrivalInterface } from '@portcullis/core/verify/linearRoute.ts'
import { reachOf, type Reach } from '@portcullis/core/verify/reach.ts'
import { observe, type FleetOptions } from './observe.ts'
import { servedAddresses } from './refusals.ts'
import type { LiveRuleset, World } from './world.ts'

/** Why a new connection gets in or not: by the policy, and by what the host enforces now. */
export interface WhyReport {
  readonly question: Question
  readonly explanation: Explanation
  /** The generation that the host has confirmed; 0 for none. */
  readonly generation: number
  /** The connection's first packet. */
  readonly packet: Packet
  readonly judgement: Judgement
  /** Whose connections get to the endpoint now, through all tables of the host; absent where it is larger than the budget. */
  readonly reach?: Reach
}

/** Reads the host, and takes the question through the policy and through all of its rules. Faults: the host's, FACTS_*, RULESET_*, WHY_NO_ADDRESS. */
export async function why(world: World, policy: Policy, host: Host, question: Question, options: FleetOptions): Promise<Result<WhyReport>> {
  const observed = await observe(world, [host], options)
  const [reading] = observed.readings
  if (!reading) return fail(...observed.unread.flatMap(({ faults }) => faults))
  const live = world.facts.readRuleset(reading.snapshot)
  if (!live.ok) return live
  const { ruleset, topology } = live.value
  const destination = servedAddresses(host, live.value).find((address) => address.family === question.source.family)
  if (!destination) return fail(noAddress(host.name, question.source.family))
  const packet = firstPacket(question, destination, live.value)
  const reach = reachNow(live.value, packet, question)
  return succeed({
    question,
    explanation: explain(policy, question),
    generation: reading.version.confirmed?.generation ?? 0,
    packet,
    judgement: judge(ruleset, packet, { way: 'arrival', facts: topology }),
    ...(reach ? { reach } : {}),
  })
}

/** RFC 6335 section 6: the first port of the range that clients take theirs from, roughly. */
const CLIENT_PORT = 40_000

function firstPacket({ protocol, port, source }: Question, destination: Address, { topology }: LiveRuleset): Packet {
  const iif = arrivalInterface(topology, source)
  return {
    source,
    destination,
    protocol: PROTOCOL_NUMBERS[protocol],
    sourcePort: CLIENT_PORT,
    destinationPort: port,
    ct: 'new',
    ...(protocol === 'tcp' ? { tcpFlags: TCP_FLAGS.syn } : {}),
    ...(iif === undefined ? {} : { iif }),
  }
}

function reachNow({ ruleset, topology }: LiveRuleset, { destination, protocol }: Packet, { port }: Question): Reach | undefined {
  try {
    return reachOf(ruleset, { address: destination, protocol, port }, 'arrival', topology)
  } catch (error) {
    if (error instanceof BudgetError) return undefined
    throw error
  }
}

const noAddress = (host: string, family: Family): Fault => ({
  code: 'WHY_NO_ADDRESS',
  what: { en: `${host} has no IPv${family} address that others could reach`, zh: `${host} 没有可供访问的 IPv${family} 地址` },
})
