import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Alert } from '@portcullis/engine/gates.ts'
import { deliverDue, outboxAlerts, pauseAfter } from '../alert/outbox.ts'
import type { Receiver } from '../alert/receivers.ts'
import type { DeliveryOutcome } from '../alert/delivery.ts'
import { openStore } from './openStore.ts'
import type { PostgresStore } from './postgresStore.ts'

const folder = mkdtempSync(join(tmpdir(), 'portcullis-outbox-'))
let store: PostgresStore
async function open(): Promise<PostgresStore> {
  const opened = await openStore({ kind: 'folder', folder: join(folder, 'store') })
  if (!opened.ok) throw new Error(opened.faults[0]?.what.en)
  return opened.value
}
beforeAll(async () => {
  store = await open()
})
afterAll(async () => {
  await store.close()
  rmSync(folder, { recursive: true, force: true })
})

const alertOf = (id: string, severity: Alert['severity'] = 'warning'): Alert => ({ id, at: 1000, severity, title: { en: `t ${id}`, zh: '题' }, lines: [{ en: 'nul \u0000 端口', zh: '行' }], hosts: ['a'] })
const YES: DeliveryOutcome = { kind: 'delivered' }
const NO: DeliveryOutcome = { kind: 'failed', because: { en: 'away', zh: '不可达' } }

/** A receiver that remembers, and answers as it is told. */
function receiver(name: string, answer: () => DeliveryOutcome | Promise<DeliveryOutcome> = () => YES, severityMin: Receiver['severityMin'] = 'info'): Receiver & { readonly heard: string[] } {
  const heard: string[] = []
  return {
    name,
    severityMin,
    heard,
    deliver: async (alert) => {
      heard.push(alert.id)
      return answer()
    },
  }
}

test('each receiver is told once, whatever is raised again, and only of what it wants', async () => {
  const [all, grave] = [receiver('once-all'), receiver('once-grave', () => YES, 'critical')]
  const alerts = outboxAlerts(store.outbox, [all, grave])
  for (let time = 0; time < 3; time += 1) {
    await alerts.raise(alertOf('once/1'))
    await alerts.raise(alertOf('once/2', 'critical'))
    await deliverDue(store.outbox, [all, grave], 'me', () => 2000 + time)
  }
  expect([all.heard.toSorted(), grave.heard]).toEqual([['once/1', 'once/2'], ['once/2']])
})

test.each([
  ['in an hour at most: not yet', 3_600_000, []],
  ['later: the clock was set back, and it is told', 3_600_001, ['set-back/3600001']],
])('what is put off until %s', async (_what, putOffMs, heard) => {
  const id = `set-back/${putOffMs}`
  const away = receiver(id)
  await outboxAlerts(store.outbox, [away]).raise(alertOf(id))
  const [claimed] = await store.outbox.claim({ holder: 'me', now: 1_000, forMs: 1, limit: 1, receivers: [id] })
  if (!claimed) throw new Error('nothing to put off')
  await store.outbox.failed(claimed, 5_000 + putOffMs, { en: 'away', zh: '不可达' })
  await deliverDue(store.outbox, [away], 'me', () => 5_000)
  expect(away.heard).toEqual(heard)
  await deliverDue(store.outbox, [away], 'me', () => 5_000 + putOffMs)
  expect(away.heard).toHaveLength(1)
})

test('it is tried again, later each time, and told in the end; others do not wait for it', async () => {
  let isUp = false
  const [away, near] = [receiver('retry-away', () => (isUp ? YES : NO)), receiver('retry-near')]
  await outboxAlerts(store.outbox, [away, near]).raise(alertOf('retry/1'))
  let now = 10_000
  const deliver = (): Promise<unknown> => deliverDue(store.outbox, [away, near], 'me', () => now)
  for (const attempt of [1, 2, 3]) {
    await deliver()
    await deliver()
    expect(away.heard).toHaveLength(attempt)
    expect(await store.outbox.waiting(9)).toMatchObject([{ receiver: 'retry-away', attempts: attempt, notBefore: now + pauseAfter(attempt), because: { en: 'away' }, alert: alertOf('retry/1') }])
    now += pauseAfter(attempt)
  }
  isUp = true
  await deliver()
  now += 10_000_000
  await deliver()
  expect([away.heard.length, near.heard.length, await store.outbox.waiting(9)]).toEqual([4, 1, []])
})

test('many controllers at once tell each alert once', async () => {
  const told = receiver('many')
  const alerts = outboxAlerts(store.outbox, [told])
  const ids = Array.from({ length: 60 }, (_, index) => `many/${index}`)
  await Promise.all(ids.flatMap((id) => [alerts.raise(alertOf(id)), alerts.raise(alertOf(id))]))
  await Promise.all(Array.from({ length: 6 }, (_, index) => deliverDue(store.outbox, [told], `controller-${index}`, () => 5000)))
  expect(told.heard.toSorted()).toEqual(ids.toSorted())
})

test('whoever dies while telling has not lost it: it is told again when the claim has run out, after a restart too', async () => {
  const told = receiver('dies')
  await outboxAlerts(store.outbox, [told]).raise(alertOf('dies/1'))
  expect(await store.outbox.claim({ holder: 'dead', now: 5000, forMs: 60_000, limit: 9, receivers: ['dies'] })).toMatchObject([{ alert: alertOf('dies/1'), attempt: 1, holder: 'dead' }])
  await store.close()
  store = await open()
  await deliverDue(store.outbox, [told], 'heir', () => 64_999)
  expect(told.heard).toEqual([])
  await deliverDue(store.outbox, [told], 'heir', () => 65_000)
  expect(told.heard).toEqual(['dies/1'])
})

test('a late failure of a lost claim does not undo what was told', async () => {
  await store.outbox.add(alertOf('late/1'), ['late'])
  const claim = { now: 5000, forMs: 10, limit: 9, receivers: ['late'] }
  const [slow] = await store.outbox.claim({ ...claim, holder: 'slow' })
  const [quick] = await store.outbox.claim({ ...claim, now: 6000, holder: 'quick' })
  if (!slow || !quick) throw new Error('no claim')
  await store.outbox.failed(slow, 9_999_999, { en: 'late', zh: '迟' })
  await store.outbox.delivered(quick, 6001)
  await store.outbox.failed(quick, 9_999_999, { en: 'late', zh: '迟' })
  expect((await store.outbox.waiting(99)).filter(({ receiver: name }) => name === 'late')).toEqual([])
})

test('a receiver that is not in the file any more keeps its alerts', async () => {
  await store.outbox.add(alertOf('gone/1'), ['gone'])
  await deliverDue(store.outbox, [receiver('other')], 'me', () => 9_000_000)
  expect(await store.outbox.waiting(99)).toMatchObject([{ receiver: 'gone', attempts: 0 }])
})
