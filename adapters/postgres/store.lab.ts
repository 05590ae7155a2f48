import { spawn, spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Store } from '@portcullis/engine/store.ts'
import { sql } from 'kysely'
import pg from 'pg'
import { afterAll, describe, expect, test } from 'vitest'
import { lockFile } from './folderLock.ts'
import { openStore } from './openStore.ts'
import type { PostgresStore } from './postgresStore.ts'
import { describeRolloutStore, recordOf } from './rolloutStore.test.ts'
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

/** Every process of PostgreSQL that works in the folder. */
const serversOf = (name: string): number[] =>
  readdirSync('/proc').filter((pid) => /^[0-9]+$/.test(pid)).map(Number).filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/comm`, 'utf8') === 'postgres\n' && readlinkSync(`/proc/${pid}/cwd`) === join(folderOf(name), 'data')
    } catch {
      return false
    }
  })

const serverPid = (name: string): number => Number(readFileSync(join(folderOf(name), 'data/postmaster.pid'), 'utf8').split('\n')[0])
const isAlive = (pid: number): boolean => existsSync(`/proc/${pid}`) && !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ')
const note = (store: Store, name: string) => store.appendJournal({ run: 'r', at: 1, kind: 'action', name })
const names = async (store: Store): Promise<string[]> => (await store.journal({ run: 'r' })).map((entry) => entry.name)

describeStore('on a folder', () => open('suite'))
describeRolloutStore('on a folder', async () => {
  const store = await open('rollouts')
  return { rollouts: store.rollouts, close: () => store.close() }
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

  test('is told of when it is just being opened or closed by somebody who does not come to an end', async () => {
    prepare('door')
    const door = await lockFile(join(folderOf('door'), 'lock'))
    expect(await faultOf({ kind: 'folder', folder: folderOf('door'), waitMs: 0 })).toBe(`STORE_IN_USE: the store in ${folderOf('door')} is being opened or closed by process ${process.pid}`)
    if (door.kind === 'held') door.release()
    expect(await faultOf({ kind: 'folder', folder: folderOf('door'), waitMs: 0 })).toBe('opened')
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
    expect(readdirSync(folderOf('interrupted')).toSorted()).toEqual(['alive', 'data', 'lock', 'server.log', 'users'])
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
  test('of the server: whoever has the store open starts it again, and what was returned is there', async () => {
    const store = await open('server-killed')
    const returned: string[] = []
    await note(store, 'before')
    const [killed, children] = [serverPid('server-killed'), serversOf('server-killed')]
    // A child that is busy does not notice that its server is dead. Beside a new one it would spoil the data.
    const busy = sql`select count(*) from generate_series(1, 100000000000)`.execute(store.database).then(() => 'done', () => 'lost')
    await sleep(500)
    process.kill(killed, 'SIGKILL')
    for (let n = 0; serversOf('server-killed').length === 0 || children.some((pid) => isAlive(pid)); n += 1) {
      await note(store, String(n)).then(() => returned.push(String(n)), () => undefined)
    }
    expect(await busy).toBe('lost')
    await note(store, 'after')
    expect(await names(store)).toEqual(['before', ...returned, 'after'])
    await store.close()
    expect(serversOf('server-killed')).toEqual([])
  })

  test('of ourselves, the next one gets in at once and finds every entry that was returned', { repeats: 2 }, async () => {
    const writer = startWriter('we-killed', 'w')
    await writer.hasWritten(20)
    await writer.kill()
    // The server is about to end, or is joined before that: either serves.
    const store = await open('we-killed', 20_000)
    expect(await names(store)).toContain(writer.last())
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

describe('several processes', () => {
  test('share one server, and the last of them ends it', async () => {
    const store = await open('joined')
    const [server, writer] = [serverPid('joined'), startWriter('joined', 'w')]
    await writer.hasWritten(5)
    expect(serverPid('joined')).toBe(server)
    expect(await names(store)).toContain('w4')
    await store.close()
    await writer.hasWritten(10)
    expect(isAlive(server)).toBe(true)
    expect(await writer.end()).toBe(0)
    expect(isAlive(server)).toBe(false)
  })

  test('of which the first is killed: the others do not notice, and the last still ends the server', async () => {
    const first = startWriter('first-killed', 'a')
    await first.hasWritten(1)
    const [server, second] = [serverPid('first-killed'), startWriter('first-killed', 'b')]
    await second.hasWritten(3)
    await first.kill()
    await second.hasWritten(50)
    expect(await second.end()).toBe(0)
    expect(isAlive(server)).toBe(false)
    const store = await open('first-killed')
    expect(await names(store)).toEqual(expect.arrayContaining([first.last(), second.last()]))
    await store.close()
  })

  test('of which all are killed: the server ends though nobody comes', async () => {
    const both = [startWriter('all-killed', 'a'), startWriter('all-killed', 'b')]
    await Promise.all(both.map((writer) => writer.hasWritten(3)))
    const server = serverPid('all-killed')
    await Promise.all(both.map((writer) => writer.kill()))
    for (let waitedMs = 0; isAlive(server) && waitedMs < 20_000; waitedMs += 20) await sleep(20)
    expect(isAlive(server)).toBe(false)
  })

  test('that come, leave and are killed as it happens: nobody is turned away, and nothing that was returned is lost', async () => {
    const written: string[] = []
    const come = async (name: string, index: number): Promise<void> => {
      for (let turn = 0; turn < 4; turn += 1) {
        const writer = startWriter('coming', `${name}${turn}-`)
        await writer.hasWritten(1 + ((index * 7 + turn * 3) % 11))
        if ((index + turn) % 2 === 0) await writer.kill()
        else expect(await writer.end()).toBe(0)
        written.push(writer.last())
      }
    }
    await (await open('coming')).close()
    await Promise.all(['a', 'b', 'c', 'd'].map(come))
    const store = await open('coming')
    expect(await names(store)).toEqual(expect.arrayContaining(written))
    await store.close()
    expect(readdirSync(join(folderOf('coming'), 'data'))).not.toContain('postmaster.pid')
  })

  test('of which one has a rollout: the others do not get it, and whoever comes when all are dead need not wait for its lease', async () => {
    const holder = startWriter('leased', 'w', `await store.value.rollouts.create(${JSON.stringify(recordOf('leased-one'))}); await store.value.rollouts.claim('leased-one', 'them', 600_000)`)
    await holder.hasWritten(1)
    const beside = await open('leased')
    expect(await beside.rollouts.claim('leased-one', 'us', 600_000)).toBeUndefined()
    await beside.close()
    await holder.kill()
    const after = await open('leased', 20_000)
    expect(await after.rollouts.claim('leased-one', 'us', 600_000)).toMatchObject({ holder: 'us' })
    await after.close()
  })
})

interface Writer {
  hasWritten(count: number): Promise<void>
  last(): string
  kill(): Promise<void>
  /** Asks it to close the store, and gives its exit code. */
  end(): Promise<number | null>
}

/** A process that opens the store and writes entries, `NAME0` and so on, until it is asked to end or is killed; `first` runs before. */
function startWriter(folder: string, name: string, first = ''): Writer {
  prepare(folder)
  const child = spawn(process.execPath, ['--input-type=module', '-e', WRITER.replace('FIRST', first), join(import.meta.dirname, 'openStore.ts'), folderOf(folder), name], { stdio: ['pipe', 'pipe', 'inherit'] })
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve))
  let written: string[] = []
  child.stdout.on('data', (data: Buffer) => (written = [...written, ...data.toString().trim().split('\n')]))
  return {
    async hasWritten(count) {
      const aim = written.length + count
      for (let waitedMs = 0; written.length < aim; waitedMs += 20) {
        if (child.exitCode !== null || waitedMs > 60_000) throw new Error(`the writer ${name} has stopped writing: ${child.exitCode}`)
        await sleep(20)
      }
    },
    last: () => written.at(-1) ?? 'none',
    async kill() {
      child.kill('SIGKILL')
      await ended
    },
    async end() {
      child.stdin.end('end\n')
      return ended
    },
  }
}

const WRITER = `
  const { openStore } = await import(process.argv[1])
  const store = await openStore({ kind: 'folder', folder: process.argv[2] })
  if (!store.ok) throw new Error(JSON.stringify(store.faults))
  FIRST
  let isAsked = false
  process.stdin.on('data', () => (isAsked = true))
  for (let n = 0; !isAsked; n += 1) {
    await store.value.appendJournal({ run: 'r', at: 1, kind: 'action', name: process.argv[3] + n })
    process.stdout.write(process.argv[3] + n + '\\n')
  }
  await store.value.close()
  process.exit(0)`

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
