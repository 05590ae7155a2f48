import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { counted, counterOf, HOST, load, openTrap, OUTSIDE, put, reach, serve, sleep, textOf, until, without, type Trap } from './trap.ts'

let trap: Trap
const grants = ['tcp 443 any', 'udp 5000 any', 'tcp 5432 10.61.0.1', 'tcp 5433 10.61.0.8/29', 'tcp 5434 fd61::/64', 'tcp 9000-9010 any']

beforeAll(async () => {
  trap = await openTrap('gate')
  for (const port of [22, 23, 443, 5432, 5433, 5434, 9005]) await serve(trap.host, 'tcp', port)
  for (const port of [5000, 5001]) await serve(trap.host, 'udp', port)
})
afterAll(() => trap[Symbol.asyncDispose]())
beforeEach(() => trap.host.run(['nft', 'delete', 'table', 'inet', 'portcullis']))

describe('only what is granted is open', () => {
  const from = (protocol: 'tcp' | 'udp', address: string, port: number, source?: string) =>
    reach(trap.outside, protocol, address, port, source)

  test.each([
    ['tcp', HOST.ipv4, 443, undefined, 'open'],
    ['tcp', HOST.ipv6, 443, undefined, 'open'],
    ['udp', HOST.ipv4, 5000, undefined, 'open'],
    ['udp', HOST.ipv6, 5000, undefined, 'open'],
    ['tcp', HOST.ipv4, 9005, undefined, 'open'],
    ['tcp', HOST.ipv4, 5432, OUTSIDE.ipv4, 'open'],
    ['tcp', HOST.ipv4, 5432, OUTSIDE.other, 'silent'],
    ['tcp', HOST.ipv4, 5433, OUTSIDE.other, 'open'],
    ['tcp', HOST.ipv4, 5433, OUTSIDE.ipv4, 'silent'],
    ['tcp', HOST.ipv6, 5434, undefined, 'open'],
    ['tcp', HOST.ipv4, 5434, undefined, 'silent'],
    ['tcp', HOST.ipv4, 23, undefined, 'silent'],
    ['tcp', HOST.ipv6, 23, undefined, 'silent'],
    ['udp', HOST.ipv4, 5001, undefined, 'silent'],
    ['udp', HOST.ipv6, 5001, undefined, 'silent'],
    ['tcp', HOST.ipv4, 22, undefined, 'silent'],
  ] as const)('%s %s %d from %s: %s', async (protocol, address, port, source, expected) => {
    await load(trap.host, textOf({ grants }))
    expect(await from(protocol, address, port, source)).toBe(expected)
  })

  test('every one of them is open without the gate', async () => {
    for (const port of [22, 23, 443, 5432, 5433, 5434, 9005]) expect(await from('tcp', HOST.ipv4, port)).toBe('open')
    expect(await from('udp', HOST.ipv6, 5001)).toBe('open')
  })

  test('rejecting answers at once', async () => {
    await load(trap.host, textOf({ grants, refusal: 'reject' }))
    for (const address of [HOST.ipv4, HOST.ipv6]) {
      expect(await from('tcp', address, 23)).toBe('refused')
      expect(await from('udp', address, 5001)).toBe('refused')
      expect(await from('tcp', address, 443)).toBe('open')
    }
  })

  test('loopback stays open', async () => {
    await load(trap.host, textOf({ grants }))
    expect(await reach(trap.host, 'tcp', '127.0.0.1', 23)).toBe('open')
    expect(await reach(trap.host, 'tcp', HOST.ipv4, 23)).toBe('open')
    await load(trap.host, without(textOf({ grants }), 'iif "lo" accept\n', '\n'))
    expect(await reach(trap.host, 'tcp', '127.0.0.1', 23)).toBe('silent')
  })

  test('ping answers when the intent says so', async () => {
    const pings = async () => (await trap.outside.run(['ping', '-c1', '-W1', HOST.ipv4])).exitCode === 0
    await load(trap.host, textOf({ ping: true }))
    expect(await pings()).toBe(true)
    await load(trap.host, textOf({ ping: false }))
    expect(await pings()).toBe(false)
    // What has no ports is counted at port 0, not at whatever its header holds there.
    expect(await counted(trap.host, 'denied4')).toEqual({ [`${OUTSIDE.ipv4} . icmp . 0`]: 1 })
  })
})

describe('every new connection is counted', () => {
  test.each([
    ['dropped before connection tracking', 'drop', 23],
    ['dropped after it', 'drop', 40_000],
    ['rejected', 'reject', 23],
  ] as const)('%s', async (_, refusal, port) => {
    await load(trap.host, textOf({ refusal }))
    await reach(trap.outside, 'tcp', HOST.ipv6, port)
    // A slow second sees the SYN again, so what is exact is that both count the same.
    const [flows, ports] = [await counted(trap.host, 'denied6'), await counted(trap.host, 'denied_ports')]
    const syns = flows[`${OUTSIDE.ipv6} . tcp . ${port}`]
    expect(syns).toBeGreaterThan(0)
    expect(flows).toEqual({ [`${OUTSIDE.ipv6} . tcp . ${port}`]: syns })
    expect(ports).toEqual({ [`tcp . ${port}`]: syns })
  })

  test('a SYN to a port that nobody may reach costs no connection tracking', async () => {
    const seenByGate = async (text: string) => {
      await load(trap.host, without(text, '		ct state established,related accept\n', '		tcp dport 23 counter\n		ct state established,related accept\n'))
      await reach(trap.outside, 'tcp', HOST.ipv4, 23)
      return Number(/tcp dport 23 counter packets (\d+)/.exec(await trap.host.must(['nft', 'list', 'chain', 'inet', 'portcullis', 'gate']))?.[1])
    }
    expect(await seenByGate(textOf({}))).toBe(0)
    expect(await seenByGate(textOf({ refusal: 'reject' }))).toBeGreaterThan(0)
    expect(await seenByGate(textOf({ grants: ['tcp 23 10.99.0.1'] }))).toBeGreaterThan(0)
  })

  test('accepted ones, established segments not', async () => {
    await load(trap.host, textOf({ grants }))
    await reach(trap.outside, 'tcp', HOST.ipv4, 443)
    await reach(trap.outside, 'tcp', HOST.ipv4, 443)
    await reach(trap.outside, 'tcp', HOST.ipv4, 5432, OUTSIDE.ipv4)
    expect(await counted(trap.host, 'seen4')).toEqual({ [`${OUTSIDE.ipv4} . tcp . 443`]: 2, [`${OUTSIDE.ipv4} . tcp . 5432`]: 1 })
    expect(await counted(trap.host, 'accepted_ports')).toEqual({ 'tcp . 443': 2, 'tcp . 5432': 1 })
  })

  test('observing counts what it would deny, and lets it pass', async () => {
    await load(trap.host, textOf({ mode: 'observe' }))
    expect(await reach(trap.outside, 'tcp', HOST.ipv4, 23)).toBe('open')
    expect(await reach(trap.outside, 'udp', HOST.ipv6, 5001)).toBe('open')
    expect(await counted(trap.host, 'denied4')).toEqual({ [`${OUTSIDE.ipv4} . tcp . 23`]: 1 })
    expect(await counted(trap.host, 'denied6')).toEqual({ [`${OUTSIDE.ipv6} . udp . 5001`]: 1 })
  })

  test('what no longer fits is counted by port, and as lost', async () => {
    await load(trap.host, without(textOf({}), 'size 16384', 'size 4'))
    // The port range is split so that both the early and the late drop are met.
    for (const port of [101, 102, 103, 104, 105, 106, 40_001, 40_002]) {
      await trap.outside.run(['socat', '-u', `TCP4:${HOST.ipv4}:${port},connect-timeout=0.1`, '-'])
    }
    expect(Object.keys(await counted(trap.host, 'denied4'))).toHaveLength(4)
    expect(await counterOf(trap.host, 'denied_lost')).toBe(4)
    expect(Object.values(await counted(trap.host, 'denied_ports'))).toEqual(Array(8).fill(1))
  })
})

describe('blocks', () => {
  const block = (address: string) => put(trap.host, { watch_in: 'ipv4', block4: address })

  test('a blocked source reaches nothing, others do', async () => {
    await load(trap.host, textOf({ grants }))
    await block(OUTSIDE.other)
    expect(await reach(trap.outside, 'tcp', HOST.ipv4, 443, OUTSIDE.other)).toBe('silent')
    expect(await reach(trap.outside, 'tcp', HOST.ipv4, 443, OUTSIDE.ipv4)).toBe('open')
    expect(await counterOf(trap.host, 'blocked')).toBeGreaterThan(0)
  })

  test('an established flow ends too', async () => {
    await load(trap.host, textOf({ grants: ['tcp 5999 any'] }))
    const server = trap.host.spawn(['socat', '-u', 'TCP4-LISTEN:5999,reuseaddr', '-'])
    let ticks = 0
    server.process.stdout?.on('data', () => (ticks += 1))
    await until(async () => (await trap.host.must(['ss', '-Hlnt', 'sport = :5999'])) !== '')
    const client = trap.outside.spawn(['socat', '-u', 'SYSTEM:while echo tick; do sleep 0.02; done', `TCP4:${HOST.ipv4}:5999,bind=${OUTSIDE.other}`])
    await until(async () => ticks > 2)
    await block(OUTSIDE.other)
    await sleep(200)
    const before = ticks
    await sleep(300)
    expect(ticks).toBe(before)
    await Promise.all([client.kill('SIGKILL'), server.kill('SIGKILL')])
  })

  test('never the way back to the host', async () => {
    const management = ['tcp 22 10.61.0.0/24']
    const text = textOf({ grants, management })
    await load(trap.host, text)
    await block(OUTSIDE.ipv4)
    expect(await reach(trap.outside, 'tcp', HOST.ipv4, 22, OUTSIDE.ipv4)).toBe('open')
    expect(await reach(trap.outside, 'tcp', HOST.ipv4, 443, OUTSIDE.ipv4)).toBe('silent')
    await load(trap.host, without(text, 'jump blocked', 'drop'))
    expect(await reach(trap.outside, 'tcp', HOST.ipv4, 22, OUTSIDE.ipv4)).toBe('silent')
  })
})

test('the live table tells its generation', async () => {
  await load(trap.host, textOf({ generation: 7 }))
  await load(trap.host, textOf({ generation: 8 }))
  expect(await trap.host.must(['nft', '-t', 'list', 'chain', 'inet', 'portcullis', 'about'])).toContain('generation 8 enforce')
})
