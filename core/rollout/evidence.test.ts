import { expect, test } from 'vitest'
import { evidenceOf } from './evidence.ts'
import type { Gate, GateSample } from './gate.ts'
import { beginRollout } from './next.ts'
import { ROLLOUT_DEFAULTS, type Rollout } from './rollout.ts'
import { readRollout } from './rolloutState.ts'

const GATE: Gate = { name: 'shop', measure: { kind: 'tcp', port: 443 }, isCritical: false, samplesMin: 1 }
const FRESH = beginRollout({
  id: 'r', plan: 'p', options: ROLLOUT_DEFAULTS, gates: [GATE],
  waves: [{ name: 'canary', kind: 'canary', hosts: ['a'] }, { name: 'rest', kind: 'standard', hosts: ['b'] }],
  hosts: ['a', 'b'].map((name) => ({ name, tier: 'standard', app: 'x', zone: '' })),
}, 0)
/** Host a has the new rules since 100. */
const CHANGED: Rollout = readRollout({ ...FRESH, phase: 'baking', hosts: { ...FRESH.hosts, a: { phase: 'changed', since: 100, wave: 0, app: 'x', attempt: 1, failures: 0, isContested: false } } })

const sample = (host: string, at: number): GateSample => ({ host, at, isGood: true })

test.each<[what: string, sample: GateSample, side: 'changed' | 'baseline' | 'control' | undefined]>([
  ['a changed host, since', sample('a', 150), 'changed'],
  ['a changed host, before', sample('a', 99), 'baseline'],
  ['a host that is not changed yet', sample('b', 150), 'control'],
  ['this very moment', sample('a', 200), 'changed'],
  ['later than now: of a clock that has been set back, so that nobody knows on which side of the change', sample('a', 201), undefined],
])('%s', (_, taken, side) => {
  const { changed, baseline, control } = evidenceOf(CHANGED, GATE, [taken], 200)
  expect({ changed, baseline, control }).toEqual({ changed: [], baseline: [], control: [], ...(side === undefined ? {} : { [side]: [taken] }) })
})
