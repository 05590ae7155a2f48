import type { Gate } from '@portcullis/core/rollout/gate.ts'
import { HostTable } from '@portcullis/core/rollout/hostTable.ts'
import type { HostProgress, Rollout } from '@portcullis/core/rollout/rollout.ts'
import { expect, test } from 'vitest'
import { isPutOff } from './measureGates.ts'

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
