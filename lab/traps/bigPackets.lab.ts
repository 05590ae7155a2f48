import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Namespace } from '../netns.ts'
import { HOST, load, openTrap, OUTSIDE, textOf, until, without, type Trap } from './trap.ts'

/** Traps: the later fragments of a datagram have no ports, and big packets vanish when the message that they are too big is denied. */
describe('a datagram in fragments', () => {
  let trap: Trap
  const text = textOf({ grants: ['udp 5000 any'] })
  const datagram = 'x'.repeat(4_000)

  beforeAll(async () => {
    trap = await openTrap('frag')
    for (const port of [5000, 5001]) trap.host.spawn(['socat', '-b', '9000', `UDP6-RECVFROM:${port},ipv6only=0,fork`, 'PIPE'])
    await until(async () => (await trap.host.must(['ss', '-Hlnu'])).trim().split('\n').length === 2)
  })
  afterAll(() => trap[Symbol.asyncDispose]())
  afterEach(() => trap.host.run(['nft', 'flush', 'ruleset']))

  const echoed = async (address: string, port: number): Promise<boolean> => {
    const reply = await trap.outside.run(['socat', '-b', '9000', '-T1', '-', `${address}:${port}`], { input: datagram })
    return reply.stdout === datagram
  }
  const both = [`UDP4:${HOST.ipv4}`, `UDP6:[${HOST.ipv6}]`]

  test.each(both)('reaches an open port whole, and no closed one (%s)', async (address) => {
    await load(trap.host, text)
    expect(await echoed(address, 5000)).toBe(true)
    expect(await echoed(address, 5001)).toBe(false)
  })

  test.each(both)('without the cure, it is lost where nothing puts it together first (%s)', async (address) => {
    await load(trap.host, `table inet portcullis {
      chain gate { type filter hook prerouting priority -450; policy accept; meta l4proto udp udp dport 5000 accept; meta l4proto { icmp, ipv6-icmp } accept; drop; }
    }`)
    expect(await echoed(address, 5000)).toBe(false)
  })
})

describe('a path that takes smaller packets only', () => {
  let trap: Trap
  let far: Namespace
  const FAR = { ipv4: '10.62.0.2', ipv6: 'fd62::2' } as const
  const text = textOf({ grants: ['tcp 443 any'] })
  const BYTES = 300_000

  beforeAll(async () => {
    trap = await openTrap('pmtu')
    far = await trap.spaces.add('far')
    // `outside` becomes the router between the host and `far`. Its own end alone is narrow, so that `far` still asks for full segments.
    await trap.spaces.link(
      { at: trap.outside, device: 'far0', addresses: ['10.62.0.1/24', 'fd62::1/64'] },
      { at: far, device: 'eth0', addresses: [`${FAR.ipv4}/24`, `${FAR.ipv6}/64`] },
    )
    await trap.outside.must(['ip', 'link', 'set', 'far0', 'mtu', '1300'])
    await trap.outside.must(['sysctl', '-qw', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1'])
    for (const [space, ipv4, ipv6] of [[trap.host, OUTSIDE.ipv4, OUTSIDE.ipv6], [far, '10.62.0.1', 'fd62::1']] as const) {
      await space.must(['ip', 'route', 'add', 'default', 'via', ipv4])
      await space.must(['ip', '-6', 'route', 'add', 'default', 'via', ipv6])
    }
    trap.host.spawn(['socat', 'TCP6-LISTEN:443,ipv6only=0,reuseaddr,fork', `SYSTEM:head -c ${BYTES} /dev/zero`])
    await until(async () => (await trap.host.must(['ss', '-Hlnt', 'sport = :443'])) !== '')
  })
  afterAll(() => trap[Symbol.asyncDispose]())
  beforeEach(async () => {
    // What was learnt about the path is forgotten.
    await trap.host.must(['ip', 'route', 'flush', 'cache'])
    await trap.host.must(['ip', '-6', 'route', 'flush', 'cache'])
  })
  afterEach(() => trap.host.run(['nft', 'flush', 'ruleset']))

  const received = async (address: string): Promise<number> =>
    (await far.run(['socat', '-u', '-T2', `${address}:443,connect-timeout=1`, '-'], { timeoutMs: 6_000 })).stdout.length
  const both = [`TCP4:${HOST.ipv4}`, `TCP6:[${HOST.ipv6}]`]

  /** A flow that connection tracking does not know (untracked, or older than it): its errors are not `related`. */
  const unrelated = (gate: string): string => without(gate, 'ct state established,related accept', 'ct state established accept')

  test.each(both)('carries everything (%s)', async (address) => {
    await load(trap.host, text)
    expect(await received(address)).toBe(BYTES)
  })

  test.each(both)('also where the error belongs to no known flow (%s)', async (address) => {
    await load(trap.host, unrelated(text))
    expect(await received(address)).toBe(BYTES)
  })

  test.each(both)('without the cure, it stalls (%s)', async (address) => {
    await load(trap.host, unrelated(text).replaceAll(/^.*errors and path MTU.*$/gm, ''))
    expect(await received(address)).toBeLessThan(BYTES)
  })
})
