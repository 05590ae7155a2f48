import { parseAddress, type Address } from '@portcullis/core/net/address.ts'
import { parsePrefix, type Prefix } from '@portcullis/core/net/prefix.ts'
import { singlePort } from '@portcullis/core/net/port.ts'
import type { Host, Need, Policy } from '@portcullis/core/policy/policy.ts'
import type { ProbeOutcome } from '@portcullis/engine/ports.ts'
import type { JournalEntry } from '@portcullis/engine/store.ts'
import type { World } from '@portcullis/engine/world.ts'
import { simClock, type SimClock } from './clock.ts'
import { sha256, simHost, type SimHost } from './host.ts'
import { simHosts, type SimHosts } from './hosts.ts'
import { simRandom } from './random.ts'
import { SIM_FACTS, SIM_RULES } from './rules.ts'
import { simStore } from './store.ts'

/** A world to run the engine in: every port is a fake, and the fakes can be struck with mishaps. */
export interface SimWorld extends World {
  readonly clock: SimClock
  readonly hosts: SimHosts
  readonly sims: readonly SimHost[]
  readonly reported: JournalEntry[]
  /** What a probe of `address port` finds; silence where nothing is set. */
  readonly reachable: Map<string, () => ProbeOutcome>
}

export function simWorld(names: readonly string[], changes: Partial<World> = {}): SimWorld {
  const clock = simClock()
  const sims = names.map((name) => simHost(name, clock))
  const reported: JournalEntry[] = []
  const reachable = new Map<string, () => ProbeOutcome>()
  return {
    random: simRandom(1),
    store: simStore(),
    probe: {
      connect: async ({ address, port }) => reachable.get(`${address} ${port}`)?.() ?? { kind: 'silent', durationMs: 1500 },
      sourceTowards: async () => '10.0.0.9',
    },
    rules: SIM_RULES,
    facts: SIM_FACTS,
    digest: sha256,
    report: (entry) => void reported.push(entry),
    ...changes,
    clock,
    hosts: simHosts(sims),
    sims,
    reported,
    reachable,
  }
}

/** A fleet of netns hosts 10.0.1.1, 10.0.1.2, … managed from 10.0.0.0/24, each serving https to 10.0.0.0/8. */
export function simPolicy(names: readonly string[], changes: Partial<Policy> = {}): Policy {
  return {
    hosts: names.map(policyHost),
    zones: [],
    services: [],
    needs: [simNeed('web', names, 443, '10.0.0.0/8')],
    defaults: {
      mode: 'enforce',
      refusal: 'drop',
      ping: true,
      managementFrom: [prefix('10.0.0.0/24')],
      managementPorts: [singlePort(22)],
    },
    ...changes,
  }
}

export const simNeed = (id: string, hosts: readonly string[], port: number, from: string): Need => ({
  id,
  hosts,
  service: { name: id, title: id, ports: [{ protocol: 'tcp', ports: singlePort(port) }] },
  from: [prefix(from)],
  fromText: [from],
  owner: 'ops',
  because: 'tests',
  review: '2027-01-01',
  critical: false,
})

const policyHost = (name: string, index: number): Host => ({
  name,
  addresses: [address(`10.0.1.${index + 1}`)],
  labels: {},
  tier: 'standard',
  transport: { kind: 'netns', namespace: name },
})

export function address(text: string): Address {
  const parsed = parseAddress(text)
  if (!parsed.ok) throw new RangeError(text)
  return parsed.value
}

export function prefix(text: string): Prefix {
  const parsed = parsePrefix(text)
  if (!parsed.ok) throw new RangeError(text)
  return parsed.value
}
