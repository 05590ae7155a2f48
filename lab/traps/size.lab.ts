import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { GOLDEN_INTENTS } from '@portcullis/core/ruleset/nft/golden/intents.ts'
import { load, openScript, openTrap, textOf, type Trap } from './trap.ts'

/** What the renderer writes is what nft and the kernel take, at every size. */
let trap: Trap

beforeAll(async () => {
  trap = await openTrap('size')
})
afterAll(() => trap[Symbol.asyncDispose]())
afterEach(() => trap.host.must(['nft', 'flush', 'ruleset']))

test.each(Object.entries(GOLDEN_INTENTS))('nft takes the golden intent %s, and a check changes nothing', async (_, intent) => {
  // Written out in full, the intent is its own shorthand: only grants and management have two forms.
  const { grants, management, ...rest } = intent
  const text = textOf({ ...rest, grants: grants.flatMap(({ needs }) => needs), management: management.flatMap(({ needs }) => needs) })
  await trap.host.must(['nft', '-c', '-f', '-'], { input: text })
  expect(await trap.host.must(['nft', 'list', 'ruleset'])).toBe('')
  await load(trap.host, text)
  await load(trap.host, text)
  expect(await trap.host.must(['nft', 'list', 'ruleset'])).toContain('table inet portcullis')
})

describe.each([
  ['sources', 'hosts4', (index: number) => `tcp 443 10.${index >> 15}.${(index >> 7) & 255}.${(index & 127) * 2}`],
  ['networks', 'from_1_ipv4', (index: number) => `tcp 443 ${10 + (index >> 14)}.${(index >> 6) & 255}.${(index & 63) * 4}.0/23`],
  // Every port has networks of its own: as many sets and chains as ports.
  ['lists', 'from_tcp', (index: number) => `tcp ${2 * index + 1} 10.${index >> 8}.${index & 255}.0/25`],
  ['ports', 'open', (index: number) => `${index % 2 ? 'tcp' : 'udp'} ${2 * (index >> 1) + 1} any`],
] as const)('%s', (_, set, grant) => {
  const most = { open: 50_000, from_tcp: 2_000, hosts4: 100_000, from_1_ipv4: 100_000 }[set]
  test.each([10, 1_000, ...(most > 10_000 ? [10_000] : []), most])('%d elements load, are listed, and are replaced', async (count) => {
    const grants = Array.from({ length: count }, (_, index) => grant(index))
    using script = openScript(trap.host)
    const times: number[] = []
    for (const generation of [1, 2]) {
      await script.prepare(generation, textOf({ generation, grants }))
      times.push(Number((await script.say('swap')).split(' ').at(-1)) / 1_000)
      await script.say(`confirm ${generation}`)
    }
    console.log(`${set} ${count}: first load ${times[0]} ms, replace ${times[1]} ms`)
    const listing: unknown = JSON.parse(await trap.host.must(['nft', '-j', 'list', set === 'from_tcp' ? 'map' : 'set', 'inet', 'portcullis', `${set}_g2`]))
    expect(elementsIn(listing)).toBe(count)
    expect(await trap.host.must(['nft', '-t', 'list', 'ruleset'])).not.toContain('_g1')
  })
})

function elementsIn(listing: unknown): number {
  const { nftables } = listing as { nftables: readonly Record<string, { elem?: readonly unknown[] } | undefined>[] }
  return nftables.reduce((sum, { set, map }) => sum + ((set ?? map)?.elem?.length ?? 0), 0)
}
