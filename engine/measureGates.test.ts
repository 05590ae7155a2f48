import type { Gate } from '@portcullis/core/rollout/gate.ts'
import { HostTable } from '@portcullis/core/rollout/hostTable.ts'
import { ROLLOUT_DEFAULTS, type HostProgress, type Rollout } from '@portcullis/core/rollout/rollout.ts'
import { expect, test } from 'vitest'
import { isPutOff, restMs } from './measureGates.ts'

const NOW = 100_000
const host = (phase: HostProgress['phase'], changes: Partial<HostProgress> = {}): HostProgress => ({ phase, wave: 0, app: 'web', attempt: 1, since: NOW - 1_000, failures: 0, isContested: false, ...changes })

test.each<[what: string, measure: Gate['measure'], host: HostProgress, isPutOff: boolean]>([
  ['logging in waits while a host is put back', { kind: 'liveness' }, host('reverting'), true],
  ['so does asking whom it denies', { kind: 'denied' }, host('reverting'), true],
  ['clients of a service are asked all the time', { kind: 'prometheus', query: 'up', server: 'http://localhost' } as unknown as Gate['measure'], host('reverting'), false],
  ['a host that is tried again later takes nothing now', { kind: 'liveness' }, host('reverting', { notBefore: NOW + 2_000 }), false],
  ['nor is one awaited that does not come back', { kind: 'liveness' }, host('reverting', { since: NOW - 31_000 }), false],
  ['applying is what is to be watched', { kind: 'liveness' }, host('applying'), false],
])('%s', (_, measure, one, expected) => {
  const state = { hosts: HostTable.of({ 'web-1': one }, []) } as unknown as Rollout
  expect(isPutOff(state, { name: 'gate', measure, isCritical: true, samplesMin: 1 }, NOW)).toBe(expected)
})

test.each<[what: string, measure: Gate['measure'], tookMs: number, outageSecondsMax: number, expected: number]>([
  ['logging in to hosts rests as long as it took', { kind: 'liveness' }, 4_000, 60, 4_000],
  ['so does asking whom they deny', { kind: 'denied' }, 4_000, 60, 4_000],
  ['but an outage may not last much longer by it', { kind: 'liveness' }, 40_000, 60, 15_000],
  ['the less, the less of it is allowed', { kind: 'liveness' }, 40_000, 10, 2_500],
  ['what asks no hosts keeps to the pause alone', { kind: 'prometheus', query: 'up', server: 'http://localhost' } as unknown as Gate['measure'], 4_000, 60, 0],
])('%s', (_, measure, tookMs, outageSecondsMax, expected) => {
  expect(restMs({ options: { ...ROLLOUT_DEFAULTS, outageSecondsMax } }, { name: 'gate', measure, isCritical: true, samplesMin: 1 }, tookMs)).toBe(expected)
})
