import type { FlowObservation } from '@portcullis/core/inventory/observation.ts'
import { formatAddress, parseAddress, type Address } from '@portcullis/core/net/address.ts'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { indexFleet } from './fleetIndex.ts'
import { FlowFold, type FlowRecord } from './flowFold.ts'

/** As the readers give them: one object for each. */
const known = new Map<string, Address>()
const ip = (text: string): Address => {
  const read = parseAddress(text)
  if (!read.ok) throw new Error(text)
  const address = known.get(text) ?? read.value
  known.set(text, address)
  return address
}
const FLEET = indexFleet([{ name: 'srv', addresses: [ip('10.77.0.2')] }, { name: 'peer', addresses: [ip('10.77.0.3')] }])
const NAMES: Readonly<Record<string, string>> = { srv: '10.77.0.2', peer: '10.77.0.3', a: '192.0.2.1', b: '192.0.2.2', c: '192.0.2.3', d: '192.0.2.4' }
const HOUR_MS = 3_600_000
const PLACE = { file: 'f', line: 1, column: 1 }

/** `a:40000 → srv:50051 at 5`, in milliseconds of one hour; `udp`, `denied` and what the log told (`forward`, `reply`) behind it. */
function record(text: string): FlowRecord {
  const [, source = '', sourcePort, destination = '', destinationPort, at, rest = ''] = /^(\w+):(\d+) → (\w+):(\d+) at (\d+)(.*)$/.exec(text) ?? []
  const first = 10 * HOUR_MS + Number(at)
  return {
    protocol: rest.includes('udp') ? 'udp' : 'tcp',
    source: ip(NAMES[source] ?? ''), sourcePort: Number(sourcePort), destination: ip(NAMES[destination] ?? ''), destinationPort: Number(destinationPort),
    connections: 1, first, last: first + 1, verdict: rest.includes('denied') ? 'denied' : 'accepted',
    ...(rest.includes('forward') ? { direction: 'forward' } : rest.includes('reply') ? { direction: 'reply' } : {}),
  }
}

interface Folded {
  readonly said: readonly string[]
  readonly directions: FlowFold['directions']
  readonly strangers: number
}

function fold(records: readonly FlowRecord[], servers?: readonly string[]): Folded {
  const said: FlowObservation[] = []
  let strangers = 0
  const fleet = servers === undefined ? FLEET : { ...FLEET, isServer: (host: string, protocol: string, port: number) => servers.includes(`${host} ${protocol} ${port}`) }
  const flows = new FlowFold('log', fleet, (observation) => said.push(observation), (_, count) => (strangers += count))
  for (const each of records) flows.add(each, PLACE)
  flows.flush()
  return { said: said.map(words).toSorted(), directions: flows.directions, strangers }
}

const words = ({ host, protocol, port, source, connections, isAnswered, verdict }: FlowObservation): string =>
  `${host} ${protocol === 'tcp' ? '' : `${protocol} `}${port} from ${Object.keys(NAMES).find((name) => NAMES[name] === formatAddress(source))} x${connections}${isAnswered ? ' answered' : ''}${verdict === 'denied' ? ' denied' : ''}`

const clients = (...ports: number[]): string[] => ports.map((port, index) => `${'abcd'[index % 4]}:${port} → srv:50051 at 5`)

describe('which side is the server, where both ports are high or both are low', () => {
  test.each<[what: string, records: string[], said: string[], word: keyof FlowFold['directions'], strangers?: number, servers?: string[]]>([
    ['a listener of the fleet', ['srv:50051 → a:40000 at 5'], ['srv 50051 from a x1 answered'], 'known', 0, ['srv tcp 50051']],
    ['a listener, although the port numbers say otherwise', ['srv:50051 → a:20000 at 5'], ['srv 50051 from a x1 answered'], 'known', 0, ['srv tcp 50051']],
    ['both may serve: listeners do not tell, the ports do', ['peer:22 → srv:50051 at 5'], ['peer 22 from srv x1 answered'], 'guessed', 0, ['srv tcp 50051', 'peer tcp 22']],
    ['both were heard: who came first asked', ['a:40000 → srv:50051 at 5', 'srv:50051 → a:40000 at 6'], ['srv 50051 from a x1 answered'], 'inferred'],
    ['whatever stands first in the log', ['srv:50051 → a:40000 at 6', 'a:40000 → srv:50051 at 5'], ['srv 50051 from a x1 answered'], 'inferred'],
    ['two hosts of the fleet', ['peer:40000 → srv:50051 at 5', 'srv:50051 → peer:40000 at 6'], ['srv 50051 from peer x1 answered'], 'inferred'],
    ['two hosts, with one port for both, as of time servers', ['peer:123 → srv:123 at 5 udp', 'srv:123 → peer:123 at 6 udp'], ['srv udp 123 from peer x1 answered'], 'inferred'],
    ['out of the fleet: the server is a stranger', ['srv:40000 → a:50051 at 5', 'a:50051 → srv:40000 at 6'], [], 'inferred', 2],
    ['many peers, each of one port: replies only', clients(40_001, 40_002, 40_003).map((text) => text.replace(/^(\S+) → (\S+)/, '$2 → $1')), ['srv 50051 from a x1 answered', 'srv 50051 from b x1 answered', 'srv 50051 from c x1 answered'], 'inferred'],
    ['many connections of one client are as good', ['srv:2049 → a:701 at 5', 'srv:2049 → a:702 at 5', 'srv:2049 → a:703 at 5'], ['srv 2049 from a x3 answered'], 'inferred'],
    ['two may be chance: the only side that is ours counts', ['srv:50051 → a:40000 at 5', 'srv:50051 → b:40001 at 5'], ['srv 50051 from a x1 answered', 'srv 50051 from b x1 answered'], 'unknown'],
    ['one connection was there before the log, the others say what it was', [...clients(40_001, 40_002, 40_003), 'srv:50051 → b:40002 at 9', 'srv:50051 → a:40001 at 9', 'srv:50051 → c:40003 at 1'],
      ['srv 50051 from a x1 answered', 'srv 50051 from b x1 answered', 'srv 50051 from c x1 answered'], 'inferred'],
    ['datagrams from one port to many: nobody was heard to answer', ['peer:50000 → srv:60000 at 5 udp', 'peer:50000 → a:60000 at 5 udp', 'peer:50000 → b:60000 at 5 udp'], ['peer udp 50000 from a x1 answered', 'peer udp 50000 from b x1 answered', 'srv udp 60000 from peer x1'], 'unknown'],
    ['a controller that asks many from one port is a client', ['a:50000 → srv:60000 at 5 udp', 'srv:60000 → a:50000 at 6 udp', 'a:50000 → peer:60000 at 5 udp', 'peer:60000 → a:50000 at 6 udp', 'a:50000 → b:60000 at 5 udp', 'b:60000 → a:50000 at 6 udp'],
      ['peer udp 60000 from a x1 answered', 'srv udp 60000 from a x1 answered'], 'inferred', 2],
    ['nothing tells: the destination', ['peer:40000 → srv:50051 at 5'], ['srv 50051 from peer x1'], 'unknown'],
    ['nothing tells, and both were heard at once: both are kept', ['peer:40000 → srv:50051 at 5', 'srv:50051 → peer:40000 at 5'], ['peer 40000 from srv x1', 'srv 50051 from peer x1'], 'unknown'],
    ['what was denied is an attempt at its destination', ['a:61000 → srv:50001 at 1 denied', 'a:61000 → srv:50002 at 2 denied', 'a:61000 → srv:50003 at 3 denied'], ['srv 50001 from a x1 denied', 'srv 50002 from a x1 denied', 'srv 50003 from a x1 denied'], 'unknown'],
    ['denied on the way out is none of ours', ['srv:40000 → a:50051 at 1 denied'], [], 'unknown', 1],
  ])('%s', (_, records, said, word, strangers = 0, servers) => {
    const found = fold(records.map(record), servers)
    expect(found.said).toEqual(said)
    expect(found.directions).toEqual({ told: 0, known: 0, guessed: 0, inferred: 0, unknown: 0, [word]: records.length })
    expect(found.strangers).toBe(strangers)
  })

  test('the log tells of some connections to a port: those that it leaves open go there too, whatever comes first', () => {
    const records = ['srv:50051 → b:40002 at 3', 'a:40001 → srv:50051 at 5 forward'].map(record)
    for (const order of [records, records.toReversed()]) expect(fold(order)).toMatchObject({ said: ['srv 50051 from a x1', 'srv 50051 from b x1 answered'], directions: { told: 1, inferred: 1, unknown: 0 } })
  })

  test('more than are held at a time: all of them are told, none is lost', { timeout: 60_000 }, () => {
    const first = record('a:40000 → srv:50051 at 5')
    const records = Array.from({ length: 60_000 }, (_, index): FlowRecord => ({ ...first, sourcePort: 32_768 + (index % 30_000), destinationPort: 50_051 + Math.floor(index / 30_000) }))
    const { said, directions } = fold(records)
    expect(said).toEqual(['srv 50051 from a x30000', 'srv 50052 from a x30000'])
    expect(directions).toEqual({ told: 0, known: 0, guessed: 0, inferred: 60_000, unknown: 0 })
  })
})

/** Law: a log says the same in whatever order its records of an hour stand, as exporters write them when connections end. */
test('shuffled within the hour, a log says the same', () => {
  const host = fc.constantFrom('srv', 'peer', 'a', 'b')
  const port = fc.constantFrom(22, 123, 40_000, 40_001, 50_051)
  const written = fc.record({ source: host, sourcePort: port, destination: host, destinationPort: port, at: fc.nat(9), more: fc.constantFrom('', '', '', ' udp', ' denied', ' forward', ' reply') })
  const log = fc.array(written.map(({ source, sourcePort, destination, destinationPort, at, more }) => `${source}:${sourcePort} → ${destination}:${destinationPort} at ${at}${more}`), { maxLength: 60 })
  fc.assert(
    fc.property(log.chain((lines) => fc.tuple(fc.constant(lines), fc.shuffledSubarray(lines, { minLength: lines.length }))), ([lines, shuffled]) => {
      expect(fold(shuffled.map(record), ['srv tcp 22'])).toEqual(fold(lines.map(record), ['srv tcp 22']))
    }),
  )
})
