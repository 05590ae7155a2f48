import { resolveAll } from '@portcullis/core/policy/resolve.ts'
import { DEMO_NEEDS } from '@portcullis/lab/demo/needs.ts'
import { DEMO_WORLD } from '@portcullis/lab/demo/world.ts'
import { expect, test } from 'vitest'
import { readPolicy } from '../policyDoor.ts'
import { policyText, serversOf } from './policy.ts'

const ssh = { identityFile: '/lab/id', knownHostsFile: '/lab/known' }
const now = Date.now()

test.each(['observe', 'enforce'] as const)('the policy of the demo is a sound policy file, in mode %s', (mode) => {
  const read = readPolicy(policyText({ world: DEMO_WORLD, ssh, needs: DEMO_NEEDS, mode, now }), 'portcullis.yaml')
  if (!read.ok) throw new Error(JSON.stringify(read.faults))
  expect(read.value.policy.defaults.mode).toBe(mode)
  expect(read.value.policy.hosts.map(({ name }) => name)).toEqual(serversOf(DEMO_WORLD).map(({ name }) => name))
  expect(read.value.policy.needs.map(({ id }) => id)).toEqual(DEMO_NEEDS.map(({ id }) => id))
  expect(resolveAll(read.value.policy, () => 1).ok).toBe(true)
})
