import { beginRollout } from '@portcullis/core/rollout/next.ts'
import { ROLLOUT_DEFAULTS, type RolloutState } from '@portcullis/core/rollout/rollout.ts'
import { describe, expect, test } from 'vitest'
import { paintFor } from '../paint.ts'
import { widthOf } from '../table.ts'
import { newsLines, showRollout } from './rollout.ts'

const NAMES = ['web-1', 'web-2', 'db-1']
const BEGUN = beginRollout(
  {
    id: '88b57ba1-3333-4444-8555-666677778888',
    plan: 'c080216a00145f'.padEnd(64, '0'),
    options: { ...ROLLOUT_DEFAULTS, bakeSecondsMin: 300 },
    gates: [
      { name: 'liveness', measure: { kind: 'liveness' }, isCritical: true, samplesMin: 3 },
      { name: 'denied', measure: { kind: 'denied' }, isCritical: false, samplesMin: 3 },
    ],
    waves: [{ name: 'canary', kind: 'canary', hosts: ['web-1'] }, { name: 'standard-1', kind: 'standard', hosts: ['web-2'] }, { name: 'core-1', kind: 'core', hosts: ['db-1'] }],
    hosts: NAMES.map((name) => ({ name, tier: 'standard', app: name, zone: 'z' })),
  },
  0,
)
const verdict = { kind: 'hold', because: [{ en: '9 of 35 good samples', zh: '合格样本 9/35' }], last: { en: '0/9 failed', zh: '失败 0/9' }, limit: { en: 'one source that was served before and is denied', zh: '任一原先放行的来源被拒绝' } } as const
const BAKING: RolloutState = {
  ...BEGUN,
  phase: 'baking',
  watchedMs: 60_000,
  phaseSince: 0,
  hosts: { ...BEGUN.hosts, 'web-1': { phase: 'changed', wave: 0, app: 'web-1', attempt: 1, since: 0, failures: 0, isContested: false } },
  measured: { liveness: { verdict: { ...verdict, kind: 'pass' }, at: 60_000, interruptedMs: 0 }, denied: { verdict, at: 60_000, interruptedMs: 0, interruptedSince: 56_000 } },
}
const pen = (language: 'en' | 'zh') => ({ language, paint: paintFor(false) })

describe('a rollout on a terminal', () => {
  test('that is wide', () => {
    expect(showRollout(pen('en'), BAKING, 65_000, 120).split('\n')).toEqual([
      'Rollout 88b57ba1-333 · plan c080216a0014 · bakes canary · 1:05',
      '',
      '  ▸ canary      1/1  ✓',
      '    standard-1  0/1  ·',
      '    core-1      0/1  ·',
      '',
      '  ✓  liveness *  0/9 failed                    trips: one source that was served before and is denied',
      '  …  denied      0/9 failed  interrupted 0:04  trips: one source that was served before and is denied',
      '',
      '… bakes 240 s more',
      '… denied: interrupted',
      'at least 14:00 to go, 2 waves after this one',
      '',
    ])
  })

  test('that is narrow: what would trip stands below', () => {
    expect(showRollout(pen('zh'), BAKING, 65_000, 60).split('\n')).toEqual([
      '发布 88b57ba1-333 · 计划 c080216a0014',
      '观察期 canary · 1:05',
      '',
      '  ▸ canary      1/1  ✓',
      '    standard-1  0/1  ·',
      '    core-1      0/1  ·',
      '',
      '  ✓  liveness *  失败 0/9',
      '      触发：任一原先放行的来源被拒绝',
      '  …  denied      失败 0/9  已中断 0:04',
      '      触发：任一原先放行的来源被拒绝',
      '',
      '… 观察期还剩 240 秒',
      '… denied：已中断',
      '至少还需 14:00，其后还有 2 批',
      '',
    ])
  })

  test('before the first change: how long it measures yet, and what keeps it from beginning', () => {
    const failing = { ...BEGUN, watchedMs: 12_000, measured: { denied: { verdict, at: 1, interruptedMs: 0, interruptedSince: 1 } } }
    expect(showRollout(pen('en'), failing, 12_000, 120)).toMatch(/… measures 18 s more before the first change\n… nothing begins while a service fails by itself: denied\n/)
    expect(showRollout(pen('en'), { ...failing, watchedMs: 99_000 }, 99_000, 120)).not.toContain('measures')
  })

  test.each([40, 60, 80, 120])('of %i columns has a bar that fits, of however many hosts', (columns) => {
    const hosts = Array.from({ length: 200 }, (_, index) => `h${index}`)
    const state = { ...BEGUN, waves: [{ name: 'standard-1', kind: 'standard' as const, hosts }] }
    const bar = showRollout(pen('en'), state, 0, columns).split('\n').find((line) => line.includes('/200')) ?? ''
    expect(widthOf(bar)).toBeLessThan(columns)
  })
})

test.each([
  ['while it bakes', BAKING, ['bakes · canary · 1/3 hosts']],
  ['while it is paused', { ...BAKING, isPaused: true }, ['bakes · canary · 1/3 hosts · paused']],
  ['when core hosts wait', { ...BAKING, phase: 'approval', wave: 2 }, ['waits for approval of core hosts · core-1 · 1/3 hosts', 'portcullis rollout promote --core']],
  ['when it has tripped', { ...BAKING, phase: 'reverting', trip: { at: 1, cause: 'gate', scope: 'all', because: [{ en: 'denied: web-1 denies', zh: '' }] } }, ['✗ denied: web-1 denies', 'puts back · canary · 1/3 hosts']],
] as const)('what is told where there is no terminal, %s', (_, state, lines) => {
  expect(newsLines(pen('en'), state)).toEqual(lines)
})
