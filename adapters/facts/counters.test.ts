import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { formatAddress } from '@portcullis/core/net/address.ts'
import type { Observation } from '@portcullis/core/inventory/observation.ts'
import { describe, expect, test } from 'vitest'
import { readCounters } from './counters.ts'

const told = (text: string): string[] => {
  const read = readCounters('web-1', 5, text)
  return read.ok ? read.value.map(describeObservation) : read.faults.map(({ code }) => code)
}

function describeObservation(each: Observation): string {
  if (each.kind === 'flow') return `${each.verdict}${each.isLetThrough ? ', let through' : ''}: ${each.protocol} ${each.port} from ${formatAddress(each.source)} x${each.connections}`
  if (each.kind === 'evidence') return `${each.sensor} lost ${each.lost}${each.endpoint ? ` of ${each.endpoint.protocol} ${each.endpoint.port}` : ''}: ${each.because}`
  return each.kind
}

test('what a host with real clients counted', () => {
  expect(told(readFileSync(join(import.meta.dirname, 'testdata/counters.txt'), 'utf8'))).toEqual([
    'accepted: tcp 22 from 10.77.0.9 x3',
    'accepted: tcp 22 from 2001:db8:77::9 x1',
    'denied, let through: tcp 23 from 10.77.0.9 x1',
    'denied, let through: tcp 81 from 10.77.0.9 x4',
    'denied, let through: udp 161 from 10.77.0.9 x1',
    'denied, let through: tcp 443 from 10.77.0.9 x2',
    'reading',
  ])
})

interface Answer {
  readonly mode?: 'observe' | 'enforce'
  readonly sets?: Readonly<Record<string, readonly (readonly (string | number)[])[] | string>>
  readonly lost?: number
  readonly deniedLost?: number
}

const SETS = ['seen4', 'seen6', 'denied4', 'denied6', 'accepted_ports', 'denied_ports']

/** What nft lists, by name. An element is its key's fields and, last, its packets. */
function listingOf({ mode = 'enforce', sets = {}, lost = 0, deniedLost = 0 }: Answer): [name: string, object: unknown][] {
  const set = (name: string): unknown => {
    const elements = sets[name] ?? []
    if (typeof elements === 'string') return elements
    return { set: { name, elem: elements.map((element) => ({ elem: { val: { concat: element.slice(0, -1) }, counter: { packets: element.at(-1), bytes: 0 } } })) } }
  }
  const counter = (name: string, packets: number): unknown => ({ counter: { name, packets, bytes: 0 } })
  return [
    ['about', { rule: { chain: 'about', comment: `schema 1 generation 7 ${mode} rules 00` } }],
    ...SETS.map((name): [string, unknown] => [name, set(name)]),
    ['seen_lost', counter('seen_lost', lost)],
    ['denied_lost', counter('denied_lost', deniedLost)],
  ]
}

const framed = (sections: readonly (readonly [string, string])[]): string =>
  `${sections.map(([name, text]) => `@section ${name} ${Buffer.byteLength(text)}\n${text}\n`).join('')}@end\n`
const nft = (objects: readonly unknown[]): string => JSON.stringify({ nftables: [{ metainfo: {} }, ...objects] })

/** As a host with a large table answers, and one with a small table: each object alone, and all in one listing behind what else there is. */
const inParts = (given: Answer): string => framed(listingOf(given).map(([name, object]) => [name, typeof object === 'string' ? object : nft([object])]))
const inOne = (given: Answer): string =>
  framed([['table', nft([{ rule: { chain: 'input', comment: 'schema 1 generation 7 observe' } }, { set: { name: 'lease4' } }, ...listingOf(given).map(([, object]) => object)])]])

const FULL = 'more sources than the gate has room to count each'

describe('what is lost is told', () => {
  test.each<[string, Answer, string[]]>([
    ['nothing', {}, ['reading']],
    ['an enforcing gate lets no denial through', { sets: { denied4: [['192.0.2.1', 'tcp', 23, 2]] } }, ['denied: tcp 23 from 192.0.2.1 x2', 'reading']],
    ['protocols without ports are no endpoints', { sets: { denied4: [['192.0.2.1', 'icmp', 0, 2], ['192.0.2.1', 47, 0, 1]] } }, ['reading']],
    ['a full set loses only what its port counted more', { lost: 4, sets: { seen4: [['192.0.2.1', 'tcp', 22, 2], ['192.0.2.1', 'tcp', 80, 3]], accepted_ports: [['tcp', 22, 2], ['tcp', 80, 7]] } },
      ['accepted: tcp 22 from 192.0.2.1 x2', 'accepted: tcp 80 from 192.0.2.1 x3', `nft-counters lost 4 of tcp 80: ${FULL}`, 'reading']],
    ['a lost source that no port shows is a loss of the host', { lost: 4 }, [`nft-counters lost 4: ${FULL}`, 'reading']],
    ['lost denials of an enforcing gate are no lost use', { deniedLost: 4 }, [`nft-denials lost 4: ${FULL}`, 'reading']],
    ['lost denials of an observing gate are lost use', { deniedLost: 4, mode: 'observe' }, [`nft-counters lost 4: ${FULL}`, 'reading']],
    ['a set that is not one', { sets: { seen4: 'not JSON' } }, ['nft-counters lost 1: seen4 could not be read', 'reading']],
    ['an element that is none', { sets: { seen4: [['192.0.2.1', 'tcp', 70_000, 2], ['nobody', 'tcp', 1, 2]] } }, ['nft-counters lost 2: elements of the counting sets are not understood', 'reading']],
  ])('%s', (_, given, expected) => {
    expect(told(inParts(given))).toEqual(expected)
    expect(told(inOne(given))).toEqual(expected)
  })
})

test.each([
  ['not JSON', 'no'],
  ['another thing', '[]'],
  ['a table without counting sets', nft([{ set: { name: 'lease4' } }])],
])('a listing of the whole table that tells nothing is lost evidence: %s', (_, text) => {
  expect(told(framed([['table', text]]))).toEqual([
    'nft-counters lost 3: seen4, seen6, accepted_ports could not be read',
    'nft-denials lost 3: denied4, denied6, denied_ports could not be read',
    'reading',
  ])
})
