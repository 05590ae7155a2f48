import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { IntentShorthand } from '@portcullis/core/ruleset/nft/golden/intents.ts'
import { HOST, load, openScript, openTrap, OUTSIDE, textOf, until, without, type Trap } from './trap.ts'

/** Trap: while the rules are replaced, what is forbidden passes, or what is allowed is lost. Cure: sets come before their rules, and the rules end in a verdict of their own. */
let trap: Trap
const ALLOWED = 5000
const FORBIDDEN = 5001

beforeAll(async () => {
  trap = await openTrap('load')
})
afterAll(() => trap[Symbol.asyncDispose]())
afterEach(() => trap.host.must(['nft', 'flush', 'ruleset']))

/** Generations that differ, with enough elements that the switch takes its time. */
const generationOf = (generation: number, intent: IntentShorthand): string =>
  textOf({
    generation,
    ...intent,
    grants: [
      ...(intent.grants ?? []),
      `tcp ${(generation % 1_000) + 1} any`,
      ...Array.from({ length: 300 }, (_, index) => `tcp 1000 10.8.${index % 256}.${(generation % 100) * 2 + (index >> 8)}`),
    ],
  })

const SWAPS = 40

describe.each<[string, IntentShorthand]>([
  ['any source', { grants: [`udp ${ALLOWED} any`] }],
  ['an address', { grants: [`udp ${ALLOWED} ${OUTSIDE.ipv4}`] }],
  ['ports in a range', { grants: [`udp ${ALLOWED - 10}-${ALLOWED} any`] }],
  ['a network', { grants: [`udp ${ALLOWED} 10.61.0.0/28`] }],
  ['a network and ports in a range', { grants: [`udp ${ALLOWED - 10}-${ALLOWED} 10.61.0.0/28`] }],
  ['the networks of the management path', { management: [`udp ${ALLOWED} 10.61.0.0/28`, `udp ${ALLOWED} 10.63.0.0/28`] }],
])('open to %s', (source, intent) => {
  test('nothing forbidden passes and nothing allowed is lost, by swap and by revert', async () => {
    using script = openScript(trap.host)
    await script.prepare(1, generationOf(1, intent))
    await script.say('swap')
    await script.say('confirm 1')
    const { arrived, passed } = await underLoad(async (flood) => {
      for (let generation = 2; generation < 2 + SWAPS / 2; generation += 1) {
        await script.prepare(generation, generationOf(generation, intent))
        await flood(() => script.say('swap'))
        await flood(() => script.say('revert'))
      }
    })
    console.log(`open to ${source}, ${SWAPS} swaps: arrived ${JSON.stringify(arrived)}, passed ${JSON.stringify(passed)}`)
    expect(arrived.forbidden).toBeGreaterThan(10_000)
    expect(arrived.allowed).toBeGreaterThan(10_000)
    expect(passed).toEqual({ allowed: arrived.allowed, forbidden: 0 })
  }, 300_000)
})

describe('without the cure', () => {
  const intent = { grants: [`udp ${ALLOWED} 10.61.0.0/28`] }
  const replaceBy = (replace: (text: string) => Promise<unknown>, texts: readonly string[], swaps = SWAPS) => (flood: Flood) =>
    flood(async () => {
      for (let swap = 0; swap < swaps; swap += 1) await replace(texts[swap % texts.length] ?? '')
    })

  test('a table that goes by one transaction and comes by another is open in between', async () => {
    const { passed } = await underLoad(
      replaceBy(async (text) => {
        await trap.host.must(['nft', 'delete', 'table', 'inet', 'portcullis'])
        await load(trap.host, text)
      }, [1, 2].map((generation) => generationOf(generation, intent))),
      generationOf(1, intent),
    )
    expect(passed.forbidden).toBeGreaterThan(0)
  })

  test('a gate that leaves the last word to its policy is open for some microseconds a swap', async () => {
    const open = [1, 2].map((generation) => {
      const silent = without(generationOf(generation, intent), '\t\tjump deny\n\t\tdrop\n')
      return `table inet portcullis { }\ndelete table inet portcullis\n${without(silent, 'prerouting priority -150; policy accept;', 'prerouting priority -150; policy drop;')}`
    })
    const { passed } = await underLoad(replaceBy((text) => load(trap.host, text), open, 120), open[0])
    expect(passed.forbidden).toBeGreaterThan(0)
  })

  test('sets that come with their rules are empty for some microseconds a swap', async () => {
    const texts = Array.from({ length: 120 }, (_, index) => generationOf(index + 1, intent))
    const { arrived, passed } = await underLoad(replaceBy((text) => load(trap.host, text), texts, 120), texts[0])
    expect(passed.forbidden).toBe(0)
    expect(arrived.allowed - passed.allowed).toBeGreaterThan(0)
  })
})

interface Packets {
  readonly allowed: number
  readonly forbidden: number
}

interface Meters {
  readonly arrived: Packets
  readonly passed: Packets
}

/** Sends for as long as the work takes. */
type Flood = (work: () => Promise<unknown>) => Promise<void>

/** Each packet is of a new flow: none is answered. The senders take what the replace leaves: they would make it last for seconds. */
async function underLoad(work: (flood: Flood) => Promise<void>, first = ''): Promise<Meters> {
  await load(trap.host, METERS + first)
  const senders = [ALLOWED, FORBIDDEN].map((port) => trap.outside.spawn(['nice', '-n', '19', 'socat', '-u', '-b1', 'OPEN:/dev/zero', `UDP4:${HOST.ipv4}:${port}`]))
  const signal = (name: NodeJS.Signals) => {
    for (const sender of senders) void sender.kill(name)
  }
  await until(async () => (await packets('arrived')).forbidden > 0)
  signal('SIGSTOP')
  await work(async (replace) => {
    signal('SIGCONT')
    await replace()
    signal('SIGSTOP')
  })
  await Promise.all(senders.map((sender) => sender.kill('SIGKILL')))
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
