import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openStore } from '@portcullis/adapters/postgres/openStore.ts'
import { PLAIN_CALENDAR } from '@portcullis/core/inventory/businessCalendar.ts'
import type { Observation } from '@portcullis/core/inventory/observation.ts'
import { recordedUsageOf } from '@portcullis/core/inventory/usageDays.ts'
import { singlePort } from '@portcullis/core/net/port.ts'
import type { Host, Policy } from '@portcullis/core/policy/policy.ts'
import { recommend } from '@portcullis/engine/recommend.ts'
import type { Store } from '@portcullis/engine/store.ts'
import { USAGE_SCENARIOS } from '@portcullis/sim/usageScenario.ts'
import { playSeed, scoreOf, WATCHED_DAYS } from '@portcullis/sim/usageScore.ts'
import { atHour, diceOf, observationsOf, type SimUse } from '@portcullis/sim/usageWorld.ts'

export const title = 'Recommend for 10,000 hosts of 90 days of daily readings out of the store (at most 60 s), and how often it is right: recommend [HOSTS] [SEEDS] [FIRST SEED]'

const FIRST = 20_700
const NOW = (FIRST + WATCHED_DAYS + 1) * 86_400_000

export async function run([hostsText = '10000', seedsText = '400', firstSeedText = '0']: readonly string[]): Promise<void> {
  printScore(Number(seedsText), Number(firstSeedText))
  // The time that the first tenth takes, ten times over, is what the whole would take if it grew in step.
  const counts = [Number(hostsText) / 10, Number(hostsText)].map(Math.round).filter((count) => count > 0)
  for (const count of counts) console.log(`${count} hosts, from memory: ${await measure(inMemory(), count)}`)
  await measureStore(counts)
}

function printScore(seeds: number, first: number): void {
  const outcomes = Array.from({ length: seeds }, (_, index) => playSeed(first + index)).flat()
  const groups = [...USAGE_SCENARIOS.map(({ name }) => [name, outcomes.filter(({ scenario }) => scenario === name)] as const), ['all', outcomes] as const]
  console.log(`${seeds} seeds from ${first} on, ${WATCHED_DAYS} days\n${'scenario'.padEnd(34)} endpoints  right  needed, closed  needed, a client left out  dead, kept  asked`)
  for (const [name, of] of groups) {
    const { endpoints, wronglyClosed, narrow, deadKept, asked } = scoreOf(of)
    const right = endpoints - wronglyClosed.length - narrow.length - deadKept.length - asked.length
    console.log(`${name.padEnd(34)} ${String(endpoints).padStart(9)}  ${String(right).padStart(5)}  ${String(wronglyClosed.length).padStart(14)}  ${String(narrow.length).padStart(25)}  ${String(deadKept.length).padStart(10)}  ${String(asked.length).padStart(5)} (${((asked.length / endpoints) * 100).toFixed(1)} %)`)
  }
}

type UsageSource = Pick<Store, 'usage'> & { readonly spentMs: () => number }

/** The fold alone: observations are made as they are asked for, and their making is not counted. */
function inMemory(): UsageSource {
  let makingMs = 0
  return {
    spentMs: () => makingMs,
    usage: async function* (hosts, span) {
      for (const host of hosts) {
        const started = performance.now()
        const made = await Promise.resolve(observationsOfHost(host))
        makingMs += performance.now() - started
        yield recordedUsageOf(host, made, span)
      }
    },
  }
}

async function measure(store: UsageSource, count: number): Promise<string> {
  const hosts = Array.from({ length: count }, (_, index): Host => ({ name: `host-${index}`, addresses: [{ family: 4, value: BigInt(index + 1) }], labels: { role: `role-${index % 40}` }, tier: 'standard', transport: { kind: 'local' } }))
  const policy: Policy = { hosts, zones: [], services: [], needs: [], defaults: { mode: 'observe', refusal: 'drop', ping: true, managementFrom: [], managementPorts: [singlePort(22)] } }
  const started = performance.now()
  const { recommendations, needs, watches } = await recommend(store, policy, hosts, { now: NOW, since: 0, calendar: PLAIN_CALENDAR, unseenShare: 0.5, profiles: [], reviewDays: 180 })
  const totalMs = performance.now() - started - store.spentMs()
  if (watches.some(({ days }) => days < WATCHED_DAYS - 1)) throw new Error('a host was not watched')
  return `${recommendations.length} endpoints, ${needs.length} needs in ${(totalMs / 1000).toFixed(1)} s, ${(process.resourceUsage().maxRSS / 1024).toFixed(0)} MiB resident at most`
}

/** The embedded store, filled as `observe` fills it: a reading of a host at a time. */
async function measureStore(counts: readonly number[]): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'portcullis-recommend-'))
  try {
    const opened = await openStore({ kind: 'folder', folder })
    if (!opened.ok) throw new Error(opened.faults[0]?.what.en)
    const store = opened.value
    let filled = 0
    for (const count of counts) {
      const started = performance.now()
      const observations = await fill(store, filled, count)
      console.log(`${count - filled} hosts filled in: ${observations} observations in ${((performance.now() - started) / 1000).toFixed(0)} s`)
      filled = count
      // The second run is that of every day: the first one may wait for the disk.
      for (const round of ['first', 'again']) console.log(`${count} hosts, out of the embedded store, ${round}: ${await measure({ usage: (hosts, span) => store.usage(hosts, span), spentMs: () => 0 }, count)}`)
    }
    await store.close()
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** Readings that fill a store one by one would be synced to the disk 900,000 times; a few hosts share a transaction. */
const HOSTS_A_TRANSACTION = 20

async function fill(store: Store, from: number, to: number): Promise<number> {
  let count = 0
  for (let first = from; first < to; first += HOSTS_A_TRANSACTION) {
    const made = Array.from({ length: Math.min(HOSTS_A_TRANSACTION, to - first) }, (_, index) => observationsOfHost(`host-${first + index}`)).flat()
    count += made.length
    await store.addObservations(made)
  }
  return count
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
