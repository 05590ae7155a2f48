import { describe, expect, test } from 'vitest'
import { load, openTrap, OUTSIDE, sleep, textOf, until, without, type Trap } from './trap.ts'

/**
 * Trap: where connection tracking has never run, it takes the next segment of a flow that this host opened itself for the
 * first packet of a connection to a closed port. Cure: let everything pass until the live flows are known, then close.
 */
test('with live flows known first, an outbound flow lives on', async () => {
  await using trap = await openTrap('warm')
  const feed = await openFeed(trap)
  await load(trap.host, textOf({ mode: 'observe' }))
  await sleep(500)
  await load(trap.host, textOf({}))
  expect(await feed.isAlive()).toBe(true)
})

test('without the cure, it dies', async () => {
  await using trap = await openTrap('cold')
  const feed = await openFeed(trap)
  await load(trap.host, textOf({}))
  expect(await feed.isAlive()).toBe(false)
})

/** Whoever refuses with a reset must not reset what tracking has lost: the flow can then still be saved. */
describe('refusing with a reset', () => {
  const survives = async (name: string, text: string): Promise<boolean> => {
    await using trap = await openTrap(name)
    const feed = await openFeed(trap)
    await load(trap.host, text)
    await sleep(600)
    await trap.host.must(['nft', 'delete', 'table', 'inet', 'portcullis'])
    await sleep(1_500)
    return await feed.isAlive()
  }
  const text = textOf({ refusal: 'reject' })

  test('a lost flow lives on once the rules are put back', async () => {
    expect(await survives('lost', text)).toBe(true)
  })

  test('without the cure, it is ended for good', async () => {
    expect(await survives('reset', without(text, 'tcp flags & (fin | syn | rst | ack) == syn reject', 'meta l4proto tcp reject'))).toBe(false)
  })
})

/** A feed that the host has asked for and then only receives. */
async function openFeed({ outside, host }: Trap): Promise<{ isAlive: () => Promise<boolean> }> {
  outside.spawn(['socat', 'TCP4-LISTEN:5133,reuseaddr,fork', 'SYSTEM:while echo tick; do sleep 0.05; done'])
  await until(async () => (await outside.must(['ss', '-Hlnt', 'sport = :5133'])) !== '')
  const flow = host.spawn(['socat', '-u', `TCP4:${OUTSIDE.ipv4}:5133`, '-'])
  let ticks = 0
  flow.process.stdout?.on('data', () => (ticks += 1))
  await until(async () => ticks > 2)
  expect(await host.must(['conntrack', '-L'])).toBe('')
  return {
    isAlive: async () => {
      await sleep(300)
      const before = ticks
      await sleep(700)
      return ticks > before + 3
    },
  }
}
