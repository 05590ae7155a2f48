import { spawn, spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Store } from '@portcullis/engine/store.ts'
import pg from 'pg'
import { afterAll, describe, expect, test } from 'vitest'
import { openStore } from './openStore.ts'
import type { PostgresStore } from './postgresStore.ts'
import { describeRolloutStore } from './rolloutStore.test.ts'
import { describeStore } from './store.test.ts'

const root = mkdtempSync(join(tmpdir(), 'fm-store-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))
const folderOf = (name: string): string => join(root, name)

/** Made once and copied: making a cluster takes longer than all that is tested here. */
function prepare(name: string): void {
  if (existsSync(folderOf(name))) return
  mkdirSync(folderOf(name), { recursive: true, mode: 0o700 })
  if (existsSync(folderOf('suite/data'))) spawnSync('cp', ['-a', folderOf('suite/data'), join(folderOf(name), 'data')])
  rmSync(join(folderOf(name), 'data/postmaster.pid'), { force: true })
}

async function open(name: string, waitMs = 0): Promise<PostgresStore> {
  prepare(name)
  const store = await openStore({ kind: 'folder', folder: folderOf(name), waitMs })
  if (!store.ok) throw new Error(`${store.faults[0]?.code}: ${store.faults[0]?.what.en}`)
  return store.value
}

const faultOf = async (place: Parameters<typeof openStore>[0]): Promise<string> => {
  const store = await openStore(place)
  if (store.ok) await store.value.close()
  return store.ok ? 'opened' : `${store.faults[0]?.code}: ${store.faults[0]?.what.en}`
}

const serverPid = (name: string): number => Number(readFileSync(join(folderOf(name), 'data/postmaster.pid'), 'utf8').split('\n')[0])
const isAlive = (pid: number): boolean => existsSync(`/proc/${pid}`) && !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ')
const note = (store: Store, name: string) => store.appendJournal({ run: 'r', at: 1, kind: 'action', name })
const names = async (store: Store): Promise<string[]> => (await store.journal({ run: 'r' })).map((entry) => entry.name)

describeStore('on a folder', () => open('suite'))
describeRolloutStore('on a folder', async () => {
  const store = await open('rollouts')
  return { rollouts: store.rollouts, isSole: true, close: () => store.close() }
})

describe('a folder', () => {
  test('keeps everything from one opening to the next, in order', async () => {
    const first = await open('kept')
    const { sequence } = await note(first, 'one')
    await first.close()
    const second = await open('kept')
    expect((await note(second, 'two')).sequence).toBeGreaterThan(sequence)
    expect(await names(second)).toEqual(['one', 'two'])
    await second.close()
  })

  test('is for one at a time, and the second is told who has it', async () => {
    const store = await open('busy')
    expect(await faultOf({ kind: 'folder', folder: folderOf('busy'), waitMs: 0 })).toBe(`STORE_IN_USE: the store in ${folderOf('busy')} is in use by process ${process.pid}`)
    await store.close()
    expect(await faultOf({ kind: 'folder', folder: folderOf('busy'), waitMs: 0 })).toBe('opened')
  })

  test('the second may wait for the first to leave', async () => {
    const store = await open('waits')
    const second = faultOf({ kind: 'folder', folder: folderOf('waits'), waitMs: 20_000 })
    await sleep(50)
    await store.close()
    expect(await second).toBe('opened')
  })

  test('listens on nothing but its own socket, as nobody but its owner, and says who may connect', async () => {
    const store = await open('private')
    const pid = serverPid('private')
    expect(spawnSync('ss', ['-Hltnp'], { encoding: 'utf8' }).stdout).not.toContain(`pid=${pid},`)
    expect(statSync(join(folderOf('private'), 'data')).mode & 0o777).toBe(0o700)
    expect(statSync(folderOf('private')).mode & 0o777).toBe(0o700)
    expect(readFileSync(join(folderOf('private'), 'data/pg_hba.conf'), 'utf8')).toBe('local all portcullis peer map=portcullis\n')
    expect(readFileSync(`/proc/${pid}/status`, 'utf8')).not.toMatch(/^Uid:\s+0\s/m)
    await store.close()
    expect(isAlive(pid)).toBe(false)
    expect(readdirSync(join(folderOf('private'), 'data'))).not.toContain('postmaster.pid')
  })

  test('syncs to the disk', async () => {
    const store = await open('durable')
    const client = new pg.Client({ host: join(folderOf('durable'), 'data'), user: 'portcullis', database: 'postgres' })
    await client.connect()
    const { rows } = await client.query<{ text: string }>(`select concat_ws(' ', current_setting('fsync'), current_setting('synchronous_commit'), current_setting('full_page_writes'), current_setting('data_checksums')) as text`)
    await client.end()
    await store.close()
    expect(rows[0]?.text).toBe('on on on on')
  })

  test('that the server’s user cannot walk to serves all the same', async () => {
    mkdirSync(folderOf('closed'), { mode: 0o700 })
    const store = await open('closed/deep')
    await note(store, 'one')
    expect(await names(store)).toEqual(['one'])
    await store.close()
  })

  test('with a path longer than a socket’s name may be serves all the same', async () => {
    expect(await faultOf({ kind: 'folder', folder: folderOf(`long/${'x'.repeat(120)}`) })).toBe('opened')
  })

  test('that is a file is refused', async () => {
    writeFileSync(folderOf('file'), '')
    expect(await faultOf({ kind: 'folder', folder: folderOf('file') })).toMatch(/^STORE_FOLDER: .*EEXIST/)
  })

  test('whose making was interrupted is made anew', async () => {
    mkdirSync(join(folderOf('interrupted'), 'data.new/base'), { recursive: true })
    await (await open('interrupted')).close()
    expect(readdirSync(folderOf('interrupted')).toSorted()).toEqual(['data', 'lock', 'server.log'])
  })

  test('that a newer version wrote is refused and left as it is', async () => {
    const store = await open('newer')
    const client = new pg.Client({ host: join(folderOf('newer'), 'data'), user: 'portcullis', database: 'postgres' })
    await client.connect()
    await client.query(`insert into portcullis.kysely_migration values ('0099-from-the-future', '2030-01-01')`)
    await client.end()
    await store.close()
    expect(await faultOf({ kind: 'folder', folder: folderOf('newer') })).toMatch(/^STORE_NEWER: .*0099-from-the-future/)
  })
})

describe('after a crash', () => {
  test('of the server, what was returned is there', async () => {
    const store = await open('server-killed')
    const returned: string[] = []
    const write = async (): Promise<never> => {
      for (let n = 0; ; n += 1) {
        await note(store, String(n))
        returned.push(String(n))
      }
    }
    await note(store, 'before')
    process.kill(serverPid('server-killed'), 'SIGKILL')
    // The server's children serve until they notice.
    await expect(write()).rejects.toMatchObject({ fault: { code: 'STORE_UNREACHABLE' } })
    await store.close()
    const again = await open('server-killed')
    expect((await names(again)).slice(0, returned.length + 1)).toEqual(['before', ...returned])
    await again.close()
  })

  /** A process that opens the store, writes one entry, says so and goes on writing until it is killed. */
  const writer = (name: string) =>
    spawn(process.execPath, ['--input-type=module', '-e', WRITER, join(import.meta.dirname, 'openStore.ts'), folderOf(name)], { stdio: ['ignore', 'pipe', 'inherit'] })
  const WRITER = `
    const { openStore } = await import(process.argv[1])
    const store = await openStore({ kind: 'folder', folder: process.argv[2] })
    if (!store.ok) throw new Error(JSON.stringify(store.faults))
    for (let n = 0; ; n += 1) {
      await store.value.appendJournal({ run: 'r', at: 1, kind: 'action', name: String(n) })
      process.stdout.write(n + '\\n')
    }`

  test('of ourselves, the next one finds the folder free and every entry that was returned', { repeats: 1 }, async () => {
    const child = writer('we-killed')
    let written = ''
    child.stdout.on('data', (data: Buffer) => (written += data.toString()))
    for (let waitedMs = 0; written.split('\n').length < 20 && waitedMs < 60_000; waitedMs += 20) await sleep(20)
    const server = serverPid('we-killed')
    child.kill('SIGKILL')
    await new Promise((resolve) => child.once('exit', resolve))
    const store = await open('we-killed', 0)
    expect(isAlive(server)).toBe(false)
    const last = written.trim().split('\n').at(-1) ?? 'none'
    expect(await names(store)).toContain(last)
    await store.close()
  })

  test('a process id that now is someone else’s does not count as our server', async () => {
    await (await open('reused')).close()
    const pid = join(folderOf('reused'), 'data/postmaster.pid')
    writeFileSync(pid, `${process.pid}\n/nowhere\n1\n5432\n\n\n`)
    chmodSync(pid, 0o600)
    expect(await faultOf({ kind: 'folder', folder: folderOf('reused') })).toBe('opened')
  })
})

describe('a server by its connection string', () => {
  test('serves two controllers at once', async () => {
    const one = await open('shared')
    const opened = await openStore({ kind: 'server', url: `postgres://portcullis@localhost/postgres?host=${encodeURIComponent(join(folderOf('shared'), 'data'))}` })
    if (!opened.ok) throw new Error(opened.faults[0]?.what.en)
    const two = opened.value
    const written = await Promise.all(Array.from({ length: 20 }, (_, index) => note(index % 2 === 0 ? one : two, String(index))))
    expect(new Set(written.map(({ sequence }) => sequence)).size).toBe(20)
    expect(await names(two)).toEqual(await names(one))
    await two.close()
    await one.close()
  })

  test('that is not there is told without its password', async () => {
    const fault = await faultOf({ kind: 'server', url: 'postgres://admin:s3cret@127.0.0.1:1/fleet?password=s3cret' })
    expect(fault).toMatch(/^STORE_UNREACHABLE: the store at 127\.0\.0\.1:1\/fleet cannot be reached: .*ECONNREFUSED/)
    expect(fault).not.toContain('s3cret')
  })
})
