import { ANY_IPV4, type Prefix } from '@portcullis/core/net/prefix.ts'
import type { Grant, Intent } from '@portcullis/core/policy/intent.ts'
import { expect, test } from 'vitest'
import { NFT_RULES } from './nftRules.ts'

const OFFICE: Prefix = { family: 4, value: 0x0a00_0000n, length: 8 }
const grant = (port: number, from: Prefix): Grant => ({ protocol: 'tcp', ports: { first: port, last: port }, from, needs: ['web'] })
const INTENT: Intent = { host: 'web-1', generation: 1, mode: 'enforce', refusal: 'drop', ping: true, management: [grant(22, OFFICE)], grants: [grant(443, ANY_IPV4)] }
const TEXT = NFT_RULES.render(INTENT)

test.each<[what: string, changes: Partial<Intent>, kind: string]>([
  ['the same', {}, 'equal'],
  ['another generation of the same', { generation: 9 }, 'equal'],
  ['a port less', { grants: [] }, 'counterexample'],
  ['a port more', { grants: [...INTENT.grants, grant(80, OFFICE)] }, 'counterexample'],
  ['a wider source', { management: [grant(22, ANY_IPV4)] }, 'counterexample'],
  ['no ping', { ping: false }, 'counterexample'],
  ['observed only', { mode: 'observe' }, 'counterexample'],
])('the rendered text against the intent, %s', (_, changes, kind) => {
  expect(NFT_RULES.compare({ ...INTENT, ...changes }, TEXT).kind).toBe(kind)
})

test('a text that cannot be read is undecided, one without our table a counterexample', () => {
  expect(NFT_RULES.compare(INTENT, 'table inet portcullis {').kind).toBe('undecided')
  expect(NFT_RULES.compare(INTENT, 'table inet other { }').kind).toBe('counterexample')
})

test.each<[what: string, element: string, kind: string]>([
  ['a lease that ends is no drift', '10.0.0.9 . tcp . 8080 timeout 600s expires 500s', 'equal'],
  ['one without an end is', '10.0.0.9 . tcp . 8080', 'counterexample'],
])('%s', (_, element, kind) => {
  const announced = 'add element inet portcullis lease_ports { tcp . 8080 timeout 600s expires 500s }'
  const leased = `${TEXT}\n${announced}\nadd element inet portcullis lease4 { ${element} }\n`
  expect(NFT_RULES.compare(INTENT, leased).kind).toBe(kind)
})

test('a counterexample says a packet, what was meant and what is enforced, and all that differs', () => {
  expect(NFT_RULES.compare({ ...INTENT, grants: [] }, TEXT)).toMatchObject({
    kind: 'counterexample',
    packet: 'tcp 198.51.100.7:40000 -> 192.0.2.1:443 iif eth0 ct new',
    because: 'meant drop, enforced accept',
    differences: [{ change: 'opens', protocols: ['tcp'], ports: ['443'], sources: { prefixes: ['0.0.0.0/0'] }, replay: 'agrees' }],
    more: 0,
  })
})
