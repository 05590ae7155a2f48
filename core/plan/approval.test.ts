import { describe, expect, test } from 'vitest'
import { guardStart, START_RULES, withApprovals, type Approval, type StartRules } from './approval.ts'
import type { ChangePlan, HostPlan } from './plan.ts'

const HOUR = 3_600_000
const NOW = 1_000 * HOUR
const plan = { format: 1, id: 'a'.repeat(64), created: NOW, policy: 'p', cause: { kind: 'change' }, hosts: [{ host: 'web-1', evidence: { factsAt: NOW - HOUR, lost: 0, because: [] } } as unknown as HostPlan], unchanged: [], findings: [] } satisfies ChangePlan
const approved = (by: string, hoursAgo: number, of = plan.id): Approval => ({ plan: of, by, at: NOW - hoursAgo * HOUR })

describe('what forbids a rollout to begin', () => {
  const cases: readonly [what: string, rules: Partial<StartRules>, approvals: readonly Approval[], guards: readonly string[], running?: string][] = [
    ['nothing, where nothing is asked for', {}, [], []],
    ['four eyes, nobody', { approvalsMin: 2 }, [], ['APPROVAL_MISSING']],
    ['four eyes, one person twice', { approvalsMin: 2 }, [approved('ann', 1), approved('ann', 2)], ['APPROVAL_MISSING']],
    ['four eyes, two people', { approvalsMin: 2 }, [approved('ann', 1), approved('bob', 2)], []],
    ['four eyes, one of them yesterday', { approvalsMin: 2 }, [approved('ann', 1), approved('bob', 25)], ['APPROVAL_EXPIRED']],
    ['four eyes, renewed', { approvalsMin: 2 }, [approved('ann', 1), approved('bob', 25), approved('bob', 1)], []],
    ['an approval of another plan', { approvalsMin: 1 }, [approved('ann', 1, 'b'.repeat(64))], ['APPROVAL_MISSING']],
    ['an approval that is not yet', { approvalsMin: 1 }, [approved('ann', -1)], ['APPROVAL_MISSING']],
    ['facts that are too old', { factsMinutesMax: 59 }, [], ['FACTS_OLD']],
    ['facts that are just young enough', { factsMinutesMax: 60 }, [], []],
    ['another rollout is not over', {}, [], ['ROLLOUT_RUNNING'], 'r'.repeat(36)],
    ['a freeze', { freezes: [{ from: NOW, until: NOW + 1, because: 'year end' }] }, [], ['CHANGE_FREEZE']],
    ['a freeze that is over', { freezes: [{ from: NOW - 5, until: NOW, because: 'year end' }] }, [], []],
  ]
  test.each(cases)('%s', (_, rules, approvals, guards, running) => {
    const found = guardStart({ plan, approvals, rules: { ...START_RULES, ...rules }, now: NOW, ...(running === undefined ? {} : { running }) })
    expect(found.map(({ guard }) => guard)).toEqual(guards)
    for (const { level, until } of found) expect([level, until === undefined]).toEqual(['veto', false])
  })
})

test('what the policy asks for and what a file of gates asks for: the stricter counts', () => {
  expect([[0, undefined], [0, 2], [2, undefined], [2, 1], [1, 2]].map(([file = 0, policy]) => withApprovals({ ...START_RULES, approvalsMin: file }, policy).approvalsMin)).toEqual([0, 2, 2, 2, 2])
})
