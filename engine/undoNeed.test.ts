import type { ChangePlan } from '@portcullis/core/plan/plan.ts'
import type { Need } from '@portcullis/core/policy/policy.ts'
import { simNeed, simPolicy, simWorld, type SimWorld } from '@portcullis/sim/world.ts'
import { expect, test } from 'vitest'
import { apply } from './apply.ts'
import { planChange, type PlanReport } from './planChange.ts'
import { planUndoNeed } from './rollback.ts'

const OPTIONS = { concurrency: 4, confirmWithinSeconds: 60 }
const need = (id: string, port: number, from = '10.0.0.0/8'): Need => simNeed(id, ['web'], port, from)

const cases: readonly [what: string, stories: readonly (readonly Need[])[], undo: [plan: number, need: string], grants: readonly string[]][] = [
  ['a need that was added goes, a later one stays', [[need('a', 1)], [need('a', 1), need('b', 2)], [need('a', 1), need('b', 2), need('c', 3)]], [1, 'b'], ['1 a', '3 c']],
  ['a need that was taken away comes back beside a later one', [[need('a', 1), need('b', 2)], [need('a', 1)], [need('a', 1), need('c', 3)]], [1, 'b'], ['1 a', '2 b', '3 c']],
  ['a port that another need has too stays open for it', [[need('a', 1)], [need('a', 1), need('b', 1)], [need('a', 1), need('b', 1), need('c', 3)]], [1, 'b'], ['1 a', '3 c']],
  ['a need of the first plan', [[need('a', 1), need('b', 2)], [need('a', 1), need('b', 2), need('c', 3)]], [0, 'a'], ['2 b', '3 c']],
]

test.each(cases)('%s', async (_, stories, [index, id], grants) => {
  const world = simWorld(['web'])
  const plans: ChangePlan[] = []
  for (const needs of stories) plans.push(await carriedOut(world, await planChange(world, simPolicy(['web'], { needs }), SEEN, simPolicy(['web']).hosts, OPTIONS)))
  const { hosts } = simPolicy(['web'])
  const undone = await carriedOut(world, await planUndoNeed(world, hosts, plans[index] as ChangePlan, id, OPTIONS))
  expect(undone.hosts[0]?.intent.grants.map(({ ports, needs }) => `${ports} ${needs.join('+')}`)).toEqual(grants)
  expect(world.sims[0]?.confirmed?.generation).toBe(stories.length + 1)
  const again = await planUndoNeed(world, hosts, plans[index] as ChangePlan, id, OPTIONS)
  expect(again.ok ? [] : again.faults.map(({ code }) => code)).toEqual(['UNDO_NOTHING'])
})

const SEEN = { digest: 'd'.repeat(64), file: 'portcullis.yaml', text: '', seenAt: 0 }

async function carriedOut(world: SimWorld, report: Awaited<ReturnType<typeof planChange>>): Promise<ChangePlan> {
  const { plan } = (report.ok ? report.value : { plan: undefined }) as PlanReport
  if (!plan) throw new Error(JSON.stringify(report))
  const applied = await apply(world, plan, simPolicy(['web']).hosts, OPTIONS)
  expect(applied.ok && applied.value.hosts.map(({ kind }) => kind)).toEqual(['confirmed'])
  world.clock.pass(1000)
  return plan
}
