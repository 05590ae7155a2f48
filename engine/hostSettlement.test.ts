import type { ChangePlan } from '@portcullis/core/plan/plan.ts'
import { simPolicy, simWorld } from '@portcullis/sim/world.ts'
import { expect, test } from 'vitest'
import type { HostOutcome } from './confirmedApply.ts'
import { applyHost, type HostAnswer } from './hostSettlement.ts'
import { openJournal } from './journal.ts'
import type { RolloutWorld } from './rolloutWorld.ts'
import { WaysBack } from './waysBack.ts'

const [host] = simPolicy(['web-1']).hosts
if (!host) throw new Error('no host')

async function resultOf(kind: HostOutcome['kind'], codes: readonly string[]): Promise<HostAnswer<unknown>['result']> {
  const faults = codes.map((code) => ({ code, what: { en: code, zh: code } }))
  const world = { ...simWorld(['web-1']), pieces: { applyHost: async (): Promise<HostOutcome> => ({ host: 'web-1', kind, generation: 2, step: 'arm', faults }) } }
  // What it does not come to is not asked for.
  const waysBack = new WaysBack({ clock: world.clock, canceller: () => new AbortController() })
  const one = { host: host as NonNullable<typeof host>, plan: {} as ChangePlan, wayBack: {} as ChangePlan, confirmWithinSeconds: 60, waysBack, saveWayBack: async () => undefined, staged: new Set<string>() }
  return (await applyHost(world as unknown as RolloutWorld, openJournal(world), one, new AbortController().signal)).result
}

test.each<[what: string, kind: HostOutcome['kind'], codes: string[], result: string]>([
  ['a host that was away for a moment is tried again', 'refused', ['HOST_UNREACHABLE'], 'again'],
  ['so is one whose store was away', 'reverted', ['STORE_UNREACHABLE'], 'again'],
  ['or had no room', 'refused', ['STORE_REFUSED'], 'again'],
  ['rules that the host does not want will not be wanted later', 'refused', ['HOST_REFUSED'], 'kept'],
  ['one reason that stays is enough', 'refused', ['STORE_UNREACHABLE', 'HOST_FOREIGN'], 'kept'],
  ['what a host became while nobody heard is asked', 'unknown', ['HOST_LINK_LOST'], 'unsettled'],
])('%s', async (_, kind, codes, result) => {
  expect(await resultOf(kind, codes)).toBe(result)
})
