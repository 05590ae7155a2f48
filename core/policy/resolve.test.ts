import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseAddress, type Address } from '../net/address.ts'
import { containsPort } from '../net/port.ts'
import { aggregatePrefixes, ANY_IPV4, ANY_IPV6, containsAddress, parsePrefix, type Prefix } from '../net/prefix.ts'
import type { TransportProtocol } from '../net/protocol.ts'
import { CATALOGUE } from './catalogue.ts'
import { describeExplanation, explain, type Question } from './explain.ts'
import type { Intent } from './intent.ts'
import { findOverlaps } from './overlap.ts'
import type { Host, Need, Policy } from './policy.ts'
import { compareGrants, formatGrant, groupHosts, resolve, resolveAll } from './resolve.ts'
import { makeService } from './service.ts'

const prefix = (text: string): Prefix => {
  const read = parsePrefix(text)
  if (!read.ok) throw new Error(text)
  return read.value
}
const address = (text: string): Address => {
  const read = parseAddress(text)
  if (!read.ok) throw new Error(text)
  return read.value
}

const HOSTS = ['db-1', 'db-2', 'web-1', 'web-2', 'pacs-1']
const SOURCES = ['10.0.0.0/8', '10.1.0.0/16', '10.2.0.0/16', '10.1.2.3', '0.0.0.0/0', '::/0', '2001:db8::/32', '2001:db8::7']
const ADDRESSES = ['10.1.2.3', '10.2.9.9', '10.99.0.1', '198.51.100.1', '2001:db8::7', '2001:db8::8', '2001:db9::1', '10.0.9.5']
const SERVICES = ['ssh', 'https', 'http3', 'dns', 'nodeport', 'dicom', 'postgresql', 'rtp'].flatMap((name) => CATALOGUE.get(name) ?? [])

const anyNeed = fc
  .record({
    hosts: fc.uniqueArray(fc.constantFrom(...HOSTS), { minLength: 1 }),
    service: fc.constantFrom(...SERVICES),
    from: fc.uniqueArray(fc.constantFrom(...SOURCES), { minLength: 1, maxLength: 4 }),
  })
  .map(({ hosts, service, from }) => ({ hosts: hosts.toSorted(), service, from: aggregatePrefixes(from.map(prefix)), fromText: from }))

const anyPolicy: fc.Arbitrary<Policy> = fc.array(anyNeed, { maxLength: 8 }).map((needs) => policyOf(needs.map((need, index) => ({ ...need, id: `need-${index}` }))))

type Essentials = Pick<Need, 'id' | 'hosts' | 'service' | 'from' | 'fromText'>

function policyOf(needs: readonly Essentials[]): Policy {
  const hosts = HOSTS.map((name, index): Host => ({ name, addresses: [address(`192.0.2.${index + 1}`)], labels: {}, tier: 'standard', transport: { kind: 'netns', namespace: name } }))
  const rest = { owner: 'team', because: 'it is used', review: '2027-03-01', critical: false }
  return {
    hosts,
    zones: [],
    services: [],
    needs: needs.map((need) => ({ ...need, ...rest })),
    defaults: { mode: 'enforce', refusal: 'drop', ping: true, managementFrom: [prefix('10.0.9.0/24')], managementPorts: [{ first: 22, last: 22 }] },
  }
}

const need = (id: string, hosts: readonly string[], service: string, from: readonly string[]): Essentials => ({
  id,
  hosts,
  service: CATALOGUE.get(service) ?? makeService(service, service, []),
  from: aggregatePrefixes(from.flatMap((text) => (text === 'any' ? [ANY_IPV4, ANY_IPV6] : [prefix(text)]))),
  fromText: from,
})

const intentOf = (policy: Policy, host: string): Intent => {
  const intent = resolve(policy, host, 7)
  if (!intent.ok) throw new Error(intent.faults.map((fault) => fault.code).join())
  return intent.value
}

const question: fc.Arbitrary<Question> = fc.record({
  host: fc.constantFrom(...HOSTS),
  protocol: fc.constantFrom<TransportProtocol>('tcp', 'udp', 'sctp'),
  port: fc.constantFrom(1, 22, 53, 80, 104, 443, 5432, 16384, 30000, 31000, 32767, 32768),
  source: fc.constantFrom(...ADDRESSES.map(address)),
})

const accepts = (intent: Intent, { protocol, port, source }: Question): boolean =>
  [...intent.grants, ...intent.management].some((grant) => grant.protocol === protocol && containsPort(grant.ports, port) && containsAddress(grant.from, source))

describe('a resolved intent', () => {
  test('states what the needs of the host open, sorted, each once', () => {
    const policy = policyOf([
      need('b', ['web-1'], 'https', ['10.1.0.0/16']),
      need('a', ['db-1', 'web-1'], 'https', ['10.1.0.0/16', '2001:db8::/32']),
      need('c', ['db-1'], 'dns', ['any']),
    ])
    expect(intentOf(policy, 'web-1').grants.map((grant) => `${formatGrant(grant)} for ${grant.needs.join('+')}`)).toEqual([
      'tcp 443 from 10.1.0.0/16 for a+b',
      'tcp 443 from 2001:db8::/32 for a',
    ])
    expect(intentOf(policy, 'db-1').grants.map(formatGrant)).toEqual([
      'tcp 53 from 0.0.0.0/0',
      'tcp 53 from ::/0',
      'tcp 443 from 10.1.0.0/16',
      'tcp 443 from 2001:db8::/32',
      'udp 53 from 0.0.0.0/0',
      'udp 53 from ::/0',
    ])
    expect(intentOf(policy, 'pacs-1')).toMatchObject({ host: 'pacs-1', generation: 7, mode: 'enforce', grants: [], management: [{ protocol: 'tcp', needs: [] }] })
  })

  test('is refused for a host that is not in the fleet, and without a way back', () => {
    const policy = policyOf([])
    const unknown = resolve(policy, 'db-3', 1)
    expect(unknown.ok ? [] : unknown.faults).toMatchObject([{ code: 'POLICY_UNKNOWN_HOST', next: { en: 'did you mean "db-1"?' } }])
    const lockedOut = { ...policy, defaults: { ...policy.defaults, managementFrom: [] } }
    for (const result of [resolve(lockedOut, 'db-1', 1), resolveAll(lockedOut, () => 1)]) {
      expect(result.ok ? [] : result.faults).toMatchObject([{ code: 'POLICY_NO_MANAGEMENT' }])
    }
  })

  test('does not depend on the order of needs', () => {
    fc.assert(
      fc.property(anyPolicy, fc.nat(), (policy, seed) => {
        const at = seed % (policy.needs.length || 1)
        const reordered = { ...policy, needs: [...policy.needs.slice(at), ...policy.needs.slice(0, at)].toReversed() }
        for (const host of HOSTS) expect(intentOf(reordered, host)).toEqual(intentOf(policy, host))
      }),
    )
  })

  test('grants nothing that no need of the host asks for, and all that one does', () => {
    fc.assert(
      fc.property(anyPolicy, (policy) => {
        for (const host of HOSTS) {
          const { grants } = intentOf(policy, host)
          const wanted = policy.needs.filter((item) => item.hosts.includes(host)).flatMap((item) => item.service.ports.flatMap((port) => item.from.map((from) => ({ ...port, from, id: item.id }))))
          const given = grants.flatMap((grant) => grant.needs.map((id) => ({ protocol: grant.protocol, ports: grant.ports, from: grant.from, id })))
          expect(new Set(given.map(show))).toEqual(new Set(wanted.map(show)))
          expect(grants.toSorted(compareGrants)).toEqual(grants)
          for (const [index, grant] of grants.entries()) {
            const next = grants[index + 1]
            expect(next && compareGrants(grant, next)).not.toBe(0)
            expect(grant.needs).toEqual([...new Set(grant.needs)].toSorted())
          }
        }
      }),
    )
  })

  test('is the same one by one and all at once', () => {
    fc.assert(
      fc.property(anyPolicy, (policy) => {
        const all = resolveAll(policy, () => 7)
        expect(all.ok && Object.fromEntries(all.value)).toEqual(Object.fromEntries(HOSTS.map((host) => [host, intentOf(policy, host)])))
      }),
    )
  })
})

const show = (item: object): string => JSON.stringify(item, (_, value: unknown) => (typeof value === 'bigint' ? value.toString() : value))

test('the time of a warning holds for needs that are gone, though no need that is left speaks of flows', () => {
  const policy = policyOf([])
  const resolved = resolve({ ...policy, defaults: { ...policy.defaults, warnSeconds: 3 } }, 'web-1', 1)
  expect(resolved.ok && resolved.value.endings).toEqual({ otherwise: 'drain', needs: {}, warnSeconds: 3 })
})

test('hosts are grouped by the needs that select them', () => {
  fc.assert(
    fc.property(anyPolicy, (policy) => {
      const groups = groupHosts(policy)
      expect(groups.flatMap((group) => group.hosts).toSorted()).toEqual(HOSTS.toSorted())
      for (const group of groups) {
        for (const host of group.hosts) {
          expect(new Set(group.needs)).toEqual(new Set(policy.needs.filter((item) => item.hosts.includes(host))))
        }
      }
      expect(new Set(groups.map((group) => group.needs.map((item) => item.id).toSorted().join())).size).toBe(groups.length)
    }),
  )
})

describe('an explanation', () => {
  test('agrees with the intent', () => {
    fc.assert(
      fc.property(anyPolicy, question, (policy, asked) => {
        expect(explain(policy, asked).kind === 'allowed').toBe(accepts(intentOf(policy, asked.host), asked))
      }),
      { numRuns: 500 },
    )
  })

  test('names exactly the needs of the grants that let the connection in', () => {
    fc.assert(
      fc.property(anyPolicy, question, (policy, asked) => {
        const explanation = explain(policy, asked)
        const { grants } = intentOf(policy, asked.host)
        const letIn = grants.filter((grant) => grant.protocol === asked.protocol && containsPort(grant.ports, asked.port) && containsAddress(grant.from, asked.source))
        const named = explanation.kind === 'allowed' ? explanation.needs.map((item) => item.id) : []
        expect(new Set(named)).toEqual(new Set(letIn.flatMap((grant) => grant.needs)))
      }),
      { numRuns: 500 },
    )
  })

  const policy = policyOf([need('clinic-db', ['db-1'], 'postgresql', ['10.1.0.0/16']), need('names', ['web-1'], 'ntp', ['any'])])
  const sentence = (host: string, written: string, source: string): string => {
    const [port = '', protocol = ''] = written.split('/')
    const asked = { host, protocol: protocol as TransportProtocol, port: Number(port), source: address(source) }
    return describeExplanation(explain(policy, asked), asked).en
  }

  test.each([
    ['db-1', '5432/tcp', '10.1.2.3', '10.1.2.3 may reach db-1:5432/tcp: need clinic-db'],
    ['db-1', '22/tcp', '10.0.9.5', '10.0.9.5 may reach db-1:22/tcp: the management path'],
    ['db-1', '5432/tcp', '10.2.9.9', '10.2.9.9 may not reach db-1:5432/tcp: need clinic-db opens the port only to 10.1.0.0/16'],
    ['db-2', '5432/tcp', '10.1.2.3', '10.1.2.3 may not reach db-2:5432/tcp: need clinic-db is about other hosts'],
    ['web-1', '123/tcp', '10.1.2.3', '10.1.2.3 may not reach web-1:123/tcp: need names opens the number only as 123/udp'],
    ['db-1', '23/tcp', '10.1.2.3', '10.1.2.3 may not reach db-1:23/tcp: no need mentions this port'],
    ['db-9', '22/tcp', '10.1.2.3', 'db-9 is not in the fleet'],
  ])('%s %s from %s', (host, written, source, expected) => {
    expect(sentence(host, written, source)).toBe(expected)
  })

  test('says in observe mode that the connection is let through all the same', () => {
    const observed = { ...policy, defaults: { ...policy.defaults, mode: 'observe' as const } }
    const asked = { host: 'db-1', protocol: 'tcp' as const, port: 23, source: address('10.1.2.3') }
    expect(describeExplanation(explain(observed, asked), asked).en).toContain('observe mode: counted, still let through')
  })
})

describe('overlaps', () => {
  const found = (...needs: readonly Essentials[]): string[] => findOverlaps(policyOf(needs), 99).map(({ need, other, kind, host }) => `${need.id} ${kind} ${other.id} on ${host}`)

  test.each([
    ['the same twice', [need('a', ['db-1'], 'ssh', ['any']), need('b', ['db-1'], 'ssh', ['any'])], ['b duplicate a on db-1']],
    ['narrower source', [need('a', ['db-1'], 'ssh', ['10.0.0.0/8']), need('b', ['db-1'], 'ssh', ['10.1.0.0/16'])], ['b covered a on db-1']],
    ['wider later', [need('a', ['db-1'], 'ssh', ['10.1.0.0/16']), need('b', ['db-1', 'db-2'], 'ssh', ['any'])], ['a covered b on db-1']],
    ['narrower ports', [need('a', ['db-1'], 'http3', ['any']), need('b', ['db-1'], 'https', ['any'])], ['b covered a on db-1']],
    ['hosts in part', [need('a', ['db-1', 'db-2'], 'ssh', ['any']), need('b', ['db-2', 'web-1'], 'ssh', ['any'])], ['b partial a on db-2']],
    ['another name, the same port', [need('a', ['db-1'], 'ssh', ['any']), need('b', ['db-1'], 'sftp', ['any'])], ['b duplicate a on db-1']],
    ['other hosts', [need('a', ['db-1'], 'ssh', ['any']), need('b', ['db-2'], 'ssh', ['any'])], []],
    ['other sources', [need('a', ['db-1'], 'ssh', ['10.1.0.0/16']), need('b', ['db-1'], 'ssh', ['10.2.0.0/16'])], []],
    ['ports in part, of one protocol', [need('a', ['db-1'], 'nodeport', ['any']), need('b', ['db-1'], 'rtp', ['any'])], ['b partial a on db-1']],
  ])('%s', (_, needs, expected) => {
    expect(found(...needs)).toEqual(expected)
  })

  test('a pair is told exactly if some connection is open by both', () => {
    fc.assert(
      fc.property(anyPolicy, (policy) => {
        const told = new Set(findOverlaps(policy, 1_000).map(({ need, other }) => [need.id, other.id].toSorted().join()))
        for (const a of policy.needs) {
          for (const b of policy.needs) {
            if (a.id >= b.id) continue
            const ports = a.service.ports.some((x) => b.service.ports.some((y) => x.protocol === y.protocol && x.ports.first <= y.ports.last && y.ports.first <= x.ports.last))
            const sources = a.from.some((x) => b.from.some((y) => x.family === y.family && (containsAddress(x, y) || containsAddress(y, x))))
            expect(told.has(`${a.id},${b.id}`)).toBe(ports && sources && a.hosts.some((host) => b.hosts.includes(host)))
          }
        }
      }),
    )
  })

  test('stop at the limit', () => {
    const same = Array.from({ length: 20 }, (_, index) => need(`n${index}`, ['db-1'], 'ssh', ['any']))
    expect(findOverlaps(policyOf(same), 5)).toHaveLength(5)
  })
})
