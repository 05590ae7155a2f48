import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { formatAddress, type Address } from '../../net/address.ts'
import { containsPort, formatPortRange } from '../../net/port.ts'
import { containsAddress, formatPrefix, parsePrefix, prefixOf, type Prefix } from '../../net/prefix.ts'
import { TRANSPORT_PROTOCOLS } from '../../net/protocol.ts'
import type { Grant } from '../../policy/intent.ts'
import { intentOf } from './golden/intents.ts'
import { arrange, layOut, reachablePorts, type Layout, type Opening } from './layout.ts'

describe('where an opening goes', () => {
  test.each([
    ['any source, one port', ['tcp 443 any'], { open: ['tcp . 443'] }],
    ['any source, ports', ['udp 5000-5010 any'], { open_udp: ['5000-5010'] }],
    ['one family only', ['tcp 443 0.0.0.0/0', 'tcp 80-90 ::/0'], { open6_tcp: ['80-90'], open4: ['tcp . 443'] }],
    ['an address', ['tcp 22 10.0.0.1', 'tcp 22 fd00::1'], { hosts4: ['10.0.0.1 . tcp . 22'], hosts6: ['fd00::1 . tcp . 22'] }],
    ['an address with ports', ['tcp 22-23 10.0.0.1'], { 'tcp 22-23': ['10.0.0.1'] }],
    ['a network', ['sctp 9 10.0.0.0/8'], { 'sctp 9': ['10.0.0.0/8'] }],
    ['halves of a network join', ['tcp 9 10.0.0.0/9', 'tcp 9 10.128.0.0/9'], { 'tcp 9': ['10.0.0.0/8'] }],
    ['a part vanishes in the whole', ['tcp 9 10.0.0.1', 'tcp 9 10.0.0.0/8'], { 'tcp 9': ['10.0.0.0/8'] }],
    ['a source vanishes in any', ['tcp 9 10.0.0.1', 'tcp 9 any'], { open: ['tcp . 9'] }],
    ['ports vanish in wider ones of the same source', ['tcp 5-9 any', 'tcp 7 any'], { open_tcp: ['5-9'] }],
    ['neighbouring ports join', ['tcp 9 10.0.0.1', 'tcp 10 10.0.0.1'], { 'tcp 9-10': ['10.0.0.1'] }],
    [
      'overlapping boxes are cut apart',
      ['tcp 10-20 10.0.0.0/8', 'tcp 15-25 10.0.0.0/16'],
      { 'tcp 10-20': ['10.0.0.0/8'], 'tcp 21-25': ['10.0.0.0/16'] },
    ],
    [
      'each port has the list of its networks',
      ['tcp 9 10.0.0.0/8', 'tcp 9 fd00::/64', 'tcp 9-10 11.0.0.0/8'],
      { 'tcp 9': ['10.0.0.0/7', 'fd00::/64'], 'tcp 10': ['11.0.0.0/8'] },
    ],
  ])('%s', (_, grants, expected) => {
    expect(flat(layOut(arrange(intentOf({ grants }).grants)))).toEqual(expected)
  })
})

test('ports that are open to the same networks share one list', () => {
  const { sources, ports } = layOut(arrange(intentOf({ grants: ['tcp 9 10.0.0.0/8', 'udp 9-99 10.0.0.0/8', 'tcp 11 10.0.0.0/9'] }).grants))
  expect(sources.map((prefixes) => prefixes.map(formatPrefix))).toEqual([['10.0.0.0/8'], ['10.0.0.0/9']])
  expect(ports.get('udp')).toEqual([{ ports: { first: 9, last: 99 }, source: 0 }])
})

/** Sets by name, and networks by the ports that they reach. */
function flat({ sets, sources, ports }: Layout): Record<string, readonly string[]> {
  const networks = [...ports].flatMap(([protocol, spans]) =>
    spans.map(({ ports, source }) => [`${protocol} ${formatPortRange(ports)}`, (sources[source] ?? []).map(formatPrefix)] as const),
  )
  return { ...Object.fromEntries(sets), ...Object.fromEntries(networks) }
}

test('reachable ports are those of any source', () => {
  const openings = arrange(intentOf({ grants: ['tcp 22 10.0.0.1', 'tcp 23 fd00::/64', 'tcp 80 any', 'udp 99 any'] }).grants)
  expect(reachablePorts(openings, 'tcp')).toEqual([
    { first: 22, last: 23 },
    { first: 80, last: 80 },
  ])
})

/** Few ports and close addresses, so that most grants meet. */
const someGrant: fc.Arbitrary<Grant> = fc
  .record({
    protocol: fc.constantFrom(...TRANSPORT_PROTOCOLS.slice(0, 2)),
    first: fc.integer({ min: 1, max: 8 }),
    width: fc.integer({ min: 0, max: 4 }),
    family: fc.constantFrom(4 as const, 6 as const),
    low: fc.bigInt(0n, 15n),
    hostBits: fc.constantFrom(0, 1, 2, 3, 4, 'all' as const),
  })
  .map(({ protocol, first, width, family, low, hostBits }) => {
    const bits = family === 4 ? 32 : 128
    const from: Prefix = prefixOf({ family, value: low }, hostBits === 'all' ? 0 : bits - hostBits)
    return { protocol, ports: { first, last: first + width }, from, needs: [] }
  })
const someGrants = fc.array(someGrant, { maxLength: 12 })

const PROBES = [4, 6].flatMap((family) => [0n, 1n, 2n, 5n, 9n, 15n, 99n].map((value) => ({ family, value }) as Address))
const PORTS = Array.from({ length: 14 }, (_, index) => index)
const PACKETS = ['tcp', 'udp'].flatMap((name) => PORTS.flatMap((port) => PROBES.map((source) => ({ name, port, source }))))

const covers = ({ protocol, ports, from }: Opening, { name, port, source }: (typeof PACKETS)[number]): boolean =>
  protocol === name && containsPort(ports, port) && (from === 'any' || containsAddress(from, source))

describe('laws', () => {
  test('openings hold exactly the packets of the grants, each once', () => {
    fc.assert(
      fc.property(someGrants, (grants) => {
        const openings = arrange(grants)
        const wrong = PACKETS.filter((packet) => {
          const isGranted = grants.some((grant) => covers(grant, packet))
          return openings.filter((opening) => covers(opening, packet)).length !== (isGranted ? 1 : 0)
        })
        expect(wrong).toEqual([])
      }),
      { numRuns: 200 },
    )
  })

  test('the layout holds exactly the packets of the grants', () => {
    fc.assert(
      fc.property(someGrants, (grants) => {
        const laid = flat(layOut(arrange(grants)))
        const wrong = PACKETS.filter((packet) => isLaid(laid, packet) !== grants.some((grant) => covers(grant, packet)))
        expect(wrong).toEqual([])
      }),
      { numRuns: 100 },
    )
  })

  test('the order of grants makes no difference, nor a grant said twice', () => {
    const shuffled = someGrants.chain((grants) =>
      fc.tuple(fc.constant(grants), fc.shuffledSubarray([...grants, ...grants], { minLength: grants.length * 2 })),
    )
    fc.assert(fc.property(shuffled, ([grants, other]) => { expect(arrange(other)).toEqual(arrange(grants)) }))
  })

  test('cutting a grant at a port makes no difference', () => {
    const cut = (grant: Grant): Grant[] => {
      const middle = Math.floor((grant.ports.first + grant.ports.last) / 2)
      if (middle === grant.ports.last) return [grant]
      return [
        { ...grant, ports: { first: grant.ports.first, last: middle } },
        { ...grant, ports: { first: middle + 1, last: grant.ports.last } },
      ]
    }
    fc.assert(fc.property(someGrants, (grants) => { expect(arrange(grants.flatMap(cut))).toEqual(arrange(grants)) }))
  })
})

/** Reads a layout as the kernel does: each set by its name's key. */
function isLaid(laid: Readonly<Record<string, readonly string[]>>, { name, port, source }: (typeof PACKETS)[number]): boolean {
  const [address, { family }] = [formatAddress(source), source]
  const isWithin = (range: string): boolean => {
    const [first = '', last = first] = range.split('-')
    return Number(first) <= port && port <= Number(last)
  }
  return Object.entries(laid).some(([set, elements]) => {
    if (set.startsWith('hosts')) return set === `hosts${family}` && elements.includes(`${address} . ${name} . ${port}`)
    if (!set.startsWith('open')) {
      const [protocol, range = ''] = set.split(' ')
      return protocol === name && isWithin(range) && elements.some((prefix) => containsAddress(prefixIn(prefix), source))
    }
    const [scope = '', protocol] = set.slice('open'.length).split('_')
    if (scope !== '' && scope !== String(family)) return false
    return protocol === undefined ? elements.includes(`${name} . ${port}`) : protocol === name && elements.some(isWithin)
  })
}

function prefixIn(text: string): Prefix {
  const parsed = parsePrefix(text)
  if (!parsed.ok) throw new Error(`${text} is not a prefix`)
  return parsed.value
}
