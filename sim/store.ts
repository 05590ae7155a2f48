import type { Observation } from '@portcullis/core/inventory/observation.ts'
import { recordedUsageOf } from '@portcullis/core/inventory/usageDays.ts'
import type { ChangePlan } from '@portcullis/core/plan/plan.ts'
import type { ConfirmedGeneration, FactsSnapshot, JournalEntry, ObservationFilter, SeenPolicy, Store } from '@portcullis/engine/store.ts'

const PLAN_ID_START_MIN = 6

/** The Store port in memory. It ends with the process. */
export function simStore(): Store {
  const observations: Observation[] = []
  const facts: FactsSnapshot[] = []
  const policies = new Map<string, SeenPolicy>()
  const plans: ChangePlan[] = []
  const generations = new Map<string, ConfirmedGeneration[]>()
  const journal: JournalEntry[] = []
  const generationsOf = (host: string): ConfirmedGeneration[] =>
    (generations.get(host) ?? []).toSorted((a, b) => b.generation - a.generation)

  return {
    addObservations: async (added) => {
      const taken: Observation[] = []
      for await (const batch of Symbol.asyncIterator in added ? added : [added]) taken.push(...batch)
      observations.push(...taken)
    },
    observations: async (filter) => observations.filter((seen) => matches(seen, filter)).toSorted((a, b) => a.at - b.at),
    usage: async function* (hosts, span) {
      const byHost = Map.groupBy(observations, ({ host }) => host)
      for (const host of hosts) yield recordedUsageOf(host, (byHost.get(host) ?? []).toSorted((a, b) => a.at - b.at), span)
    },
    saveFacts: async (snapshot) => void facts.push(snapshot),
    latestFacts: async (host) => facts.filter((snapshot) => snapshot.host === host).toSorted((a, b) => a.at - b.at).at(-1),
    savePolicy: async (policy) => {
      if (!policies.has(policy.digest)) policies.set(policy.digest, policy)
    },
    policy: async (digest) => policies.get(digest),
    savePlan: async (plan) => {
      if (!plans.some((known) => known.id === plan.id)) plans.push(plan)
    },
    plan: async (id) => {
      const found = id.length < PLAN_ID_START_MIN ? [] : plans.filter((plan) => plan.id.startsWith(id))
      return found.length === 1 ? found[0] : undefined
    },
    plans: async (limit) => plans.toReversed().toSorted((a, b) => b.created - a.created).slice(0, limit),
    addGeneration: async (added) => {
      if ((generationsOf(added.host)[0]?.generation ?? 0) >= added.generation) return false
      generations.set(added.host, [...(generations.get(added.host) ?? []), added])
      return true
    },
    generations: async (host, limit) => generationsOf(host).slice(0, limit),
    latestGenerations: async () =>
      [...generations.keys()].toSorted().flatMap((host) => generationsOf(host).slice(0, 1)),
    appendJournal: async (entry) => {
      const durable = { ...entry, sequence: journal.length + 1 }
      journal.push(durable)
      return durable
    },
    journal: async ({ run, plan, host, limit }) => {
      const found = journal.filter(
        (entry) =>
          (run === undefined || entry.run === run) && (plan === undefined || entry.plan === plan) && (host === undefined || entry.host === host),
      )
      return limit === undefined ? found : found.slice(-limit)
    },
    close: async () => undefined,
  }
}

const matches = (seen: Observation, { host, kinds, sensors, since }: ObservationFilter): boolean =>
  (host === undefined || seen.host === host) &&
  (kinds === undefined || kinds.includes(seen.kind)) &&
  (sensors === undefined || sensors.includes(seen.sensor)) &&
  (since === undefined || seen.at >= since)
