import type { Approval } from '@portcullis/core/plan/approval.ts'
import { next } from '@portcullis/core/rollout/next.ts'
import type { Rollout, RolloutState } from '@portcullis/core/rollout/rollout.ts'
import { readRollout } from '@portcullis/core/rollout/rolloutState.ts'
import type { Clock } from '@portcullis/engine/ports.ts'
import type { AskedCommand, Lease, NewRolloutRecord, RolloutEntry, RolloutEvent, RolloutRecord, RolloutStore, StoredSample } from '@portcullis/engine/rolloutStore.ts'

const ID_START_MIN = 6

interface Kept {
  readonly made: NewRolloutRecord
  state: RolloutState
  snapshotAt: number
  readonly events: RolloutEvent[]
  readonly asked: AskedCommand[]
  takenUpTo: number
  readonly samples: Map<string, StoredSample[]>
  isOver: boolean
  epoch: number
  holder?: string
  heldUntilMs: number
}

/** The RolloutStore port in memory. Leases run on the store's own clock, as those of a database do. */
export function simRolloutStore(clock: Pick<Clock, 'now'>): RolloutStore {
  const all: Kept[] = []
  const approvals: Approval[] = []
  const find = (id: string): Kept | undefined => {
    const found = id.length < ID_START_MIN ? [] : all.filter(({ made }) => made.id.startsWith(id))
    return found.length === 1 ? found[0] : undefined
  }
  const isHeld = (kept: Pick<Kept, 'holder' | 'heldUntilMs'>): boolean => kept.holder !== undefined && clock.now() < kept.heldUntilMs
  const holding = ({ rollout, epoch }: Lease): Kept | undefined => {
    const kept = find(rollout)
    return kept && kept.epoch === epoch && isHeld(kept) ? kept : undefined
  }
  const recordOf = ({ made: { id, created, by, plan }, ...kept }: Kept): RolloutRecord => ({
    id, created, by, plan, state: kept.state, sequence: kept.snapshotAt, isOver: kept.isOver, ...(isHeld(kept) && kept.holder !== undefined ? { holder: kept.holder } : {}),
  })
  return {
    create: async (made) => {
      if (all.some((kept) => !kept.isOver)) return false
      all.push({ made, state: made.state, snapshotAt: 0, events: [], asked: [], takenUpTo: 0, samples: new Map(), isOver: false, epoch: 0, heldUntilMs: 0 })
      return true
    },
    rollout: async (id) => {
      const kept = find(id)
      return kept && recordOf(kept)
    },
    wayBack: async (id) => find(id)?.made.wayBack,
    active: async () => all.filter((kept) => !kept.isOver).map(recordOf)[0],
    rollouts: async (limit) => all.toReversed().slice(0, limit).map(recordOf),
    events: async (id, since) => find(id)?.events.slice(since) ?? [],
    claim: async (id, holder, durationMs) => {
      const kept = find(id)
      if (!kept || (isHeld(kept) && kept.heldUntilMs <= clock.now() + durationMs)) return undefined
      Object.assign(kept, { holder, epoch: kept.epoch + 1, heldUntilMs: clock.now() + durationMs })
      return { rollout: kept.made.id, holder, epoch: kept.epoch }
    },
    renew: async (lease, durationMs) => {
      const kept = holding(lease)
      if (kept) kept.heldUntilMs = clock.now() + durationMs
      return kept !== undefined
    },
    release: async (lease) => {
      const kept = holding(lease)
      if (kept) kept.heldUntilMs = 0
    },
    holds: async (lease) => holding(lease) !== undefined,
    append: async (lease, entry) => {
      const kept = holding(lease)
      return kept !== undefined && kept.events.length === entry.since && write(kept, entry)
    },
    ask: async (id, asked) => {
      const kept = find(id)
      kept?.asked.push({ ...asked, sequence: kept.asked.length + 1 })
    },
    asked: async (id) => find(id)?.asked.filter((one) => one.sequence > (find(id)?.takenUpTo ?? 0)) ?? [],
    approve: async (approval) => void approvals.push(approval),
    approvals: async (plan) => approvals.filter((approval) => approval.plan === plan),
    addSamples: async (id, samples) => {
      const kept = find(id)
      for (const sample of samples) {
        const ofGate = kept?.samples.get(sample.gate) ?? []
        ofGate.push(sample)
        kept?.samples.set(sample.gate, ofGate)
      }
    },
    samples: async (id, gate, limit) => newest(find(id)?.samples.get(gate) ?? [], limit),
  }
}

/** Forgets what nobody will ask for: a later question is for more, because more hosts are changed by then, but not for that many more. */
function newest(samples: StoredSample[], limit: number): readonly StoredSample[] {
  if (samples.length > 4 * limit) samples.splice(0, samples.length - 2 * limit)
  return samples.slice(-limit)
}

function write(kept: Kept, { events, snapshot, isOver, takenUpTo }: RolloutEntry): boolean {
  kept.events.push(...events.map((event, index) => ({ ...event, sequence: kept.events.length + index + 1 })))
  if (snapshot) Object.assign(kept, { state: snapshot, snapshotAt: kept.events.length })
  if (takenUpTo !== undefined) kept.takenUpTo = Math.max(kept.takenUpTo, takenUpTo)
  kept.isOver = isOver
  return true
}

/** What the signals alone make of a rollout, whatever snapshots say. */
export const replay = (made: NewRolloutRecord, events: readonly RolloutEvent[], rules?: Parameters<typeof next>[2]): Rollout =>
  events.reduce((state, event) => (event.kind === 'signal' ? next(state, event.signal, rules).state : state), readRollout(made.state))
