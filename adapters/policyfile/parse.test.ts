import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { formatPrefix } from '@portcullis/core/net/prefix.ts'
import type { Policy } from '@portcullis/core/policy/policy.ts'
import { formatGrant, resolve } from '@portcullis/core/policy/resolve.ts'
import { parsePolicyFile } from './parse.ts'

const NOW = Date.UTC(2026, 10, 24)
const clinic = readFileSync(new URL('testdata/clinic.yaml', import.meta.url), 'utf8')

const read = (text: string): Policy => {
  const { policy } = parsePolicyFile(text, 'portcullis.yaml', NOW)
  if (!policy.ok) throw new Error(policy.faults.map((fault) => fault.what.en).join('\n'))
  return policy.value
}

/** `line:column CODE`, and what comes next where it is a guess. */
const faultsOf = (text: string): string[] => {
  const { policy } = parsePolicyFile(text, 'portcullis.yaml', NOW)
  return policy.ok ? [] : policy.faults.map(({ place, code, next }) => `${place?.line}:${place?.column} ${code}${/"[^"]*"\?$/.test(next?.en ?? '') ? ` ${/"([^"]*)"/.exec(next?.en ?? '')?.[1]}?` : ''}`)
}
const warningsOf = (text: string): string[] => parsePolicyFile(text, 'portcullis.yaml', NOW).warnings.map(({ place, code }) => `${place?.line}:${place?.column} ${code}`)

describe('a policy file', () => {
  const policy = read(clinic)

  test('becomes hosts with their transports', () => {
    expect(policy.hosts.map(({ name, tier, transport, labels }) => ({ name, tier, transport, labels }))).toEqual([
      { name: 'db-1', tier: 'core', labels: { role: 'db', site: 'east' }, transport: { kind: 'ssh', destination: 'db-1', port: 22, user: 'portcullis', sudo: true } },
      { name: 'pacs-1', tier: 'standard', labels: { role: 'pacs', site: 'east' }, transport: { kind: 'ssh', destination: 'pacs-1', port: 2222, user: 'portcullis', sudo: true } },
      { name: 'web-1', tier: 'standard', labels: { role: 'web', site: 'east', release: '1.10' }, transport: { kind: 'netns', namespace: 'web-1' } },
    ])
  })

  test('has zones made of zones', () => {
    const campus = policy.zones.find((zone) => zone.name === 'campus')
    expect(campus?.prefixes.map(formatPrefix)).toEqual(['10.20.0.0/16', '10.30.0.0/17', 'fd00:20::/48'])
  })

  test('resolves to grants', () => {
    const intent = resolve(policy, 'pacs-1', 1)
    expect(intent.ok && [...intent.value.management, ...intent.value.grants].map(formatGrant)).toEqual([
      'tcp 22 from 10.9.0.0/24',
      'tcp 22 from fd00:9::/64',
      'tcp 2222 from 10.9.0.0/24',
      'tcp 2222 from fd00:9::/64',
      'tcp 104 from 10.30.0.0/17',
      'tcp 104 from 10.40.0.7',
      'tcp 5248-5250 from 10.20.0.0/16',
      'tcp 5248-5250 from 10.30.0.0/17',
      'tcp 5248-5250 from fd00:20::/48',
      'tcp 11112 from 10.30.0.0/17',
      'tcp 11112 from 10.40.0.7',
      'udp 5247-5250 from 10.20.0.0/16',
      'udp 5247-5250 from 10.30.0.0/17',
      'udp 5247-5250 from fd00:20::/48',
    ])
  })

  test('says of a schedule that it does not hold yet', () => {
    expect(warningsOf(clinic)).toEqual(['68:15 POLICY_SCHEDULE_NOT_ENFORCED'])
  })

  test('has defaults that let everything pass and count it', () => {
    expect(read('version: 1\ndefaults: {management: {from: 10.0.0.0/8}}\nfleet: {hosts: {}}').defaults).toMatchObject({ mode: 'observe', refusal: 'drop', ping: true, managementPorts: [{ first: 22, last: 22 }] })
  })
})

/** Eleven lines before the needs; a need follows from line 12. */
const BASE = `version: 1
defaults: {mode: enforce, management: {from: ops}}
zones:
  ops: 10.9.0.0/24
  office: [10.20.0.0/16, "fd00:20::/48"]
services: {feed: 5133/tcp}
fleet:
  hosts:
    web-1: {addresses: 10.0.0.1, labels: {role: web}}
    db-1: {addresses: [10.0.0.2, "fd00::2"], labels: {role: db}}
needs:
`
const NEED = { service: 'https', to: '{role: web}', from: 'office', owner: 'web team', because: 'it is used', review: '2027-03-31' }
const need = (changes: Partial<Record<keyof typeof NEED | 'id' | 'schedule' | 'critical', string>> = {}): string =>
  `${Object.entries({ ...NEED, ...changes })
    .map(([key, value], index) => `${index === 0 ? '  - ' : '    '}${key}: ${value}`)
    .join('\n')}\n`

test('the base of these tests is right itself', () => {
  expect([faultsOf(BASE + need()), warningsOf(BASE + need())]).toEqual([[], []])
})

describe('faults of a need, each at its place', () => {
  test.each<[string, string, string[]]>([
    ['unknown service', need({ service: 'htps' }), ['12:14 POLICY_UNKNOWN_SERVICE https?']],
    ['unknown zone', need({ from: 'ofice' }), ['14:11 POLICY_UNKNOWN_ZONE office?']],
    ['unknown zone in a list', need({ from: '[office, opps]' }), ['14:20 POLICY_UNKNOWN_ZONE ops?']],
    ['a host as a source', need({ from: 'db-1' }), ['14:11 POLICY_UNKNOWN_ZONE']],
    ['unknown host', need({ to: 'web-2' }), ['13:9 POLICY_UNKNOWN_HOST web-1?']],
    ['unknown host in a list', need({ to: '[web-1, db-11]' }), ['13:17 POLICY_UNKNOWN_HOST db-1?']],
    ['labels that no host has', need({ to: '{role: wbe}' }), ['13:9 POLICY_SELECTS_NOTHING']],
    ['no labels', need({ to: '{}' }), ['13:9 POLICY_WRONG_VALUE']],
    ['host bits', need({ from: '10.1.2.3/8' }), ['14:11 NET_PREFIX_HOST_BITS']],
    ['no address', need({ from: '10.1.2.300' }), ['14:11 NET_ADDRESS']],
    ['loopback', need({ from: '127.0.0.0/8' }), ['14:11 POLICY_SOURCE_IMPOSSIBLE']],
    ['multicast', need({ from: '[office, "ff02::1"]' }), ['14:20 POLICY_SOURCE_IMPOSSIBLE']],
    ['unspecified', need({ from: '0.0.0.0' }), ['14:11 POLICY_SOURCE_IMPOSSIBLE']],
    ['broadcast', need({ from: '255.255.255.255' }), ['14:11 POLICY_SOURCE_IMPOSSIBLE']],
    ['a family that the host lacks', need({ from: 'fd00:20::/48' }), ['14:11 POLICY_SOURCE_UNREACHABLE']],
    ['the host itself', need({ from: '10.0.0.1' }), ['14:11 POLICY_SOURCE_IS_HOST']],
    ['no such day', need({ review: '2027-02-30' }), ['17:13 POLICY_REVIEW_DATE']],
    ['no schedule', need({ schedule: 'at night' }), ['18:15 POLICY_SCHEDULE']],
    ['no such time zone', need({ schedule: 'daily 01:00-02:00 Asia/Shangai' }), ['18:15 POLICY_TIME_ZONE Asia/Shanghai?']],
    ['unknown key', need({ critical: 'true' }).replace('critical', 'crticial'), ['18:5 POLICY_UNKNOWN_KEY critical?']],
    ['missing keys', '  - {service: https, to: all, from: any}\n', ['12:5 POLICY_MISSING_KEY', '12:5 POLICY_MISSING_KEY', '12:5 POLICY_MISSING_KEY']],
    ['a word for a flag', need({ critical: 'yes' }), ['18:15 POLICY_WRONG_TYPE']],
    ['nothing written', need({ owner: '' }), ['15:5 POLICY_WRONG_TYPE']],
    ['a need that is text', '  - all\n', ['12:5 POLICY_WRONG_TYPE']],
    ['one id twice', need({ id: 'a' }) + need({ id: 'a', service: 'ssh' }), ['25:9 POLICY_NEED_DUPLICATE_ID']],
    ['the same need twice', need() + need(), ['18:5 POLICY_NEED_DUPLICATE_ID']],
    ['an id with blanks', need({ id: 'a b' }), ['18:9 POLICY_WRONG_VALUE']],
    ['a line break in a reason', need({ because: '"a\\nb"' }), ['16:14 POLICY_WRONG_VALUE']],
    ['one fault does not hide another', need({ service: 'htps', to: 'web-2', from: 'ofice', review: 'soon', owner: '[a]' }), ['12:14 POLICY_UNKNOWN_SERVICE https?', '13:9 POLICY_UNKNOWN_HOST web-1?', '14:11 POLICY_UNKNOWN_ZONE office?', '15:12 POLICY_WRONG_TYPE', '17:13 POLICY_REVIEW_DATE']],
  ])('%s', (_, needs, expected) => {
    const faults = faultsOf(BASE + needs)
    // A review that is wrong is stood in for, so that the rest of its need is checked; it is still told where its shape is wrong.
    expect(faults).toEqual(expected)
  })
})

describe('faults outside of needs', () => {
  test.each<[string, (text: string) => string, string[]]>([
    ['unknown section', (text) => text.replace('zones:', 'zonse:'), ['2:46 POLICY_UNKNOWN_ZONE', '3:1 POLICY_UNKNOWN_KEY zones?', '14:11 POLICY_UNKNOWN_ZONE']],
    ['another version', (text) => text.replace('version: 1', 'version: 2'), ['1:10 POLICY_WRONG_VALUE']],
    ['no version', (text) => text.replace('version: 1\n', '\n'), ['2:1 POLICY_MISSING_KEY']],
    ['a mode that is none', (text) => text.replace('enforce', 'enforced'), ['2:18 POLICY_WRONG_VALUE enforce?']],
    ['no way back', (text) => text.replace('defaults: {mode: enforce, management: {from: ops}}', 'defaults: {mode: enforce}'), ['2:11 POLICY_NO_MANAGEMENT']],
    ['no defaults at all', (text) => text.replace(/defaults:.*/, ''), ['1:1 POLICY_NO_MANAGEMENT']],
    ['a way back over another port', (text) => text.replace('labels: {role: db}', 'transport: {ssh: {port: 2222}}'), ['10:57 POLICY_MANAGEMENT_PORT']],
    ['a way back over the other family', (text) => text.replace('10.9.0.0/24', 'fd00:9::/64'), ['9:24 POLICY_MANAGEMENT_FAMILY']],
    ['a management port that is none', (text) => text.replace('{from: ops}', '{from: ops, ports: [22, 70000]}'), ['2:63 POLICY_WRONG_VALUE']],
    ['a management range that is none', (text) => text.replace('{from: ops}', '{from: ops, ports: 30-20}'), ['2:58 NET_PORT']],
    ['an unknown zone in the way back', (text) => text.replace('{from: ops}', '{from: oops}'), ['2:46 POLICY_UNKNOWN_ZONE ops?']],
    ['a zone with host bits', (text) => text.replace('10.9.0.0/24', '10.9.0.1/24'), ['4:8 NET_PREFIX_HOST_BITS']],
    ['a zone made of itself', (text) => text.replace('ops: 10.9.0.0/24', 'ops: [10.9.0.0/24, more]\n  more: ops').replace('{from: ops}', '{from: 10.0.0.0/8}'), ['5:9 POLICY_ZONE_CIRCLE']],
    ['a zone called any', (text) => text.replace('zones:', 'zones:\n  any: 10.0.0.0/8'), ['4:3 POLICY_NAME']],
    ['a service without a protocol', (text) => text.replace('5133/tcp', '"5133"'), ['6:18 POLICY_SERVICE_PORT']],
    ['a service port that is none', (text) => text.replace('5133/tcp', '[5133/tcp, 70000/udp]'), ['6:29 NET_PORT']],
    ['a host without an address', (text) => text.replace('addresses: 10.0.0.1, ', ''), ['9:5 POLICY_MISSING_KEY']],
    ['an address that is none', (text) => text.replace('10.0.0.1', '10.0.0'), ['9:24 NET_ADDRESS']],
    ['a loopback address', (text) => text.replace('10.0.0.1', '127.0.0.1'), ['9:24 POLICY_HOST_ADDRESS']],
    ['one address on two hosts', (text) => text.replace('10.0.0.1', '10.0.0.2'), ['10:23 POLICY_ADDRESS_SHARED']],
    ['one machine twice', (text) => text.replaceAll('labels: {role: db}', 'transport: {ssh: {destination: web-1}}'), ['10:57 POLICY_TRANSPORT_SHARED']],
    ['a host twice', (text) => text.replace('db-1:', 'web-1:'), ['10:5 YAML_DUPLICATE_KEY']],
    ['a host called all', (text) => text.replace('db-1:', 'all:'), ['10:5 POLICY_NAME']],
    ['an option smuggled into ssh', (text) => text.replace('labels: {role: db}', 'transport: {ssh: {destination: "-oProxyCommand=x"}}'), ['10:77 POLICY_WRONG_VALUE']],
    ['two transports', (text) => text.replace('labels: {role: db}', 'transport: {ssh: {user: a}, netns: b}'), ['10:57 POLICY_WRONG_VALUE']],
    ['a key of a transport', (text) => text.replace('labels: {role: db}', 'transport: {ssh: {prot: 22}}'), ['10:64 POLICY_UNKNOWN_KEY port?']],
    ['needs that are no list', (text) => text.replace(/needs:[^]*/, 'needs: none\n'), ['11:8 POLICY_WRONG_TYPE']],
  ])('%s', (_, change, expected) => {
    expect(faultsOf(change(BASE + need()))).toEqual(expected)
  })

  test.each([['', '1:1'], ['- a\n', '1:1'], ['hello', '1:1'], ['fleet: [', '1:9']])('a text that is no policy: %j', (text, place) => {
    expect(faultsOf(text)[0]).toMatch(new RegExp(`^${place} `))
  })
})

describe('warnings', () => {
  test.each<[string, string, string[]]>([
    ['a review that is over', need({ review: '2026-11-22' }), ['17:13 POLICY_REVIEW_EXPIRED']],
    ['a review that is due today', need({ review: '2026-11-24' }), []],
    ['two owners of the same', need({ id: 'a' }) + need({ id: 'b', owner: 'other' }), ['25:9 POLICY_NEED_DUPLICATE']],
    ['a need within another', need({ to: 'all' }) + need({ from: '10.20.1.0/24' }), ['18:5 POLICY_NEED_COVERED']],
    ['needs that overlap', need({ to: 'all', from: '[office, 10.5.0.0/16]' }) + need({ from: '10.0.0.0/8', to: 'web-1' }), ['18:5 POLICY_NEED_OVERLAP']],
    ['a family that one of two hosts lacks', need({ to: 'all', from: 'fd00:20::/48' }), ['14:11 POLICY_SOURCE_UNREACHABLE']],
  ])('%s', (_, needs, expected) => {
    expect([faultsOf(BASE + needs), warningsOf(BASE + needs)]).toEqual([[], expected])
  })
})

test('a way back for everyone is worth a warning', () => {
  expect(warningsOf(BASE.replace('{from: ops}', '{from: any}') + need())).toEqual(['2:39 POLICY_MANAGEMENT_OPEN'])
})

test('every fault speaks both languages, and says nothing it was not told', () => {
  const text = readFileSync(new URL('testdata/faulty.yaml', import.meta.url), 'utf8')
  const { policy, warnings } = parsePolicyFile(text, 'faulty.yaml', NOW)
  const faults = [...(policy.ok ? [] : policy.faults), ...warnings]
  expect(faults.length).toBeGreaterThan(25)
  for (const fault of faults) {
    expect(fault.what.zh).toMatch(/\p{Script=Han}/u)
    expect(fault.what.en).not.toMatch(/\p{Script=Han}|undefined|\[object/u)
    expect(fault.next?.zh ?? '应').not.toMatch(/undefined|\[object/)
    expect(fault.place?.file).toBe('faulty.yaml')
  }
  const places = faults.map((fault) => (fault.place?.line ?? 0) * 1000 + (fault.place?.column ?? 0))
  expect(places.slice(0, faults.length - warnings.length)).toEqual(places.slice(0, faults.length - warnings.length).toSorted((a, b) => a - b))
})

test('a file full of faults is cut short, and says so', () => {
  const text = BASE + need({ service: 'htps' }).repeat(1_500)
  const faults = faultsOf(text)
  expect([faults.length, faults.at(-1)]).toEqual([1_001, 'undefined:undefined POLICY_MORE'])
})

test('10,000 hosts and 1,000 needs are read in little time', () => {
  const hosts = Array.from({ length: 10_000 }, (_, at) => `    h${at}: {addresses: [10.${at >> 8}.${at & 255}.1, "fd00::${(at + 1).toString(16)}"], labels: {role: r${at % 50}}}\n`)
  const needs = Array.from({ length: 1_000 }, (_, at) => need({ id: `n${at}`, to: `{role: r${at % 50}}`, from: `10.100.${at & 255}.0/24`, service: at % 2 ? 'https' : 'ssh' }))
  const text = `version: 1\ndefaults: {management: {from: 10.9.0.0/24}}\nfleet:\n  hosts:\n${hosts.join('')}needs:\n${needs.join('')}`
  const started = process.cpuUsage()
  expect(read(text).needs).toHaveLength(1_000)
  // Far above what it takes (0.4 to 1 s of processor time), far below what a quadratic step would.
  const { user, system } = process.cpuUsage(started)
  expect((user + system) / 1e6).toBeLessThan(8)
}, 60_000)
