import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { HOST, load, openTrap, reach, serve, textOf, without, type Trap } from './trap.ts'

/** Traps: IPv6 forgotten, or IPv6 broken because the messages that it lives by are denied. */
let trap: Trap
const text = textOf({ grants: ['tcp 443 any'] })

beforeAll(async () => {
  trap = await openTrap('ipv6')
  for (const port of [23, 443]) await serve(trap.host, 'tcp', port)
})
afterAll(() => trap[Symbol.asyncDispose]())
afterEach(() => trap.host.run(['nft', 'delete', 'table', 'inet', 'portcullis']))

test('what is closed is closed on IPv6', async () => {
  await load(trap.host, text)
  expect(await reach(trap.outside, 'tcp', HOST.ipv6, 443)).toBe('open')
  expect(await reach(trap.outside, 'tcp', HOST.ipv6, 23)).toBe('silent')
})

test('without the cure, a gate that knows IPv4 only is open', async () => {
  await load(trap.host, without(text, 'iif "lo" accept\n', 'meta nfproto ipv6 accept\n').replace('tcp flags &', 'meta nfproto ipv4 tcp flags &'))
  expect(await reach(trap.outside, 'tcp', HOST.ipv4, 23)).toBe('silent')
  expect(await reach(trap.outside, 'tcp', HOST.ipv6, 23)).toBe('open')
})

describe('neighbour discovery', () => {
  const forget = async () => {
    for (const space of [trap.outside, trap.host]) await space.must(['ip', '-6', 'neigh', 'flush', 'all'])
  }

  test('goes on', async () => {
    await load(trap.host, text)
    await forget()
    expect(await reach(trap.outside, 'tcp', HOST.ipv6, 443)).toBe('open')
    expect(await neighbourState()).toMatch(/REACHABLE|DELAY/)
  })

  test('without the cure, nobody finds the host', async () => {
    await load(trap.host, without(text, 'icmpv6 type { 133, 134, 135, 136 } accept', 'icmpv6 type { 133, 134, 135, 136 } drop'))
    await forget()
    expect(await reach(trap.outside, 'tcp', HOST.ipv6, 443)).toBe('silent')
    expect(await neighbourState()).toMatch(/FAILED|INCOMPLETE/)
  })

  const neighbourState = () => trap.outside.must(['ip', '-6', 'neigh', 'show', HOST.ipv6])
})
