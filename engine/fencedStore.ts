import type { Lease } from './rolloutStore.ts'
import type { RolloutWorld } from './rolloutWorld.ts'
import type { Store } from './store.ts'

/** Somebody else has the rollout; whoever gets this stops at once. */
export class LostLease extends Error {
  constructor(lease: Lease) {
    super(`rollout ${lease.rollout}: the lease of epoch ${lease.epoch} is lost`)
    this.name = 'LostLease'
  }
}

/** The store of a controller that may write its journal, and with it act, only as long as it holds the lease. */
export function fencedStore({ store, rollouts }: RolloutWorld, lease: Lease): Store {
  const isHeld = sharedQuestion(() => rollouts.holds(lease))
  return {
    addObservations: (observations) => store.addObservations(observations),
    observations: (filter) => store.observations(filter),
    usage: (hosts, span) => store.usage(hosts, span),
    saveFacts: (snapshot) => store.saveFacts(snapshot),
    latestFacts: (host) => store.latestFacts(host),
    savePolicy: (policy) => store.savePolicy(policy),
    policy: (digest) => store.policy(digest),
    savePlan: (plan) => store.savePlan(plan),
    plan: (id) => store.plan(id),
    plans: (limit) => store.plans(limit),
    addGeneration: (generation) => store.addGeneration(generation),
    generations: (host, limit) => store.generations(host, limit),
    latestGenerations: () => store.latestGenerations(),
    appendJournal: async (entry) => {
      if (!(await isHeld())) throw new LostLease(lease)
      return store.appendJournal(entry)
    },
    journal: (filter) => store.journal(filter),
    close: () => store.close(),
  }
}

/** The same question for all who ask while one is under way: it is put anew after that, so that no answer is older than its question. */
function sharedQuestion(put: () => Promise<boolean>): () => Promise<boolean> {
  let running: Promise<unknown> = Promise.resolve()
  let next: Promise<boolean> | undefined
  return () => {
    next ??= running.then(() => {
      next = undefined
      const answer = put()
      running = answer.catch(() => undefined)
      return answer
    })
    return next
  }
}
