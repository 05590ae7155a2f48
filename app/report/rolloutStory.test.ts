import { describe, expect, test } from 'vitest'
import type { DemoRollouts } from '../demo/rollouts.ts'
import { rolloutStory } from './rolloutStory.ts'

const WELL: DemoRollouts = {
  forgotten: 'sftp-files-1',
  first: { id: 'a', outcome: 'reverted', canary: ['files-1', 'logs-1'], because: [{ en: 'denied: files-1', zh: 'denied：files-1' }], tripSeconds: 2.1, putBackSeconds: 3.4, hostsPutBack: 2, interruptedSeconds: 6.2, seconds: 9 },
  alert: { receiver: 'operations', title: { en: 'Rollout tripped', zh: '发布触发回退' }, isSigned: true, times: 1, seconds: 0.8 },
  second: { id: 'b', outcome: 'completed', waves: [{ name: 'canary', kind: 'canary', hosts: ['files-1', 'logs-1'] }, { name: 'core-1', kind: 'core', hosts: ['db-1'] }], coreApprovedBy: 'ann@desk', hostsChanged: 3, seconds: 21 },
  asPromised: true,
}

describe('the second act', () => {
  test('as it is told when all goes well', () => {
    const { parts } = rolloutStory(WELL)
    expect(parts.every(({ isGood }) => isGood)).toBe(true)
    expect(parts.map(({ mark, text, note }) => [mark, text.en, ...note.map(({ en }) => en)])).toEqual([
      ['✗', 'files-1 logs-1, the canary, trips 2.1 s after its change began: the policy lacks sftp-files-1', 'denied: files-1'],
      ['↶', '2 of 2 changed hosts put back by itself in 3.4 s; no other host was touched', 'the batch could not be delivered for 6.2 s, then it could again'],
      ['✉', 'operations is told once, 0.8 s later, by a webhook whose signature is right', 'Rollout tripped'],
      ['✓', 'the policy put right: 3 hosts in 2 waves, 21 s, core hosts last', 'canary files-1 logs-1 → core-1 db-1, approved by ann@desk'],
    ])
  })

  const { first, alert, second } = WELL
  test.each([
    ['no trip', { ...WELL, first: { ...first, outcome: 'completed', because: [] } }, 0],
    ['a host left with the new rules', { ...WELL, first: { ...first, hostsPutBack: 1 } }, 1],
    ['an alert that came twice', { ...WELL, alert: { ...alert, times: 2 } }, 2],
    ['an alert without a signature', { ...WELL, alert: { ...alert, isSigned: false } }, 2],
    ['a second rollout that was put back too', { ...WELL, second: { ...second, outcome: 'reverted' } }, 3],
  ] as const)('%s is said', (_, rollouts, part) => {
    expect(rolloutStory(rollouts as DemoRollouts).parts.map(({ isGood }) => isGood)).toEqual([0, 1, 2, 3].map((index) => index !== part))
  })
})
