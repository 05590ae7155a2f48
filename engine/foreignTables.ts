import { foreignTables } from '@portcullis/core/ruleset/nft/ownTable.ts'
import { changedTables, tableDigests, type TableChange, type TableDigests } from '@portcullis/core/verify/tableDigest.ts'
import type { FactsSnapshot, JournalEntry, NewJournalEntry } from './store.ts'
import type { World } from './world.ts'

/**
 * What stands beside our table when a host confirms a generation is written into the journal with the read-back, so that later somebody
 * else's changes can be told by name.
 */

const PREFIX = 'table '

/** The journal's detail about a read-back: a digest of each table that is not ours. Empty where the host does not tell its rules. */
export function tablesDetail(world: World, snapshot: FactsSnapshot): NonNullable<NewJournalEntry['detail']> {
  const digests = digestsNow(world, snapshot)
  return Object.fromEntries(Object.entries(digests ?? {}).map(([table, digest]) => [PREFIX + table, digest]))
}

/** Tables that others have added, changed or removed since the host confirmed what it has; undefined where one of the two moments is not known. */
export async function changedSince(world: World, snapshot: FactsSnapshot, confirmed: { readonly plan: string; readonly generation: number }): Promise<readonly TableChange[] | undefined> {
  const entries = await world.store.journal({ host: snapshot.host, plan: confirmed.plan })
  const readBack = entries.findLast((entry) => entry.name === 'verify' && entry.kind === 'signal' && entry.generation === confirmed.generation && !entry.fault)
  const now = digestsNow(world, snapshot)
  return readBack?.detail && now ? changedTables(digestsOf(readBack.detail), now) : undefined
}

function digestsNow(world: World, snapshot: FactsSnapshot): TableDigests | undefined {
  const live = world.facts.readRuleset(snapshot)
  return live.ok ? tableDigests(foreignTables(live.value.ruleset), world.digest) : undefined
}

const digestsOf = (detail: NonNullable<JournalEntry['detail']>): TableDigests =>
  Object.fromEntries(Object.entries(detail).flatMap(([key, value]) => (key.startsWith(PREFIX) ? [[key.slice(PREFIX.length), String(value)]] : [])))
