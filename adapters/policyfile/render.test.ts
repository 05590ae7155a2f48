import fc from 'fast-check'
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { parseAddress } from '@portcullis/core/net/address.ts'
import { aggregatePrefixes, parsePrefix } from '@portcullis/core/net/prefix.ts'
import { CATALOGUE } from '@portcullis/core/policy/catalogue.ts'
import type { Host, Need, Policy, Selector, Transport } from '@portcullis/core/policy/policy.ts'
import { indexHosts, selectHosts } from '@portcullis/core/policy/selector.ts'
import { makeService } from '@portcullis/core/policy/service.ts'
import { fragmentOf, type PolicyFragment } from './fragment.ts'
import { parsePolicyFile } from './parse.ts'
import { renderPolicyFile } from './render.ts'

const clinic = readFileSync(new URL('testdata/clinic.yaml', import.meta.url), 'utf8')

const render = (fragment: PolicyFragment, existing?: string): string => {
  const text = renderPolicyFile(fragment, existing)
  if (!text.ok) throw new Error('not rendered')
  return text.value
}
const read = (text: string): Policy => {
  const { policy } = parsePolicyFile(text, 'x.yaml', 0)
  if (!policy.ok) throw new Error(`${policy.faults.map((fault) => fault.what.en).join('\n')}\n${text}`)
  return policy.value
}

describe('a rendered policy', { timeout: 30_000 }, () => {
  test('reads back as the same', () => {
    const policy = read(clinic)
    expect(read(render(fragmentOf(policy)))).toEqual(policy)
  })

  const words = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }).filter((text) => /^ *[^\s\p{Cc}]\P{Cc}*$/u.test(text))
  const awkward = fc.oneof(words, fc.constantFrom('true', '1', '1.10', '~', '- a', 'a: b', '# c', "it's", '"q"', '[x]', '2027-03-01', '*a', '&a', '!t', '|', '%', ' padded ', 'a #b', 'a:', '中文：原因'))
  const anyTransport: fc.Arbitrary<Transport> = fc.oneof(
    fc.record({ kind: fc.constant('netns' as const), namespace: fc.constantFrom('a1', 'b2') }),
    fc.record(
      { kind: fc.constant('ssh' as const), destination: fc.constantFrom('web', '192.0.2.1', 'fd00::1'), port: fc.constantFrom(22, 2222), user: fc.constantFrom('root', 'ops'), identityFile: fc.constant('~/.ssh/id'), jump: fc.constant('b1,b2'), sudo: fc.boolean() },
      { requiredKeys: ['kind', 'destination', 'port', 'sudo'] },
    ),
  )
  const anySelector: fc.Arbitrary<Selector> = fc.oneof(
    fc.constant<Selector>({ kind: 'all' }),
    fc.uniqueArray(fc.constantFrom('h0', 'h1', 'h2'), { minLength: 1 }).map((names): Selector => ({ kind: 'names', names })),
    fc.constant<Selector>({ kind: 'labels', labels: { role: ['web'] } }),
  )
  const anyPolicy = fc.record({ labels: awkward.filter((text) => text.length < 60), because: awkward, owner: awkward, transports: fc.array(anyTransport, { minLength: 3, maxLength: 3 }), selectors: fc.array(anySelector, { maxLength: 4 }), critical: fc.boolean(), title: awkward }).map(build)

  test('reads back as the same, whatever its texts are', () => {
    fc.assert(
      fc.property(anyPolicy, (policy) => {
        expect(read(render(fragmentOf(policy)))).toEqual(policy)
      }),
      { numRuns: 100 },
    )
  })
})

interface Parts {
  readonly labels: string
  readonly because: string
  readonly owner: string
  readonly transports: readonly Transport[]
  readonly selectors: readonly Selector[]
  readonly critical: boolean
  readonly title: string
}

function build(parts: Parts): Policy {
  const prefixes = aggregatePrefixes(['10.0.0.0/8', 'fd00::/16', 'fd01:2::'].flatMap((text) => { const prefix = parsePrefix(text); return prefix.ok ? [prefix.value] : [] }))
  const hosts = parts.transports.map((transport, at): Host => ({
    name: `h${at}`,
    addresses: [`192.0.2.${at + 1}`, `2001:db8::${at + 1}`].flatMap((text) => { const address = parseAddress(text); return address.ok ? [address.value] : [] }),
    labels: { role: 'web', note: parts.labels },
    tier: at === 0 ? 'core' : 'standard',
    // Each host its own way in: two behind one are refused.
    transport: transport.kind === 'netns' ? { ...transport, namespace: `${transport.namespace}-${at}` } : transport.kind === 'ssh' ? { ...transport, destination: `${transport.destination}${at}` } : transport,
  }))
  const own = makeService('own', parts.title, [{ protocol: 'udp', ports: { first: 5133, last: 5140 } }])
  const ssh = CATALOGUE.get('ssh') ?? own
  const needs = parts.selectors.map((selector, at): Need => ({
    id: `need-${at}`,
    hosts: selectHosts(selector, indexHosts(hosts)),
    service: at % 2 ? own : ssh,
    selector,
    from: prefixes,
    fromText: ['zone-1'],
    owner: parts.owner,
    because: parts.because,
    review: '2027-03-01',
    critical: parts.critical,
    ...(at === 0 && { schedule: 'daily 01:00-02:00 UTC' }),
  }))
  return {
    hosts,
    zones: [{ name: 'zone-1', prefixes }],
    services: [own],
    needs,
    defaults: { mode: 'enforce', refusal: 'reject', ping: false, managementFrom: prefixes, managementPorts: [{ first: 22, last: 22 }, { first: 2222, last: 2230 }] },
  }
}

describe('with an existing file', () => {
  test('what it says already changes not one character', () => {
    expect(render({}, clinic)).toBe(clinic)
    expect(render({ zones: { wards: ['10.30.0.0/17'] }, fleet: { hosts: { 'db-1': { addresses: ['10.0.1.11', 'fd00:1::11'], labels: { role: 'db' } } } } }, clinic)).toBe(clinic)
  })

  test('a new host, a new zone, a new need and a changed one leave the rest and its comments', () => {
    const existing = `# Who may reach what.
version: 1
defaults: {management: {from: 10.9.0.0/24}} # from the jump hosts

zones:
  office: 10.20.0.0/16 # third floor

fleet:
  hosts:
    # The old one.
    web-1:
      addresses: 10.0.1.31 # behind the balancer
      labels: {role: web, site: east}

needs:
  # Asked for in 2025.
  - id: site
    service: https
    to: web-1
    from: any
    owner: web team
    because: customers # all of them
    review: 2026-12-31
`
    const text = render(
      {
        zones: { lab: '10.40.0.0/16' },
        fleet: { hosts: { 'web-1': { addresses: '10.0.1.32', labels: { web: true } }, 'web-2': { addresses: ['10.0.1.33'] } } },
        needs: [
          { id: 'site', service: 'https', to: 'web-1', from: 'any', owner: 'web team', because: 'customers', review: '2027-12-31' },
          { service: 'ssh', to: 'all', from: 'lab', owner: 'lab', because: 'tests', review: '2027-06-30' },
        ],
      },
      existing,
    )
    expect(text).toBe(
      existing
        .replace('  office: 10.20.0.0/16 # third floor\n', '  office: 10.20.0.0/16 # third floor\n  lab: 10.40.0.0/16\n')
        .replace('10.0.1.31', '10.0.1.32')
        .replace('site: east}\n', 'site: east, web: true}\n    web-2:\n      addresses: [10.0.1.33]\n')
        .replace('2026-12-31', '2027-12-31')
        .concat('\n  - service: ssh\n    to: all\n    from: lab\n    owner: lab\n    because: tests\n    review: 2027-06-30\n'),
    )
    expect(read(text).needs.map((need) => need.id)).toEqual(['site', 'ssh/all/lab'])
  })

  test('rendering the same again changes nothing', () => {
    const fragment: PolicyFragment = { needs: [{ service: 'ssh', to: 'all', from: 'office', owner: 'a', because: 'b', review: '2027-06-30' }] }
    const once = render(fragment, clinic)
    expect(render(fragment, once)).toBe(once)
  })

  test('that is no YAML, its faults come back', () => {
    const text = renderPolicyFile({}, 'a: [', 'mine.yaml')
    expect(text.ok ? [] : text.faults).toMatchObject([{ code: 'YAML_SYNTAX', place: { file: 'mine.yaml', line: 1 } }])
  })
})
