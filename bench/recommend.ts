import { PLAIN_CALENDAR } from '@portcullis/core/inventory/businessCalendar.ts'
import type { Observation } from '@portcullis/core/inventory/observation.ts'
import { singlePort } from '@portcullis/core/net/port.ts'
import type { Host, Policy } from '@portcullis/core/policy/policy.ts'
import { recommend } from '@portcullis/engine/recommend.ts'
import { USAGE_SCENARIOS } from '@portcullis/sim/usageScenario.ts'
import { playSeed, scoreOf, WATCHED_DAYS } from '@portcullis/sim/usageScore.ts'
import { atHour, diceOf, observationsOf, type SimUse } from '@portcullis/sim/usageWorld.ts'

export const title = 'Recommend for 10,000 hosts of 90 days of daily readings (at most 60 s), and how often it is right: recommend [HOSTS] [SEEDS]'

const FIRST = 20_700
const NOW = (FIRST + WATCHED_DAYS + 1) * 86_400_000

export async function run([hostsText = '10000', seedsText = '400']: readonly string[]): Promise<void> {
  printScore(Number(seedsText))
  // The time that the first tenth takes, ten times over, is what the whole would take if it grew in step.
  for (const hosts of [Number(hostsText) / 10, Number(hostsText)]) await measure(Math.round(hosts))
}

function printScore(seeds: number): void {
  const outcomes = Array.from({ length: seeds }, (_, seed) => playSeed(seed)).flat()
  const groups = [...USAGE_SCENARIOS.map(({ name }) => [name, outcomes.filter(({ scenario }) => scenario === name)] as const), ['all', outcomes] as const]
  console.log(`${seeds} seeds, ${WATCHED_DAYS} days\n${'scenario'.padEnd(34)} endpoints  needed, closed  needed, a client left out  dead, kept  asked`)
  for (const [name, of] of groups) {
    const { endpoints, wronglyClosed, narrow, deadKept, asked } = scoreOf(of)
    console.log(`${name.padEnd(34)} ${String(endpoints).padStart(9)}  ${String(wronglyClosed.length).padStart(14)}  ${String(narrow.length).padStart(25)}  ${String(deadKept.length).padStart(10)}  ${String(asked.length).padStart(5)} (${((asked.length / endpoints) * 100).toFixed(1)} %)`)
  }
}

async function measure(count: number): Promise<void> {
  let observations = 0
  let [makingMs, residentMax] = [0, 0]
  const store = {
    observations: async ({ host = '' }: { readonly host?: string }): Promise<readonly Observation[]> => {
      const started = performance.now()
      const made = observationsOfHost(host)
      observations += made.length
      makingMs += performance.now() - started
      residentMax = Math.max(residentMax, process.memoryUsage().rss)
      return Promise.resolve(made)
    },
  }
  const hosts = Array.from({ length: count }, (_, index): Host => ({ name: `host-${index}`, addresses: [{ family: 4, value: BigInt(index + 1) }], labels: { role: `role-${index % 40}` }, tier: 'standard', transport: { kind: 'local' } }))
  const policy: Policy = { hosts, zones: [], services: [], needs: [], defaults: { mode: 'observe', refusal: 'drop', ping: true, managementFrom: [], managementPorts: [singlePort(22)] } }
  const started = performance.now()
  const { recommendations, needs } = await recommend(store, policy, hosts, { now: NOW, since: 0, calendar: PLAIN_CALENDAR, unseenShare: 0.5, profiles: [], reviewDays: 180 })
  const totalMs = performance.now() - started
  residentMax = Math.max(residentMax, process.memoryUsage().rss)
  console.log(`${count} hosts: ${observations} observations, ${recommendations.length} endpoints, ${needs.length} needs in ${((totalMs - makingMs) / 1000).toFixed(1)} s (and ${(makingMs / 1000).toFixed(1)} s to make the observations), ${(residentMax / 2 ** 20).toFixed(0)} MiB resident`)
}

/** 10 endpoints a host, 8 of them used by 3 sources each. */
function observationsOfHost(host: string): Observation[] {
  const seed = Number(host.slice('host-'.length))
  const dice = diceOf(seed)
  const ports = Array.from({ length: 10 }, (_, index) => 1000 + (seed % 40) * 20 + index)
  const uses = ports.slice(0, 8).flatMap((port) =>
    [1, 2, 3].flatMap((client) =>
      Array.from({ length: WATCHED_DAYS }, (_, day): SimUse => ({ at: atHour(FIRST + day, 9 + dice()), source: `10.${seed % 40}.0.${client}`, protocol: 'tcp', port, connections: 5 })),
    ),
  )
  return observationsOf({ host, firstDay: FIRST, days: WATCHED_DAYS, readAtHour: 22, listeners: ports.map((port) => ({ protocol: 'tcp', port, process: `daemon-${port}` })), uses })
}
