import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { IntentShorthand } from '@portcullis/core/ruleset/nft/golden/intents.ts'
import { anew, counted, HOST, load, openTrap, OUTSIDE, put, reach, serve, sleep, textOf, until, without, type Trap } from './trap.ts'

/** Traps: a replace that forgets what lives in the table, takes others' tables with it, or is open while it happens. */
let trap: Trap
const before = textOf({ generation: 1, grants: ['tcp 443 any'] })
const after = textOf({ generation: 2, grants: ['tcp 443 any', 'tcp 80 any'] })

beforeAll(async () => {
  trap = await openTrap('repl')
  for (const port of [23, 80, 443, 8443]) await serve(trap.host, 'tcp', port)
})
afterAll(() => trap[Symbol.asyncDispose]())
beforeEach(() => load(trap.host, before))
afterEach(() => trap.host.must(['nft', 'flush', 'ruleset']))

const add = (set: string, element: string) => put(trap.host, { lease_ports: 'tcp . 23', [set]: element })
const elementsOf = async (set: string): Promise<string> => {
  const listing = await trap.host.must(['nft', 'list', 'set', 'inet', 'portcullis', set])
  return /elements = \{([^}]*)\}/.exec(listing)?.[1]?.replaceAll(/\s+/g, ' ').trim() ?? ''
}

describe('leases', () => {
  test('open their port to their source alone, and end by themselves', async () => {
    await add('lease4', `${OUTSIDE.ipv4} . tcp . 23 timeout 2s`)
    expect(await reach(trap.outside, 'tcp', HOST.ipv4, 23)).toBe('open')
    expect(await reach(trap.outside, 'tcp', HOST.ipv4, 23, OUTSIDE.other)).toBe('silent')
    await sleep(2_000)
    expect(await reach(trap.outside, 'tcp', HOST.ipv4, 23)).toBe('silent')
  })

  test('of any source open it to both families', async () => {
    await add('lease_any', 'tcp . 23 timeout 1m')
    expect(await reach(trap.outside, 'tcp', HOST.ipv4, 23)).toBe('open')
    expect(await reach(trap.outside, 'tcp', HOST.ipv6, 23)).toBe('open')
  })

  test('of prefixes and of IPv6 too', async () => {
    await add('lease6', 'fd61::/64 . tcp . 23 timeout 1m')
    await add('lease4', '10.61.0.8/29 . tcp . 23 timeout 1m')
    expect(await reach(trap.outside, 'tcp', HOST.ipv6, 23)).toBe('open')
    expect(await reach(trap.outside, 'tcp', HOST.ipv4, 23, OUTSIDE.other)).toBe('open')
    expect(await reach(trap.outside, 'tcp', HOST.ipv4, 23, OUTSIDE.ipv4)).toBe('silent')
  })

  test('outlive a replace with the time they have left', async () => {
    await add('lease4', `${OUTSIDE.ipv4} . tcp . 23 timeout 60s`)
    await sleep(1_500)
    await load(trap.host, after)
    const left = Number(/expires (\d+)s/.exec(await elementsOf('lease4'))?.[1])
    expect(left).toBeGreaterThan(50)
    expect(left).toBeLessThan(59)
    expect(await reach(trap.outside, 'tcp', HOST.ipv4, 23)).toBe('open')
  })

  test('without the cure, a table that is deleted takes them along', async () => {
    await add('lease4', `${OUTSIDE.ipv4} . tcp . 23 timeout 60s`)
    await load(trap.host, anew(after))
    expect(await elementsOf('lease4')).toBe('')
  })
})

describe('counters', () => {
  beforeEach(async () => {
    await reach(trap.outside, 'tcp', HOST.ipv4, 443)
    await trap.outside.run(['socat', '-u', `TCP4:${HOST.ipv4}:23,connect-timeout=0.1`, '-'])
  })

  test('go on counting over a replace', async () => {
    await load(trap.host, after)
    await reach(trap.outside, 'tcp', HOST.ipv4, 443)
    expect(await counted(trap.host, 'seen4')).toEqual({ [`${OUTSIDE.ipv4} . tcp . 443`]: 2 })
    expect(await counted(trap.host, 'denied_ports')).toEqual({ 'tcp . 23': 1 })
  })

  test('without the cure, they start again', async () => {
    await load(trap.host, anew(after))
    expect(await counted(trap.host, 'denied_ports')).toEqual({})
  })
})

describe('every mode follows every other', () => {
  const modes: readonly IntentShorthand[] = [
    { mode: 'observe' },
    { refusal: 'drop' },
    { refusal: 'reject' },
    { grants: ['tcp 1-65535 any', 'udp 1-100 10.0.0.0/8'] },
  ]
  test.each(modes.flatMap((first, from) => modes.map((second, to) => [from, to, first, second] as const)))(
    '%d → %d leaves what a first load leaves',
    async (_from, _to, first, second) => {
      await load(trap.host, textOf({ ...first, generation: 1 }))
      const text = textOf({ ...second, generation: 2 })
      await load(trap.host, text)
      const replaced = await sortedRules()
      await load(trap.host, `flush ruleset\n${text}`)
      expect(replaced).toBe(await sortedRules())
    },
  )

  /**
   * Chains are listed in the order of their creation; their rules keep their own. What belongs to a generation stays behind,
   * asked by nobody, until the host script takes it away.
   */
  async function sortedRules(): Promise<string> {
    const blocks = (await trap.host.must(['nft', 'list', 'table', 'inet', 'portcullis'])).split('\n\n').map((block) => block.replace(/\n}\n?$/, '').replace(/^table .*\n/, ''))
    return blocks.filter((block) => !/^\t(?:set|map|chain) \w+_g1 /.test(block)).toSorted().join('\n\n')
  }
})

describe('tables of others', () => {
  const foreign = `
table ip docker {
	chain prerouting { type nat hook prerouting priority dstnat; policy accept; tcp dport 8080 redirect to :80; }
}
table inet firewalld {
	set sources { type ipv4_addr; elements = { 10.99.0.1 }; }
	chain input { type filter hook input priority 10; policy accept; ip saddr @sources drop; }
}
table ip6 ts-filter {
	chain input { type filter hook input priority 0; policy accept; ip6 saddr fd99::1 drop; }
}
`
  const others = async () => {
    const listing = await trap.host.must(['nft', '-s', 'list', 'ruleset'])
    return listing.slice(0, listing.indexOf('table inet portcullis')) + listing.slice(listing.indexOf('\n}\n', listing.indexOf('table inet portcullis')))
  }

  test('survive first load and replace', async () => {
    await load(trap.host, `flush ruleset\n${foreign}`)
    await load(trap.host, before)
    const standing = await others()
    await load(trap.host, after)
    expect(await others()).toBe(standing)
    expect(standing).toContain('10.99.0.1')
    expect(standing).toContain('redirect to :80')
  })

  test('without the cure, a flushed ruleset takes them along', async () => {
    await load(trap.host, foreign)
    await load(trap.host, `flush ruleset\n${after}`)
    expect(await others()).not.toContain('10.99.0.1')
  })

  test('what another wrote into ours goes', async () => {
    await load(trap.host, 'add rule inet portcullis open tcp dport 23 accept\nadd chain inet portcullis gap { type filter hook prerouting priority -160; }\nadd rule inet portcullis gap accept')
    await load(trap.host, after)
    expect(await trap.host.must(['nft', 'list', 'table', 'inet', 'portcullis'])).not.toContain('tcp dport 23 accept')
    expect(await reach(trap.outside, 'tcp', HOST.ipv4, 23)).toBe('silent')
  })
})

describe('established flows', () => {
  test('live on over replaces, even when their port is closed', async () => {
    const flow = await openStream()
    for (let generation = 2; generation < 12; generation += 1) await load(trap.host, textOf({ generation }))
    expect(await flow.isAlive()).toBe(true)
    expect(await reach(trap.outside, 'tcp', HOST.ipv4, 443)).toBe('silent')
    await flow.stop()
  })

  test('without the cure, they stall', async () => {
    const flow = await openStream()
    await load(trap.host, without(textOf({}), 'ct state established,related accept\n', '\n'))
    expect(await flow.isAlive()).toBe(false)
    await flow.stop()
  })

  async function openStream(): Promise<{ isAlive: () => Promise<boolean>; stop: () => Promise<unknown> }> {
    await load(trap.host, textOf({ grants: ['tcp 443 any', 'tcp 8444 any'] }))
    const echo = trap.host.spawn(['socat', 'TCP4-LISTEN:8444,reuseaddr', 'PIPE'])
    await until(async () => (await trap.host.must(['ss', '-Hlnt', 'sport = :8444'])) !== '')
    const client = trap.outside.spawn(['socat', '-', `TCP4:${HOST.ipv4}:8444`])
    let echoed = 0
    client.process.stdout?.on('data', (chunk: Buffer) => (echoed += chunk.length))
    const beat = setInterval(() => client.process.stdin?.write('x'), 20)
    await until(async () => echoed > 2)
    return {
      isAlive: async () => {
        await sleep(200)
        const earlier = echoed
        await sleep(500)
        return echoed > earlier
      },
      stop: async () => {
        clearInterval(beat)
        await Promise.all([client.kill('SIGKILL'), echo.kill('SIGKILL')])
      },
    }
  }
})
