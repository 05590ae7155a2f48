import { createHash } from 'node:crypto'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseAddress, type Address } from '../net/address.ts'
import { parsePortRange } from '../net/port.ts'
import { aggregatePrefixes, parsePrefix, prefixOf, type Prefix } from '../net/prefix.ts'
import type { FlowObservation, ListenerObservation, Observation } from '../inventory/observation.ts'
import type { Grant, Intent } from '../policy/intent.ts'
import type { Host } from '../policy/policy.ts'
import { canonicalJson, type Json } from './canonicalJson.ts'
import { draftHost, isUnchanged, type LiveHost } from './draft.ts'
import { guardFleet, guardHost, GUARD_LIMITS, type Situation } from './guards.ts'
import { readIntent, writeIntent } from './intentText.ts'
import { isSealed, seal, type Comparison, type DraftPlan } from './seal.ts'
import { compareSources } from './sources.ts'

const NOW = 1_767_614_400_000

describe('what a plan does to an endpoint', () => {
  const cases: readonly [what: string, listeners: string, before: string | undefined, after: string, expected: string][] = [
    ['first enforcement closes what nobody needs', '0.0.0.0:23', undefined, '', 'closes tcp/23: 0.0.0.0/0 → nobody'],
    ['first enforcement narrows what some need', '0.0.0.0:443', undefined, 'tcp 443 10.0.0.0/8', 'narrows tcp/443: 0.0.0.0/0 → 10.0.0.0/8'],
    ['a dual-stack listener is open on both families', '[::]:443', undefined, 'tcp 443 10.0.0.0/8', 'narrows tcp/443: 0.0.0.0/0 ::/0 → 10.0.0.0/8'],
    ['an IPv6 listener does not hear IPv4', '[2001:db8::1]:443', undefined, 'tcp 443 10.0.0.0/8', 'closes tcp/443: ::/0 → nobody'],
    ['a need for everyone leaves it', '0.0.0.0:443', undefined, 'tcp 443 0.0.0.0/0', 'stays tcp/443: 0.0.0.0/0 → 0.0.0.0/0'],
    ['the management path stays', '0.0.0.0:22', '', '', 'stays tcp/22: 10.9.0.0/24 → 10.9.0.0/24'],
    ['opens for a new need', '0.0.0.0:443', '', 'tcp 443 10.0.0.0/8', 'opens tcp/443: nobody → 10.0.0.0/8'],
    ['widens', '0.0.0.0:443', 'tcp 443 10.1.0.0/16', 'tcp 443 10.0.0.0/8', 'widens tcp/443: 10.1.0.0/16 → 10.0.0.0/8'],
    ['moves', '0.0.0.0:443', 'tcp 443 10.1.0.0/16', 'tcp 443 10.2.0.0/16', 'moves tcp/443: 10.1.0.0/16 → 10.2.0.0/16'],
    ['two halves are the whole', '0.0.0.0:443', 'tcp 443 10.0.0.0/8', 'tcp 443 10.0.0.0/9, tcp 443 10.128.0.0/9', 'stays tcp/443: 10.0.0.0/8 → 10.0.0.0/8'],
    ['a grant that nothing listens on', '', '', 'tcp 8080 10.0.0.0/8', 'opens tcp/8080: nobody → 10.0.0.0/8'],
    ['loopback is no exposure', '127.0.0.1:5432', undefined, '', ''],
  ]
  test.each(cases)('%s', (_, listeners, before, after, expected) => {
    const live = liveHost({ observations: listenersOf(listeners), ...(before === undefined ? {} : { intent: intentOf(before), confirmedGeneration: 1 }) })
    const changes = draftHost(intentOf(after), live).changes.filter((change) => change.ports !== '22' || listeners.includes(':22'))
    const told = changes.map((one) => `${one.kind} ${one.protocol}/${one.ports}: ${one.before.join(' ')  || 'nobody'} → ${one.after.join(' ') || 'nobody'}`)
    expect(told.join('; ')).toBe(expected)
  })

  test('a published range is cut where the grants differ', () => {
    const observations: Observation[] = [
      { kind: 'published', host: 'h', sensor: 'nft', at: NOW, protocol: 'tcp', ports: { first: 8000, last: 8010 }, target: '172.17.0.2:80' },
    ]
    const changes = draftHost(intentOf('tcp 8003-8004 10.0.0.0/8'), liveHost({ observations })).changes
    expect(changes.map((change) => `${change.kind} ${change.ports}`)).toEqual(['closes 8000-8002', 'narrows 8003-8004', 'closes 8005-8010'])
  })

  test('observe mode closes nothing, and says what enforcing would', () => {
    const draft = draftHost({ ...intentOf('tcp 443 10.0.0.0/8'), mode: 'observe' }, liveHost({ observations: listenersOf('0.0.0.0:23 0.0.0.0:443') }))
    expect(draft.changes.map((one) => [one.ports, one.kind, one.ifEnforced?.kind])).toEqual([
      ['23', 'stays', 'closes'],
      ['443', 'stays', 'narrows'],
    ])
  })

  test('going back from enforcing to observing opens', () => {
    const live = liveHost({ observations: listenersOf('0.0.0.0:23'), intent: intentOf(''), confirmedGeneration: 1 })
    expect(draftHost({ ...intentOf(''), mode: 'observe' }, live).changes.find((one) => one.ports === '23')).toMatchObject({ kind: 'opens', ifEnforced: { kind: 'stays' } })
  })

  test('what a live intent only counts is open', () => {
    const live = liveHost({ observations: listenersOf('0.0.0.0:23'), intent: { ...intentOf(''), mode: 'observe' }, confirmedGeneration: 1 })
    expect(draftHost(intentOf(''), live).changes.find((change) => change.ports === '23')?.kind).toBe('closes')
  })
})

describe('clients that lose an endpoint', () => {
  const cases: readonly [what: string, flow: Partial<FlowObservation>, before: string | undefined, after: string, expected: string][] = [
    ['live', { tally: 'snapshot' }, undefined, '', 'live 10.1.1.1 tcp/443'],
    ['remembered', { tally: 'running', at: NOW - 1 }, undefined, '', 'seen 10.1.1.1 tcp/443'],
    ['still let in', { tally: 'snapshot' }, undefined, 'tcp 443 10.0.0.0/8', ''],
    ['refused before already', { tally: 'snapshot' }, 'tcp 443 10.2.0.0/16', '', ''],
    ['of a port nobody granted before', { tally: 'snapshot', port: 444 }, 'tcp 443 0.0.0.0/0', '', ''],
  ]
  test.each(cases)('%s', (_, changes, before, after, expected) => {
    const flow: FlowObservation = { ...FLOW, ...changes }
    const live = liveHost({ observations: [flow], ...(before === undefined ? {} : { intent: intentOf(before), confirmedGeneration: 1 }) })
    const flows = draftHost(intentOf(after), live).flows
    expect(flows.map((one) => `${one.isLive ? 'live' : 'seen'} ${one.source} ${one.protocol}/${one.port}`).join()).toBe(expected)
  })

  test('says what becomes of each, and the bytes of those that are up', () => {
    const flows = [{ ...FLOW, tally: 'snapshot' as const, bytes: 7 }, { ...FLOW, source: address('10.1.1.2'), at: NOW - 5 }]
    const live = liveHost({ observations: flows, intent: { ...intentOf('tcp 443 10.0.0.0/8 shop'), endings: { otherwise: 'drain', needs: { shop: 'cut-now' }, warnSeconds: 9 } }, confirmedGeneration: 1 })
    expect(draftHost(intentOf(''), live).flows).toMatchObject([{ source: '10.1.1.1', isLive: true, bytes: 7, end: 'cut-now' }, { source: '10.1.1.2', isLive: false, end: 'cut-now' }])
    expect(draftHost({ ...intentOf(''), mode: 'observe' }, live).flows[0]?.end).toBeUndefined()
  })

  test('one that the rules before refused too is told where it is to be cut', () => {
    const live = liveHost({ observations: [{ ...FLOW, tally: 'snapshot' }], intent: intentOf(''), confirmedGeneration: 1 })
    expect(draftHost(intentOf(''), live).flows).toEqual([])
    expect(draftHost({ ...intentOf(''), endings: { otherwise: 'cut-now', needs: {}, warnSeconds: 9 } }, live).flows).toMatchObject([{ isLive: true, end: 'cut-now' }])
  })

  test('two sensors of the same connections do not add up', () => {
    const flows = [{ ...FLOW, tally: 'snapshot' as const, connections: 2, firstSeen: 5 }, { ...FLOW, sensor: 'nft-counters', at: NOW - 9, connections: 3, firstSeen: 7 }]
    expect(draftHost(intentOf(''), liveHost({ observations: flows })).flows).toMatchObject([{ connections: 3, since: 5, isLive: true }])
  })
})

test('needs say which of their ports nothing listens on', () => {
  const intent = intentOf('tcp 80 0.0.0.0/0 a, tcp 443 0.0.0.0/0 a b, udp 53 0.0.0.0/0 c')
  const reports = draftHost(intent, liveHost({ observations: listenersOf('0.0.0.0:443') })).needs
  expect(reports).toEqual([
    { need: 'a', state: 'partly', silentPorts: ['tcp/80'] },
    { need: 'b', state: 'served', silentPorts: [] },
    { need: 'c', state: 'unserved', silentPorts: ['udp/53'] },
  ])
})

describe('guards', () => {
  const ssh: Host['transport'] = { kind: 'ssh', destination: 'h', port: 22, sudo: true }
  const cases: readonly [what: string, situation: Partial<Situation>, live: Partial<LiveHost>, expected: string][] = [
    ['all well', {}, {}, ''],
    ['the way back is covered', { host: hostOf(ssh) }, { controller: { source: address('10.9.0.7'), port: 22 } }, ''],
    ['the controller comes from elsewhere', { host: hostOf(ssh) }, { controller: { source: address('192.0.2.1'), port: 22 } }, 'veto NO_WAY_BACK'],
    ['the controller uses another port', { host: hostOf(ssh) }, { controller: { source: address('10.9.0.7'), port: 2222 } }, 'veto NO_WAY_BACK'],
    ['where the controller comes from is not known', { host: hostOf(ssh) }, {}, 'warn WAY_BACK_UNKNOWN'],
    ['facts just young enough', {}, { factsAt: NOW - 900_000 }, ''],
    ['facts too old', {}, { factsAt: NOW - 901_000 }, 'veto FACTS_OLD'],
    ['clock 30 s off', {}, { clockSkewMs: -30_000 }, ''],
    ['clock 31 s off', {}, { clockSkewMs: 31_000 }, 'warn CLOCK_SKEW'],
    ['clock 301 s off', {}, { clockSkewMs: -301_000 }, 'veto CLOCK_SKEW'],
    ['another controller wrote', {}, { confirmedGeneration: 4 }, 'warn GENERATION_UNKNOWN'],
    ['the host was reinstalled', { knownGeneration: 3 }, {}, 'warn GENERATION_LOST'],
    ['nothing listens', { intent: intentOf('tcp 81 0.0.0.0/0 web') }, {}, 'warn NEED_UNSERVED'],
    ['no need at all', { intent: intentOf('') }, {}, 'warn HOST_WITHOUT_NEEDS'],
    ['a client is connected', {}, { observations: [...listenersOf('0.0.0.0:80'), { ...FLOW, port: 23, tally: 'snapshot' }] }, 'warn LIVE_FLOWS'],
    [
      'evidence was lost',
      {},
      { observations: [...listenersOf('0.0.0.0:80'), { kind: 'evidence', host: 'h', sensor: 'nft-counters', at: NOW, lost: 7, because: 'set full' }] },
      'warn EVIDENCE_LOST',
    ],
    ['a week of evidence', { intent: intentOf('tcp 80 10.0.0.0/8 web') }, { watchedSince: NOW - 7 * 86_400_000 }, ''],
    ['six days of evidence', { intent: intentOf('tcp 80 10.0.0.0/8 web') }, { watchedSince: NOW - 6 * 86_400_000 }, 'warn EVIDENCE_THIN'],
    ['six days of evidence, where nothing closes', {}, { watchedSince: NOW - 6 * 86_400_000 }, ''],
    [
      'another firewall refuses',
      {},
      { foreignRefusals: [{ table: 'ip filter', protocol: 'tcp', ports: { first: 80, last: 80 }, needs: ['web'] }] },
      'warn FOREIGN_REFUSES',
    ],
  ]
  test.each(cases)('%s', (_, situation, liveChanges, expected) => {
    const live = liveHost({ observations: listenersOf('0.0.0.0:80'), ...liveChanges })
    const intent = situation.intent ?? intentOf('tcp 80 0.0.0.0/0 web')
    const draft = draftHost(intent, live)
    const findings = guardHost({ host: hostOf({ kind: 'local' }), intent, live, draft, now: NOW, knownGeneration: 0, limits: GUARD_LIMITS, ...situation })
    expect(findings.map((finding) => `${finding.level} ${finding.guard}`).join()).toBe(expected)
  })

  test('a policy that selects nothing is refused', () => {
    expect(guardFleet([intentOf('')]).map((finding) => finding.guard)).toEqual(['POLICY_SELECTS_NOTHING'])
    expect(guardFleet([intentOf(''), intentOf('tcp 80 0.0.0.0/0')])).toEqual([])
    expect(guardFleet([{ ...intentOf(''), mode: 'observe' }])).toEqual([])
    expect(guardFleet([intentOf(''), { ...intentOf(''), mode: 'observe' }]).map((finding) => finding.guard)).toEqual(['POLICY_SELECTS_NOTHING'])
  })
})

describe('seal', () => {
  const cases: readonly [what: string, comparison: Comparison, veto: boolean, expected: string][] = [
    ['equal', { kind: 'equal', by: 'test' }, false, 'sealed'],
    ['a counterexample', { kind: 'counterexample', packet: 'tcp 1.1.1.1 → :23', because: 'accepted' }, false, 'PLAN_NOT_EQUAL'],
    ['undecided is not equal', { kind: 'undecided', because: 'budget' }, false, 'PLAN_UNDECIDED'],
    ['a veto', { kind: 'equal', by: 'test' }, true, 'PLAN_VETO'],
  ]
  test.each(cases)('%s', (_, comparison, veto, expected) => {
    const sealed = seal(draftPlan(comparison, veto), NOW, undefined, sha256)
    expect(sealed.ok ? 'sealed' : sealed.faults[0]?.code).toBe(expected)
  })

  test('any change breaks it, and reading it back from JSON does not', () => {
    const sealed = seal(draftPlan({ kind: 'equal', by: 'test' }, false), NOW, 'parent', sha256)
    if (!sealed.ok) throw new Error('not sealed')
    const plan = sealed.value
    expect(isSealed(JSON.parse(JSON.stringify(plan)), sha256)).toBe(true)
    expect(isSealed({ ...plan, created: NOW + 1 }, sha256)).toBe(false)
    expect(isSealed({ ...plan, hosts: [] }, sha256)).toBe(false)
  })
})

describe('laws', () => {
  test('canonical JSON does not depend on the order of keys and reads back', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.oneof(fc.integer(), fc.string(), fc.boolean(), fc.array(fc.integer()))), (value) => {
        const shuffled = Object.fromEntries(Object.entries(value).toReversed())
        expect(canonicalJson(shuffled as Json)).toBe(canonicalJson(value as Json))
        expect(JSON.parse(canonicalJson(value as Json))).toEqual({ ...value })
      }),
    )
  })

  test('an intent is what its text says', () => {
    fc.assert(fc.property(fc.array(arbitraryGrant), (grants) => {
      const intent = { ...intentOf(''), grants }
      const read = readIntent(JSON.parse(JSON.stringify(writeIntent(intent))))
      expect(read).toEqual({ ok: true, value: intent })
    }))
  })

  test('comparing sources agrees with counting addresses one by one', () => {
    const small = fc.array(fc.tuple(fc.integer({ min: 0, max: 15 }), fc.integer({ min: 28, max: 32 })), { maxLength: 4 }).map((list) =>
      aggregatePrefixes(list.map(([value, length]) => prefixOf({ family: 4, value: BigInt(value) }, length))),
    )
    fc.assert(fc.property(small, small, (before, after) => {
      const held = (sources: readonly Prefix[]): Set<number> =>
        new Set(Array.from({ length: 16 }, (_, n) => n).filter((n) => sources.some((one) => prefixOf({ family: 4, value: BigInt(n) }, one.length).value === one.value)))
      const [a, b] = [held(before), held(after)]
      const isIn = (inner: Set<number>, outer: Set<number>): boolean => [...inner].every((n) => outer.has(n))
      const grows = isIn(a, b) ? 'widens' : 'moves'
      const differs = b.size === 0 ? 'closes' : a.size === 0 ? 'opens' : isIn(b, a) ? 'narrows' : grows
      const expected = isIn(a, b) && isIn(b, a) ? 'stays' : differs
      expect(compareSources(before, after)).toBe(expected)
    }))
  })

  test('an intent is no change to itself, whatever its generation', () => {
    const live = liveHost({ intent: intentOf('tcp 80 0.0.0.0/0'), confirmedGeneration: 1 })
    expect(isUnchanged({ ...intentOf('tcp 80 0.0.0.0/0'), generation: 2 }, live)).toBe(true)
    expect(isUnchanged(intentOf('tcp 81 0.0.0.0/0'), live)).toBe(false)
    expect(isUnchanged(intentOf('tcp 80 0.0.0.0/0'), liveHost({}))).toBe(false)
  })
})

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

function address(text: string): Address {
  const parsed = parseAddress(text)
  if (!parsed.ok) throw new RangeError(text)
  return parsed.value
}

function prefix(text: string): Prefix {
  const parsed = parsePrefix(text)
  if (!parsed.ok) throw new RangeError(text)
  return parsed.value
}

/** `tcp 443 10.0.0.0/8 need need, udp …` */
function intentOf(text: string): Intent {
  const grants = text.split(', ').filter(Boolean).map((part): Grant => {
    const [protocol = '', ports = '', from = '', ...needs] = part.split(' ')
    const range = parsePortRange(ports)
    if (!range.ok) throw new RangeError(part)
    return { protocol: protocol as Grant['protocol'], ports: range.value, from: prefix(from), needs }
  })
  const management: Grant[] = [{ protocol: 'tcp', ports: { first: 22, last: 22 }, from: prefix('10.9.0.0/24'), needs: [] }]
  return { host: 'h', generation: 1, mode: 'enforce', refusal: 'drop', ping: true, management, grants }
}

const listenersOf = (text: string): ListenerObservation[] =>
  text.split(' ').filter(Boolean).map((one) => {
    const [, host = '', port = ''] = /^\[?(.*?)\]?:([0-9]+)$/.exec(one) ?? []
    return {
      kind: 'listener', host: 'h', sensor: 'ss', at: NOW, address: address(host), protocol: 'tcp', port: Number(port), isLoopback: host === '127.0.0.1', isEphemeral: false,
    }
  })

const FLOW: FlowObservation = {
  kind: 'flow', host: 'h', sensor: 'conntrack', at: NOW, source: address('10.1.1.1'), protocol: 'tcp', port: 443, connections: 1, lastSeen: NOW, verdict: 'accepted',
}

function liveHost(changes: Partial<LiveHost>): LiveHost {
  return { host: 'h', confirmedGeneration: 0, factsAt: NOW, watchedSince: NOW - 30 * 86_400_000, observations: [], foreignRefusals: [], ...changes }
}

function hostOf(transport: Host['transport']): Host {
  return { name: 'h', addresses: [address('10.0.0.1')], labels: {}, tier: 'standard', transport }
}

function draftPlan(comparison: Comparison, veto: boolean): DraftPlan {
  const draft = draftHost(intentOf('tcp 80 0.0.0.0/0'), liveHost({}))
  const findings = veto ? [{ guard: 'TEST', level: 'veto' as const, because: { en: 'no', zh: '不' } }] : []
  return { hosts: [{ draft, findings, text: 'rules', comparison }], unchanged: [], findings: [], policy: 'p', cause: { kind: 'change' } }
}

const arbitraryGrant: fc.Arbitrary<Grant> = fc
  .record({ family: fc.constantFrom(4 as const, 6 as const), value: fc.bigInt({ min: 0n, max: (1n << 32n) - 1n }), length: fc.integer({ min: 0, max: 32 }), ports: fc.tuple(fc.integer({ min: 1, max: 65535 }), fc.integer({ min: 1, max: 65535 })) })
  .map(({ family, value, length, ports }) => ({
    protocol: 'tcp',
    ports: { first: Math.min(...ports), last: Math.max(...ports) },
    from: prefixOf({ family, value }, length),
    needs: ['n'],
  }))
