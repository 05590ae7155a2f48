import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { Namespace, Spawned } from '../netns.ts'
import { addContainer, DOCKER_RULES, HOST, load, openTrap, OUTSIDE, put, sleep, textOf, until, without, type Trap } from './trap.ts'

/** Trap: a flow outlives its port. What is closed for new connections goes on for the established ones, for days. Cure: `closing`. */
let trap: Trap
let container: Namespace
const alive: Spawned[] = []
const open = textOf({ generation: 1, grants: ['tcp 8444 any', 'tcp 8080 any', 'tcp 30080 any', 'udp 8444 any'] })
const closed = textOf({ generation: 2 })

beforeAll(async () => {
  trap = await openTrap('cut')
  container = await addContainer(trap)
})
afterAll(() => trap[Symbol.asyncDispose]())
afterEach(async () => {
  await Promise.all(alive.splice(0).map((process) => process.kill('SIGKILL')))
  await trap.host.must(['nft', 'flush', 'ruleset'])
})

const close = (protocol: string, port: number) =>
  put(trap.host, { watch_in: 'ipv4', watch_out: 'ipv4', closing: `${protocol} . ${port}` })

const PLACES = [
  { name: 'the host', port: 8444, inside: 8444 },
  { name: 'a published port', port: 8080, inside: 80 },
  { name: 'a redirected port', port: 30_080, inside: 8445 },
] as const
const DIRECTIONS = ['in', 'out'] as const
const cases = PLACES.flatMap((place) => DIRECTIONS.map((direction) => [place.name, direction, place] as const))

describe('a stream', () => {
  test.each(cases)('to %s, bytes going %s: goes on after the policy has closed its port', async (_name, direction, place) => {
    const stream = await openStream(direction, place)
    await load(trap.host, closed)
    await sleep(300)
    expect(await stream.bytesWithin(500)).toBeGreaterThan(0)
  })

  test.each(cases)('to %s, bytes going %s: `closing` ends it, and tells the sender', async (_name, direction, place) => {
    const stream = await openStream(direction, place)
    await load(trap.host, closed)
    await close('tcp', place.port)
    const since = performance.now()
    await until(async () => stream.hasSenderEnded())
    expect(performance.now() - since).toBeLessThan(1_000)
    expect(await stream.bytesWithin(300)).toBe(0)
  })

  test.each(PLACES.map((place) => [place.name, place] as const))('to %s: without the chain for replies, the sender is not told', async (_name, place) => {
    const stream = await openStream('out', place)
    await load(trap.host, without(closed, 'jump closing_back', 'counter'))
    await close('tcp', place.port)
    await sleep(500)
    expect(stream.hasSenderEnded()).toBe(false)
  })
})

describe('one source', () => {
  const closeFor = (source: string, port: number) => {
    const family = source.includes(':') ? 6 : 4
    return put(trap.host, { watch_in: `ipv${family}`, watch_out: `ipv${family}`, [`closing${family}`]: `${source} . tcp . ${port}` })
  }

  test.each(cases)('to %s, bytes going %s: is cut, another is not', async (_name, direction, place) => {
    const stream = await openStream(direction, place)
    await closeFor(OUTSIDE.other, place.port)
    expect(await stream.bytesWithin(300)).toBeGreaterThan(0)
    await closeFor(OUTSIDE.ipv4, place.port)
    await until(async () => stream.hasSenderEnded())
    expect(await stream.bytesWithin(300)).toBe(0)
  })

  test.each(DIRECTIONS)('of IPv6, bytes going %s: is cut', async (direction) => {
    const stream = await openStream(direction, PLACES[0], { listen: 'TCP6-LISTEN', address: `TCP6:[${HOST.ipv6}]` })
    await closeFor('fd61::/64', 8444)
    await until(async () => stream.hasSenderEnded())
    expect(await stream.bytesWithin(300)).toBe(0)
  })
})

test('a port of another machine that this host uses is not cut', async () => {
  trap.outside.spawn(['socat', 'TCP4-LISTEN:8444,reuseaddr,fork', 'SYSTEM:while echo tick; do sleep 0.02; done'])
  await until(async () => (await trap.outside.must(['ss', '-Hlnt', 'sport = :8444'])) !== '')
  await load(trap.host, closed)
  const flow = trap.host.spawn(['socat', '-u', 'TCP4:10.61.0.1:8444', '-'])
  alive.push(flow)
  let ticks = 0
  flow.process.stdout?.on('data', () => (ticks += 1))
  await until(async () => ticks > 2)
  await close('tcp', 8444)
  await sleep(200)
  const before = ticks
  await sleep(300)
  expect(ticks).toBeGreaterThan(before)
})

test('without the cure, the reset to the other end is stopped by the chain for replies', async () => {
  const stream = await openStream('in', PLACES[0])
  await load(trap.host, without(closed, 'tcp flags & rst == rst return\n', '\n'))
  await close('tcp', 8444)
  await sleep(500)
  expect(stream.hasSenderEnded()).toBe(false)
})

test('datagrams that the host pushes are cut', async () => {
  const pushed = async () => {
    const server = trap.host.spawn(['socat', 'UDP4-LISTEN:8444,reuseaddr', 'SYSTEM:while echo tick; do sleep 0.02; done'])
    alive.push(server)
    await until(async () => (await trap.host.must(['ss', '-Hlnu', 'sport = :8444'])) !== '')
    const client = trap.outside.spawn(['socat', '-', `UDP4:${HOST.ipv4}:8444`])
    alive.push(client)
    let ticks = 0
    client.process.stdout?.on('data', () => (ticks += 1))
    client.process.stdin?.write('hello')
    return () => ticks
  }
  await load(trap.host, open)
  const ticks = await pushed()
  await until(async () => ticks() > 2)
  await load(trap.host, closed)
  await close('udp', 8444)
  await sleep(200)
  const before = ticks()
  await sleep(300)
  expect(ticks()).toBe(before)
})

interface Stream {
  hasSenderEnded(): boolean
  bytesWithin(durationMs: number): Promise<number>
}

/** A flow that carries bytes one way only, `in` to the host or `out` of it. */
async function openStream(
  direction: 'in' | 'out',
  { port, inside }: (typeof PLACES)[number],
  { listen: listener, address } = { listen: 'TCP4-LISTEN', address: `TCP4:${HOST.ipv4}` },
): Promise<Stream> {
  await load(trap.host, DOCKER_RULES)
  await load(trap.host, 'table ip kube {\n chain prerouting { type nat hook prerouting priority dstnat; policy accept; tcp dport 30080 redirect to :8445; }\n}')
  await load(trap.host, open)
  const at = inside === 80 ? container : trap.host
  const listen = `${listener}:${inside},reuseaddr`
  const connect = `${address}:${port}`
  const source = 'SYSTEM:while echo tick; do sleep 0.01; done'
  const server = at.spawn(direction === 'in' ? ['socat', '-u', listen, '-'] : ['socat', '-u', source, listen])
  await until(async () => (await at.must(['ss', '-Hlnt', `sport = :${inside}`])) !== '')
  const client = trap.outside.spawn(direction === 'in' ? ['socat', '-u', source, connect] : ['socat', '-u', connect, '-'])
  alive.push(server, client)
  const [sender, receiver] = direction === 'in' ? [client, server] : [server, client]
  let bytes = 0
  receiver.process.stdout?.on('data', (chunk: Buffer) => (bytes += chunk.length))
  await until(async () => bytes > 20)
  return {
    hasSenderEnded: () => sender.process.exitCode !== null,
    bytesWithin: async (durationMs) => {
      const before = bytes
      await sleep(durationMs)
      return bytes - before
    },
  }
}
