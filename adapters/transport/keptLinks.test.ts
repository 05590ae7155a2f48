import { expect, test } from 'vitest'
import type { Host } from '@portcullis/core/policy/policy.ts'
import type { HostLink } from '@portcullis/engine/ports.ts'
import { KeptLinks } from './keptLinks.ts'

const hostNamed = (name: string, port = 22): Host => ({ name, addresses: [], labels: {}, tier: 'standard', transport: { kind: 'ssh', destination: name, port, sudo: false } })
const [WEB, DB] = [hostNamed('web'), hostNamed('db')]

function linkTo(host: Host): HostLink & { isClosed: boolean } {
  const link = { host, isClosed: false, call: () => Promise.reject(new Error('not asked')), close: async () => void (link.isClosed = true) }
  return link
}

test('a link is kept for its host, reached in its way, and lent to one at a time', async () => {
  const kept = new KeptLinks(60_000, 8)
  const link = linkTo(WEB)
  await kept.give(WEB, link)
  expect([kept.take(DB), kept.take(hostNamed('web', 2222)), kept.take(WEB), kept.take(WEB)]).toEqual([undefined, undefined, link, undefined])
})

test.each([
  ['a second one of the same host', 8, WEB],
  ['one too many', 1, DB],
])('%s is closed', async (_what, countMax, host) => {
  const kept = new KeptLinks(60_000, countMax)
  const [first, second] = [linkTo(WEB), linkTo(host)]
  await kept.give(WEB, first)
  await kept.give(host, second)
  expect([first.isClosed, second.isClosed]).toEqual([false, true])
})

test('what nobody takes is closed after its time, and all at the end', async () => {
  const kept = new KeptLinks(5, 8)
  const [early, late] = [linkTo(WEB), linkTo(WEB)]
  await kept.give(WEB, early)
  await expect.poll(() => early.isClosed).toBe(true)
  await kept.give(WEB, late)
  await kept.close()
  expect([late.isClosed, kept.take(WEB)]).toEqual([true, undefined])
})

test('who needs a link that is lent gets it when it comes back, one after the other', async () => {
  const kept = new KeptLinks(60_000, 8)
  const link = linkTo(WEB)
  kept.lend(WEB)
  const first = kept.comingBack(WEB, 60_000)
  const second = kept.comingBack(WEB, 60_000)
  await kept.give(WEB, link)
  expect(await first).toBe(link)
  kept.lend(WEB)
  await kept.give(WEB, link)
  expect([await second, link.isClosed, kept.take(WEB)]).toEqual([link, false, undefined])
})

test.each([
  ['a link that nobody uses', 0, 60_000],
  ['one that does not come back in time', 1, 5],
])('nobody waits for %s', async (_what, lent, patienceMs) => {
  const kept = new KeptLinks(60_000, 8)
  const link = linkTo(WEB)
  if (lent > 0) kept.lend(WEB)
  expect(await kept.comingBack(WEB, patienceMs)).toBeUndefined()
  await kept.give(WEB, link)
  expect(kept.take(WEB)).toBe(link)
})
