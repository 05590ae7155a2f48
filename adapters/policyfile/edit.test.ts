import { describe, expect, test } from 'vitest'
import type { DraftNeed } from '@portcullis/core/policy/recommend/draftNeeds.ts'
import { addNeeds } from './edit.ts'
import { parsePolicyFile } from './parse.ts'

const NEED: DraftNeed = {
  service: 'feed-5133-tcp',
  ports: { protocol: 'tcp', ports: { first: 5133, last: 5133 } },
  selector: { kind: 'names', names: ['db-1'] },
  hosts: ['db-1'],
  from: ['10.9.2.0/30', '2001:db8::/64'],
  because: { en: 'observed: "mdgateway" # used', zh: '观测：mdgateway 有使用' },
  review: '2027-05-01',
  confidence: 95,
}

const HEAD = `# Our fleet.
version: 1

defaults:
    mode: observe     # for now
    management: { from: 192.0.2.10 }
zones:
  office: [10.1.0.0/16,
           10.2.0.0/16]   # both floors
fleet:
  hosts:
    web-1: {addresses: 192.0.2.31, labels: {role: web}}   # the shop
    db-1: {addresses:   [192.0.2.32]}
`
const OLD = (indent: string): string => `${indent}- service:  https
${indent}  to: {role: web}
${indent}  from: any
${indent}  owner: "web team"  # ask Li
${indent}  because: >-
${indent}    customers use
${indent}    the shop
${indent}  review: 2027-06-30
`

describe('all that was written stays as it was, line by line', () => {
  test.each<[string, string]>([
    ['no needs yet', HEAD],
    ['needs without indentation', `${HEAD}needs:\n${OLD('')}`],
    ['needs with much', `${HEAD}needs:\n${OLD('      ')}`],
    ['a comment below the last need', `${HEAD}needs:\n${OLD('  ')}  # the end\n`],
    ['services of its own', `${HEAD}services:\n  # ours\n  x: 1/tcp   # one\n\n# all that is open\nneeds:\n${OLD('  ')}`],
    ['services behind the needs', `${HEAD}needs:\n${OLD('  ')}services: \n   x: [1/tcp,\n       2/tcp]\n`],
    ['no line end at the end', `${HEAD}needs:\n${OLD('  ').trimEnd()}`],
    ['a comment right above the needs', `${HEAD}\n# all that is open\n# and by whom\nneeds:\n${OLD('  ')}`],
  ])('%s', (_, before) => {
    const edited = addNeeds(before, 'p.yaml', [NEED, { ...NEED, selector: { kind: 'labels', labels: { role: ['web'] } }, hosts: ['web-1'] }], 'en')
    const after = edited.ok ? edited.value : ''
    const kept = after.split('\n')
    let at = 0
    for (const line of before.trimEnd().split('\n')) {
      const found = kept.indexOf(line, at)
      expect([line, found >= 0]).toEqual([line, true])
      at = found + 1
    }
    const { policy } = parsePolicyFile(after, 'p.yaml', Date.UTC(2027, 0, 1))
    const [need] = policy.ok ? policy.value.needs.filter(({ hosts }) => hosts.includes('db-1')) : []
    expect(policy.ok ? [] : policy.faults).toEqual([])
    expect([need?.owner, need?.because, need?.from.length]).toEqual(['MISSING', NEED.because.en, 2])
  })
})

test.each<[string, string]>([
  ['an empty list of needs', `${HEAD}needs: []\n`],
  ['needs in one line', `${HEAD}needs: [{service: https, to: web-1, from: any, owner: a, because: b, review: 2027-06-30}]\n`],
])('%s is rendered anew, with its comments', (_, before) => {
  const edited = addNeeds(before, 'p.yaml', [NEED], 'zh')
  const after = edited.ok ? edited.value : ''
  expect(after).toContain('# both floors')
  expect(after).toContain('owner: 待定')
  expect(parsePolicyFile(after, 'p.yaml', 0).policy.ok).toBe(true)
})

test('a file that cannot be read is refused with its place', () => {
  const edited = addNeeds('version: 1\nneeds: [', 'p.yaml', [NEED], 'en')
  expect(edited.ok ? [] : edited.faults.map(({ code, place }) => `${place?.line} ${code}`)).toEqual(['2 YAML_SYNTAX'])
})
