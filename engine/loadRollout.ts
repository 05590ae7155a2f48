import { next } from '@portcullis/core/rollout/next.ts'
import type { RolloutState } from '@portcullis/core/rollout/rollout.ts'
import { readRollout, writeRollout } from '@portcullis/core/rollout/rolloutState.ts'
import type { RolloutRecord } from './rolloutStore.ts'
import type { RolloutWorld } from './rolloutWorld.ts'

export interface LoadedRollout {
  readonly record: RolloutRecord
  readonly state: RolloutState
  readonly sequence: number
}

/** A rollout as it stands: its newest snapshot, and what the signals since have made of it. */
export async function loadRollout(world: Pick<RolloutWorld, 'rollouts' | 'pieces'>, id: string): Promise<LoadedRollout | undefined> {
  const record = await world.rollouts.rollout(id)
  if (!record) return undefined
  const events = await world.rollouts.events(record.id, record.sequence)
  let rollout = readRollout(record.state)
  for (const event of events) if (event.kind === 'signal') rollout = next(rollout, event.signal, world.pieces?.rules).state
  return { record, state: writeRollout(rollout), sequence: events.at(-1)?.sequence ?? record.sequence }
}
