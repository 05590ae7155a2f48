import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { Spawned } from '../netns.ts'
import { HOST, load, openTrap, textOf, until, without, type Trap } from './trap.ts'

/** Trap: while the rules are replaced, what is forbidden passes, or what is allowed is lost. Cure: one transaction that ends in a verdict of its own. */
let trap: Trap
const ALLOWED = 5000
const FORBIDDEN = 5001

beforeAll(async () => {
  trap = await openTrap('load')
})
afterAll(() => trap[Symbol.asyncDispose]())
afterEach(() => trap.host.must(['nft', 'flush', 'ruleset']))

/** Two generations that differ, with enough elements that the switch takes its time. */
const textsOf = (grant: string): string[] =>
  [1, 2].map((generation) =>
    textOf({ generation, grants: [grant, `tcp ${generation} any`, ...Array.from({ length: 300 }, (_, index) => `tcp 1000 10.8.${index % 256}.${generation * 2 + (index >> 8)}`)] }),
  )
const texts = textsOf(`udp ${ALLOWED} any`)

describe.each([
  ['any source', `udp ${ALLOWED} any`, 0],
  ['an address', `udp ${ALLOWED} 10.61.0.1`, 0],
  // The kernel shows a new interval set some ten microseconds after the rules that ask it (see `clear` in render.ts).
  ['ports in a range', `udp ${ALLOWED - 10}-${ALLOWED} any`, 0.001],
  ['a network', `udp ${ALLOWED} 10.61.0.0/28`, 0.001],
  ['a network and ports in a range', `udp ${ALLOWED - 10}-${ALLOWED} 10.61.0.0/28`, 0.001],
])('open to %s', (_, grant, lossMax) => {
  test('nothing forbidden passes, and what is allowed is not lost', async () => {
    const { arrived, passed } = await replaceUnderLoad((text) => load(trap.host, text), textsOf(grant))
    expect(arrived.forbidden).toBeGreaterThan(1_000)
    expect(passed.forbidden).toBe(0)
    expect(arrived.allowed - passed.allowed).toBeGreaterThanOrEqual(0)
    expect((arrived.allowed - passed.allowed) / arrived.allowed).toBeLessThanOrEqual(lossMax)
  })
})

test('without the cure, two transactions are open in between', async () => {
  const { passed } = await replaceUnderLoad(async (text) => {
    await trap.host.must(['nft', 'delete', 'table', 'inet', 'portcullis'])
    await load(trap.host, text)
  }, texts)
  expect(passed.forbidden).toBeGreaterThan(0)
})

test('without the cure, a gate that leaves the last word to its policy is open for some microseconds a swap', async () => {
  const open = texts.map((text) => {
    const silent = without(text, '\t\tjump deny\n\t\tdrop\n')
    return `table inet portcullis { }\ndelete table inet portcullis\n${without(silent, 'prerouting priority -150; policy accept;', 'prerouting priority -150; policy drop;')}`
  })
  const { passed } = await replaceUnderLoad((text) => load(trap.host, text), open, 120)
  expect(passed.forbidden).toBeGreaterThan(0)
})

interface Packets {
  readonly allowed: number
  readonly forbidden: number
}

interface Meters {
  readonly arrived: Packets
  readonly passed: Packets
}

type Replace = (text: string) => Promise<unknown>

async function replaceUnderLoad(replace: Replace, [first = '', second = '']: readonly string[], swaps = 40): Promise<Meters> {
  await load(trap.host, METERS)
  await load(trap.host, first)
  const senders = [ALLOWED, FORBIDDEN].map((port) => trap.outside.spawn(['socat', '-u', '-b1', 'OPEN:/dev/zero', `UDP4:${HOST.ipv4}:${port}`]))
  await until(async () => (await packets('arrived')).forbidden > 0)
  for (let swap = 0; swap < swaps; swap += 1) await replace(swap % 2 ? first : second)
  await Promise.all(senders.map((sender: Spawned) => sender.kill('SIGKILL')))
  return { arrived: await packets('arrived'), passed: await packets('passed') }
}

/** Counts before and behind everything else that looks at a packet. Nobody listens: what passes ends here, so that no ICMP error slows the sender. */
const METERS = `
table inet probe {
	chain arrived { type filter hook prerouting priority -450; policy accept; udp dport ${ALLOWED} counter; udp dport ${FORBIDDEN} counter; }
	chain passed { type filter hook input priority 300; policy accept; udp dport ${ALLOWED} counter drop; udp dport ${FORBIDDEN} counter drop; }
}
`

async function packets(chain: 'arrived' | 'passed'): Promise<Packets> {
  const listing = await trap.host.must(['nft', 'list', 'chain', 'inet', 'probe', chain])
  const of = (port: number) => Number(new RegExp(`dport ${port} counter packets (\\d+)`).exec(listing)?.[1])
  return { allowed: of(ALLOWED), forbidden: of(FORBIDDEN) }
}

