import type { Observation } from '@portcullis/core/inventory/observation.ts'
import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openStore } from './openStore.ts'
import type { PostgresStore } from './postgresStore.ts'

/** Backup, restore and retention by the command, on the real embedded PostgreSQL. */
const BIN = fileURLToPath(new URL('../../app/bin/portcullis.js', import.meta.url))
const NOW = Date.now()
const DAY_MS = 86_400_000
const OBSERVATIONS = 12_000

let folder: string
const path = (name: string): string => join(folder, name)

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ph-backup-'))
  await within('full', async (store) => {
    const lost = (index: number): Observation => ({ kind: 'evidence', host: `h${index % 7}`, sensor: 's', at: NOW - (index % 100) * DAY_MS, lost: index, because: '丢失 "quoted"\n\\ and a line' })
    await store.addObservations(Array.from({ length: OBSERVATIONS }, (_, index) => lost(index)))
    for (const days of [100, 99, 1]) await store.saveFacts({ host: 'h1', at: NOW - days * DAY_MS, durationMs: 1.5, text: `facts ${days} é` })
    await store.saveFacts({ host: 'away', at: NOW - 200 * DAY_MS, durationMs: 1, text: 'the last that was heard' })
    for (let run = 0; run < 5; run += 1) await store.appendJournal({ run: `r${run}`, at: NOW - 300 * DAY_MS, kind: 'action', name: 'begin', detail: { big: 9_007_199_254_740_991 } })
  })
}, 300_000)

afterAll(() => rm(folder, { recursive: true, force: true }))

test('a backup restored into an empty store is the same store, and its journal goes on', async () => {
  expect(await portcullis('store', 'backup', path('one.zst'), '--state', path('full'))).toMatchObject({ code: 0, json: { kind: 'backup', rows: { observation: OBSERVATIONS, facts: 4, journal: 5 } } })
  expect(await portcullis('store', 'restore', path('one.zst'), '--state', path('copy'))).toMatchObject({ code: 0, json: { kind: 'restore', rows: { observation: OBSERVATIONS } } })
  const [original, copy] = [await within('full', everything), await within('copy', everything)]
  expect(copy).toEqual(original)
  const next = await within('copy', (store) => store.appendJournal({ run: 'after', at: NOW, kind: 'action', name: 'begin' }))
  expect(next.sequence).toBeGreaterThan(Math.max(...original.journal.map(({ sequence }) => sequence)))
}, 300_000)

describe('refused, with nothing changed', () => {
  test('a store that is not empty, unless told', async () => {
    expect(await portcullis('store', 'restore', path('one.zst'), '--state', path('copy'))).toMatchObject({ code: 2, json: { faults: [{ code: 'STORE_NOT_EMPTY' }] } })
    expect((await portcullis('store', 'restore', path('one.zst'), '--state', path('copy'), '--replace')).code).toBe(0)
  }, 300_000)

  test.each<[what: string, change: (text: string) => string, code: string]>([
    ['written by a newer version', (text) => text.replace('"0001-first-tables"', '"0001-first-tables","0099-later"'), 'BACKUP_DAMAGED'],
    ['cut short', (text) => text.slice(0, text.length / 2), 'BACKUP_DAMAGED'],
    ['with a row less', (text) => text.replace(/\nR[^\n]*/, ''), 'BACKUP_DAMAGED'],
    ['no backup at all', () => 'hello\n', 'BACKUP_DAMAGED'],
  ])('a file that is %s', async (_, change, code) => {
    const text = zstdDecompressSync(await readFile(path('one.zst'))).toString('utf8')
    await writeFile(path('bad.zst'), zstdCompressSync(Buffer.from(change(text))))
    expect(await portcullis('store', 'restore', path('bad.zst'), '--state', path('copy'), '--replace')).toMatchObject({ code: 2, json: { faults: [{ code }] } })
  }, 300_000)

  test('a backup of a newer version is told to be one', async () => {
    const { createHash } = await import('node:crypto')
    const body = 'H{"format":"portcullis-store","version":1,"created":1,"migrations":["0001-first-tables","0099-later"]}\n'
    const end = `E${JSON.stringify({ rows: {}, sha256: createHash('sha256').update(body).digest('hex') })}\n`
    await writeFile(path('newer.zst'), zstdCompressSync(Buffer.from(body + end)))
    const { code, json } = await portcullis('store', 'restore', path('newer.zst'), '--state', path('copy'), '--replace')
    expect([code, json]).toMatchObject([2, { faults: [{ code: 'BACKUP_NEWER', what: { en: expect.stringContaining('0099-later') as string } }] }])
  }, 300_000)
})

test.each(['SIGKILL', 'SIGINT'] as const)('%s in the middle of a restore: the store is the one it was', async (signal) => {
  const before = await within('copy', everything)
  await within('copy', (store) => store.appendJournal({ run: 'mine', at: NOW, kind: 'action', name: 'begin' }))
  const child = start('store', 'restore', path('one.zst'), '--state', path('copy'), '--replace', '--json')
  const ended = new Promise((resolve) => child.once('close', resolve))
  for await (const chunk of child.stderr) if (String(chunk).includes('"observation"')) child.kill(signal)
  await ended
  expect(child.killed).toBe(true)
  const after = await within('copy', everything)
  expect(after.observations).toEqual(before.observations)
  expect(after.journal.map(({ run }) => run)).toContain('mine')
}, 300_000)

test('retention takes observations and facts that are old, and leaves history and the newest of each host', async () => {
  const arguments_ = ['store', 'retention', '--days', '50', '--state', path('full')]
  expect((await portcullis(...arguments_, '--dry-run')).json).toMatchObject({ isDry: true, rows: { observation: OBSERVATIONS / 2, facts: 2 } })
  expect((await portcullis(...arguments_)).json).toMatchObject({ isDry: false, rows: { observation: OBSERVATIONS / 2, facts: 2 } })
  const { observations, journal, facts } = await within('full', everything)
  expect([observations.every(({ at }) => at >= NOW - 51 * DAY_MS), journal.length, facts]).toEqual([true, 5, ['facts 1 é', 'the last that was heard']])
}, 300_000)

async function everything(store: PostgresStore) {
  const [observations, journal, h1, away] = await Promise.all([store.observations({}), store.journal({}), store.latestFacts('h1'), store.latestFacts('away')])
  return { observations, journal, facts: [h1?.text, away?.text] }
}

async function within<T>(name: string, task: (store: PostgresStore) => Promise<T>): Promise<T> {
  const opened = await openStore({ kind: 'folder', folder: path(name) })
  if (!opened.ok) throw new Error(JSON.stringify(opened.faults))
  try {
    return await task(opened.value)
  } finally {
    await opened.value.close()
  }
}

const start = (...argv: readonly string[]) => spawn(process.execPath, [BIN, ...argv], { stdio: ['ignore', 'pipe', 'pipe'] })

async function portcullis(...argv: readonly string[]): Promise<{ code: number | null; json: Record<string, unknown> }> {
  const child = start(...argv, '--json')
  let [out, err] = ['', '']
  child.stdout.on('data', (chunk) => (out += String(chunk)))
  child.stderr.on('data', (chunk) => (err += String(chunk)))
  const code = await new Promise<number | null>((resolve) => {
    child.once('close', resolve)
  })
  if (out === '') throw new Error(`portcullis ${argv.join(' ')} ended with ${code}: ${err}`)
  return { code, json: JSON.parse(out) as Record<string, unknown> }
}
