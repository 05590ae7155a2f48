import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { FlowEnd } from '../../adapters/transport/lab/flow.ts'
import type { Namespace, Spawned } from '../netns.ts'
import { addContainer, DOCKER_RULES, HOST, load, openScript, openTrap, OUTSIDE, put, sleep, textOf, until, without, type Trap } from './trap.ts'

/** Trap: a flow outlives its port. What is closed for new connections goes on for the established ones, for days. Cure: `closing4`, `closing6`. */
let trap: Trap
let container: Namespace
const alive: Spawned[] = []
const open = textOf({ generation: 1, grants: ['tcp 8444 any', 'tcp 8080 any', 'tcp 30080 any', 'udp 8444 any'] })
const closed = textOf({ generation: 2 })
const REDIRECT = 'table ip kube {\n chain prerouting { type nat hook prerouting priority dstnat; policy accept; tcp dport 30080 redirect to :8445; }\n}\n'

beforeAll(async () => {
  trap = await openTrap('cut')
  container = await addContainer(trap)
})
afterAll(() => trap[Symbol.asyncDispose]())
afterEach(async () => {
  await Promise.all(alive.splice(0).map((process) => process.kill('SIGKILL')))
  await trap.host.must(['nft', 'flush', 'ruleset'])
})

const close = (protocol: string, port: number, source: string = OUTSIDE.ipv4) => {
  const family = source.includes(':') ? 6 : 4
  return put(trap.host, { watch_in: `ipv${family}`, watch_out: `ipv${family}`, [`closing${family}`]: `${source} . ${protocol} . ${port}` })
}

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
  test.each(cases)('to %s, bytes going %s: is cut, another is not', async (_name, direction, place) => {
    const stream = await openStream(direction, place)
    await close('tcp', place.port, OUTSIDE.other)
    expect(await stream.bytesWithin(300)).toBeGreaterThan(0)
    await close('tcp', place.port)
    await until(async () => stream.hasSenderEnded())
    expect(await stream.bytesWithin(300)).toBe(0)
  })

  test.each(DIRECTIONS)('of IPv6, bytes going %s: is cut', async (direction) => {
    const stream = await openStream(direction, PLACES[0], { listen: 'TCP6-LISTEN', address: `TCP6:[${HOST.ipv6}]` })
    await close('tcp', 8444, 'fd61::/64')
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

describe('the verb that cuts by client and port', () => {
  const LAST_BYTE_MS_MAX = 50

  test.each(cases)('to %s, bytes going %s: nothing comes any more, the ends are told, and it is said that none is left', async (_name, direction, place) => {
    using script = openScript(trap.host)
    const stream = await openStream(direction, place)
    await load(trap.host, closed)
    expect(await script.say('cut', `tcp ${place.port} ${OUTSIDE.ipv4}\n`)).toBe('cut 1 0 0 0\n')
    await until(async () => stream.hasSenderEnded())
    expect(await stream.bytesWithin(300)).toBe(0)
  })

  test.each(cases)('to %s, bytes going %s: the last byte comes within 50 ms', async (_name, direction, { port, inside }) => {
    using script = openScript(trap.host)
    await script.say('version')
    await load(trap.host, DOCKER_RULES)
    await load(trap.host, REDIRECT)
    await load(trap.host, open)
    const at = inside === 80 ? container : trap.host
    const [serverDoes, clientDoes] = direction === 'in' ? ['sink', 'push'] : ['push', 'sink']
    const server = await beginFlow(at, 'serve', String(inside), serverDoes)
    const client = await beginFlow(trap.outside, 'use', HOST.ipv4, String(port), clientDoes)
    await sleep(300)
    await load(trap.host, closed)
    const limitMs = LAST_BYTE_MS_MAX * (await slowness())
    // Starting the shell of the call is in it.
    const beganMs = Date.now()
    expect(await script.say('cut', `tcp ${port} ${OUTSIDE.ipv4}\n`, AT_ONCE)).toBe('cut 1 0 0 0\n')
    const receiver = await (direction === 'in' ? server : client)()
    expect(receiver.bytes).toBeGreaterThan(0)
    expect(receiver.lastAt - beganMs).toBeLessThanOrEqual(limitMs)
  })

  test('another client, what the host says to itself, and a lease of the same port live on', async () => {
    using script = openScript(trap.host)
    const stream = await openStream('out', PLACES[0])
    const inside = trap.host.spawn(['socat', '-u', 'TCP4:127.0.0.1:8446', '-'])
    trap.host.spawn(['socat', '-u', 'SYSTEM:while echo tick; do sleep 0.01; done', 'TCP4-LISTEN:8446,reuseaddr'])
    alive.push(inside)
    await load(trap.host, closed)
    expect(await script.say('cut', `tcp 8444 ${OUTSIDE.other}\ntcp 8446 127.0.0.1\n`)).toBe('cut 0 0 0 0\n')
    await script.say(`lease add tcp 8444 ${OUTSIDE.ipv4} 60`)
    expect(await script.say('cut', `tcp 8444 ${OUTSIDE.ipv4}\n`)).toBe('cut 0 0 0 1\n')
    expect(await stream.bytesWithin(300)).toBeGreaterThan(0)
  })

  test('a forwarded flow that says nothing is forgotten, and told to be one whose ends do not know', async () => {
    using script = openScript(trap.host)
    await load(trap.host, DOCKER_RULES)
    await load(trap.host, open)
    const server = container.spawn(['socat', '-u', 'TCP4-LISTEN:80,reuseaddr', '-'])
    await until(async () => (await container.must(['ss', '-Hlnt', 'sport = :80'])) !== '')
    const client = trap.outside.spawn(['socat', '-u', 'EXEC:sleep 60', `TCP4:${HOST.ipv4}:8080`])
    alive.push(server, client)
    await until(async () => (await trap.host.run(['conntrack', '-L', '-p', 'tcp', '--orig-port-dst', '8080'])).stdout.includes('ESTABLISHED'))
    await load(trap.host, closed)
    expect(await script.say('cut', `tcp 8080 ${OUTSIDE.ipv4}\n`)).toBe('cut 1 0 1 0\n')
    expect((await trap.host.run(['conntrack', '-L', '-p', 'tcp', '--orig-port-dst', '8080'])).stdout).not.toContain('ESTABLISHED')
  })

  test('datagrams are refused and forgotten', async () => {
    using script = openScript(trap.host)
    await load(trap.host, open)
    const server = trap.host.spawn(['socat', 'UDP4-LISTEN:8444,reuseaddr', 'SYSTEM:while echo tick; do sleep 0.02; done'])
    await until(async () => (await trap.host.must(['ss', '-Hlnu', 'sport = :8444'])) !== '')
    const client = trap.outside.spawn(['socat', '-', `UDP4:${HOST.ipv4}:8444`])
    alive.push(server, client)
    let ticks = 0
    client.process.stdout?.on('data', () => (ticks += 1))
    client.process.stdin?.write('hello')
    await until(async () => ticks > 2)
    await load(trap.host, closed)
    expect(await script.say('cut', `udp 8444 ${OUTSIDE.ipv4}\n`)).toBe('cut 1 0 0 0\n')
    const before = ticks
    await sleep(300)
    expect(ticks).toBe(before)
  })

  test.each(['tcp 8444', 'tcp 8444 face', 'tcp 8444 10.0.0.0/8', 'tcp 08444 10.0.0.1', 'tcp 0 10.0.0.1', 'tcp 65536 10.0.0.1', 'icmp 1 10.0.0.1', 'tcp 1 1::2::3', 'tcp 1 10.0.0.1; flush ruleset'])('%s is refused', async (line) => {
    using script = openScript(trap.host)
    await load(trap.host, closed)
    await expect(script.say('cut', `tcp 8444 10.0.0.1\n${line}\n`)).rejects.toThrow(/PROTO PORT ADDRESS/)
    expect(await closing()).toEqual([])
  })

  test('again while the former call still closes: another client is cut as well, and watched as long', async () => {
    using script = openScript(trap.host)
    const stream = await openStream('out', PLACES[0])
    await load(trap.host, closed)
    expect(await script.say('cut', `tcp 8444 ${OUTSIDE.other}\n`)).toBe('cut 0 0 0 0\n')
    await sleep(2_000)
    expect(await script.say('cut', `tcp 8444 ${OUTSIDE.other}\ntcp 8444 ${OUTSIDE.ipv4}\n`)).toBe('cut 1 0 0 0\n')
    expect(Number(/expires (\d+)s/.exec(await trap.host.must(['nft', 'list set inet portcullis watch_in']))?.[1])).toBeGreaterThanOrEqual(3)
    await until(async () => stream.hasSenderEnded())
  })

  test('waits for whoever holds the host, and closes nothing when that takes too long', { timeout: 30_000 }, async () => {
    using script = openScript(trap.host)
    await load(trap.host, closed)
    await expect(script.say('cut', `tcp 8444 ${OUTSIDE.ipv4}\n`, ['sh', '-c', 'mkdir -p "${1%/lock}"; exec flock "$@"', 'sh', `${script.run}/lock`])).rejects.toThrow(/another call has held this host/)
    expect(await closing()).toEqual([])
  })

  test.each([
    ['one line, which the shell reads itself', 1],
    ['more than the shell reads itself', 400],
    ['as many as it takes', 5_000],
  ])('in a session: %s, and the next request follows at once', async (_name, count) => {
    using script = openScript(trap.host)
    await load(trap.host, closed)
    const lines = Array.from({ length: count }, (_line, index) => `tcp ${index + 1} 10.61.0.9\n`).join('')
    expect(await script.say('session', `${lines.length} cut\n${lines}0 nothing\n`)).toMatch(/reply 0 12 0\ncut 0 0 0 0\nreply 2 /)
    expect(await closing()).toHaveLength(count)
  })

  test.each(['tcp 8444 10.61.0.1', 'tcp 8444 10.61.0.12\n'])('in a session that ends within its input (%j), nothing is closed', async (begun) => {
    using script = openScript(trap.host)
    await load(trap.host, closed)
    await expect(script.say('session', `30 cut\n${begun}`)).rejects.toThrow(/portcullis-host session/)
    expect(await closing()).toEqual([])
  })
})

const closing = async (): Promise<string[]> => (await trap.host.must(['nft', 'list set inet portcullis closing4'])).match(/[\d.]+ \. tcp \. \d+/g) ?? []

/** A machine that has nothing else to do starts a program in this time; the limit holds for such a one. */
const START_MS = 1

/** How many times slower this machine starts programs at the moment, at least 1: the call is made of little else. */
async function slowness(): Promise<number> {
  const beganMs = performance.now()
  const programs = 20
  await trap.host.must([...AT_ONCE, 'sh', '-c', `for each in $(seq ${programs}); do /bin/true; done`])
  return Math.max(1, (performance.now() - beganMs) / programs / START_MS)
}

/** Before everybody else, so that what is measured is the cutting and not how busy the machine is. */
const AT_ONCE = ['chrt', '--fifo', '1'] as const
const FLOW = join(import.meta.dirname, '../../adapters/transport/lab/flow.ts')

async function beginFlow(at: Namespace, ...words: readonly string[]): Promise<() => Promise<FlowEnd>> {
  const flow = at.spawn([...AT_ONCE, process.execPath, FLOW, ...words])
  alive.push(flow)
  if (!flow.process.stdout) throw new Error('a flow has no output')
  const lines = createInterface({ input: flow.process.stdout })[Symbol.asyncIterator]()
  expect((await lines.next()).value).toBe('ready')
  return async () => JSON.parse(String((await lines.next()).value)) as FlowEnd
}

interface Stream {
  hasSenderEnded(): boolean
  /** On the clock of this process. */
  lastByteAt(): number
  bytesWithin(durationMs: number): Promise<number>
}

/** A flow that carries bytes one way only, `in` to the host or `out` of it. */
async function openStream(
  direction: 'in' | 'out',
  { port, inside }: (typeof PLACES)[number],
  { listen: listener, address } = { listen: 'TCP4-LISTEN', address: `TCP4:${HOST.ipv4}` },
): Promise<Stream> {
  await load(trap.host, DOCKER_RULES)
  await load(trap.host, REDIRECT)
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
  let [bytes, lastByteAt] = [0, 0]
  receiver.process.stdout?.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    lastByteAt = performance.now()
  })
  await until(async () => bytes > 20)
  return {
    hasSenderEnded: () => sender.process.exitCode !== null,
    lastByteAt: () => lastByteAt,
    bytesWithin: async (durationMs) => {
      const before = bytes
      await sleep(durationMs)
      return bytes - before
    },
  }
}
