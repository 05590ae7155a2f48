import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { chmodSync, chownSync, closeSync, constants, existsSync, fsyncSync, mkdirSync, openSync, readFileSync, readlinkSync, realpathSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fail, succeed, type Result } from '@portcullis/core/fault/fault.ts'
import { findBinaries } from './binaries.ts'
import { lockFile, type FolderLock } from './folderLock.ts'
import { ownName, serverUser, type ServerUser } from './serverUser.ts'
import { storeFolder, storeInUse, storeServer } from './storeFault.ts'

/** A PostgreSQL of our own on a folder, reached by a socket in its data folder and by nothing else. */
export interface EmbeddedServer {
  /** What node-postgres takes as `host`: the folder of the socket. */
  readonly socketFolder: string
  readonly pid: number
  stop(): Promise<void>
}

export interface ServerOptions {
  readonly folder: string
  /** How long to wait for another process that is about to leave the folder. */
  readonly waitMs: number
}

const DATABASE_USER = 'portcullis'
const PORT = 5432

/**
 * Starts the server on `folder`, which is made where it is missing. Only one process at a time has a folder; a server
 * that a killed process left behind is ended first. Faults: STORE_IN_USE, STORE_FOLDER, STORE_PLATFORM, STORE_SERVER.
 */
export async function startServer(options: ServerOptions): Promise<Result<EmbeddedServer>> {
  const { folder } = options
  const made = makeFolder(folder)
  if (!made.ok) return made
  const lock = await takeLock(folder, options.waitMs)
  if (!lock.ok) return lock
  const started = await startLocked(folder)
  if (!started.ok) lock.value.release()
  return started.ok ? succeed(withLock(started.value, lock.value)) : started
}

function makeFolder(folder: string): Result<void> {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    openAndClose(join(folder, 'lock'))
    return succeed(undefined)
  } catch (error) {
    const { code = String(error) } = error as NodeJS.ErrnoException
    return fail(storeFolder(folder, code, code))
  }
}

const openAndClose = (path: string): void => closeSync(openSync(path, 'a+', 0o600))

type HeldLock = Extract<FolderLock, { kind: 'held' }>

async function takeLock(folder: string, waitMs: number): Promise<Result<HeldLock>> {
  for (let waitedMs = 0; ; waitedMs += POLL_MS) {
    const lock = await lockFile(join(folder, 'lock'))
    if (lock.kind === 'held') return succeed(lock)
    if (waitedMs >= waitMs) return fail(storeInUse(folder, lock.pid))
    await sleep(POLL_MS)
  }
}

const POLL_MS = 20

const withLock = (server: EmbeddedServer, lock: HeldLock): EmbeddedServer => ({
  ...server,
  stop: async () => {
    await server.stop()
    lock.release()
  },
})

async function startLocked(folder: string): Promise<Result<EmbeddedServer>> {
  const data = join(folder, 'data')
  const user = serverUser(data)
  if (user === undefined) return fail(storeFolder(folder, 'there is no user but root to run PostgreSQL as', '除 root 外没有可运行 PostgreSQL 的用户'))
  const binaries = findBinaries(user)
  if (!binaries.ok) return binaries
  if (!existsSync(data)) {
    const made = initialise(folder, binaries.value, user)
    if (!made.ok) return made
  }
  const orphan = await endOrphan(folder, data)
  if (!orphan.ok) return orphan
  return run(folder, data, binaries.value, user)
}

/** Under another name until it is whole, so that a start that was interrupted is begun anew. */
function initialise(folder: string, binaries: string, user: ServerUser): Result<void> {
  const unfinished = join(folder, 'data.new')
  rmSync(unfinished, { recursive: true, force: true })
  mkdirSync(unfinished, { mode: 0o700 })
  if (process.geteuid?.() === 0) chownSync(unfinished, user.uid, user.gid)
  const fd = openFolder(unfinished)
  const made = spawnSync(join(binaries, 'bin/initdb'), [...INITDB_ARGUMENTS], {
    ...identityOf(user),
    cwd: '/',
    env: SERVER_ENVIRONMENT,
    stdio: ['ignore', 'ignore', 'pipe', fd],
    encoding: 'utf8',
  })
  closeSync(fd)
  if (made.status !== 0) {
    rmSync(unfinished, { recursive: true, force: true })
    return fail(storeServer({ en: 'could not be initialised', zh: '初始化失败' }, made.error?.message ?? lastLines(made.stderr)))
  }
  renameSync(unfinished, join(folder, 'data'))
  const parent = openFolder(folder)
  fsyncSync(parent)
  closeSync(parent)
  return succeed(undefined)
}

/**
 * The child has the data folder as descriptor 3 and names it by that, so that it need not be able to walk to it: the
 * folders above may be root's alone.
 */
const DATA_OF_CHILD = '/proc/self/fd/3'

const INITDB_ARGUMENTS = [
  `--pgdata=${DATA_OF_CHILD}`,
  `--username=${DATABASE_USER}`,
  '--encoding=UTF8',
  '--locale=C',
  '--locale-provider=builtin',
  '--builtin-locale=C.UTF-8',
  '--auth-local=peer',
  '--auth-host=reject',
  // One syncfs(2) where the default syncs a thousand files one by one: as durable, and half the time.
  '--sync-method=syncfs',
  '--no-instructions',
]

/** Nothing of ours: it may hold the password of another database. */
const SERVER_ENVIRONMENT = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C', TZ: 'UTC' }

const SETTINGS = {
  listen_addresses: '',
  port: PORT,
  unix_socket_directories: '.',
  unix_socket_permissions: '0700',
  // Durable: what is committed is on the disk. These are the defaults, said so that a folder's own configuration cannot differ.
  fsync: 'on',
  synchronous_commit: 'on',
  full_page_writes: 'on',
  wal_level: 'minimal',
  max_wal_senders: 0,
  max_connections: 20,
  shared_buffers: '64MB',
  max_wal_size: '256MB',
  jit: 'off',
  // Workers that a store of this size has no work for; each is a process more at every start.
  io_method: 'sync',
  max_logical_replication_workers: 0,
  log_min_messages: 'warning',
  log_checkpoints: 'off',
  log_statement: 'none',
  // A statement may hold what a host said; an error alone is enough.
  log_min_error_statement: 'panic',
}

async function run(folder: string, data: string, binaries: string, user: ServerUser): Promise<Result<EmbeddedServer>> {
  allowPeers(data, user)
  const fd = openFolder(data)
  const log = openLog(folder)
  const [command, args] = commandLine(join(binaries, 'bin/postgres'), user)
  const child = spawn(command, args, {
    ...(command === SETPRIV ? {} : identityOf(user)),
    cwd: '/',
    // A session of its own: the terminal's Ctrl-C is for us, and we stop the server when we are done with it.
    detached: true,
    env: SERVER_ENVIRONMENT,
    stdio: ['ignore', log, log, fd],
  })
  closeSync(log)
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => resolve())
    child.once('error', () => resolve())
  })
  if (!(await isReady(data, child))) {
    child.kill('SIGQUIT')
    closeSync(fd)
    return fail(storeServer({ en: 'does not start', zh: '无法启动' }, lastLines(readFileSync(join(folder, 'server.log'), 'utf8'))))
  }
  const onExit = (): void => void child.kill('SIGINT')
  process.once('exit', onExit)
  child.unref()
  return succeed({
    socketFolder: `/proc/self/fd/${fd}`,
    pid: child.pid ?? 0,
    stop: async () => {
      process.off('exit', onExit)
      await stop(child, ended)
      closeSync(fd)
    },
  })
}

const openFolder = (path: string): number => openSync(path, constants.O_RDONLY | constants.O_DIRECTORY)

const identityOf = (user: ServerUser): { uid?: number; gid?: number } => (process.geteuid?.() === 0 ? { uid: user.uid, gid: user.gid } : {})

const SETPRIV = '/usr/bin/setpriv'

/** With setpriv(1) the kernel stops the server when we are killed; without it, the next start does. */
function commandLine(postgres: string, user: ServerUser): [command: string, args: string[]] {
  const args = [postgres, '-D', DATA_OF_CHILD, ...Object.entries(SETTINGS).flatMap(([name, value]) => ['-c', `${name}=${value}`])]
  if (!existsSync(SETPRIV)) return [postgres, args.slice(1)]
  const identity = process.geteuid?.() === 0 ? [`--reuid=${user.uid}`, `--regid=${user.gid}`, '--clear-groups'] : []
  return [SETPRIV, [...identity, '--pdeathsig=INT', '--', ...args]]
}

/** The kernel tells the server who is at the other end of its socket: we, or the user that it runs as. Nobody else, and no password. */
function allowPeers(data: string, user: ServerUser): void {
  const names = [...new Set([user.name, ownName()])].filter((name) => name !== undefined)
  writeOwned(join(data, 'pg_hba.conf'), `local all ${DATABASE_USER} peer map=portcullis\n`, user)
  writeOwned(join(data, 'pg_ident.conf'), names.map((name) => `portcullis "${name}" ${DATABASE_USER}\n`).join(''), user)
}

function writeOwned(path: string, text: string, user: ServerUser): void {
  writeFileSync(path, text, { mode: 0o600 })
  chmodSync(path, 0o600)
  if (process.geteuid?.() === 0) chownSync(path, user.uid, user.gid)
}

const LOG_BYTES_MAX = 4 * 1024 * 1024

function openLog(folder: string): number {
  const path = join(folder, 'server.log')
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0
  if (size > LOG_BYTES_MAX) renameSync(path, `${path}.1`)
  return openSync(path, 'a', 0o600)
}

/** Recovery reads back at most max_wal_size of the log. */
const START_MS_MAX = 120_000

async function isReady(data: string, child: ChildProcess): Promise<boolean> {
  let failed = false
  child.once('error', () => (failed = true))
  for (let waitedMs = 0; waitedMs < START_MS_MAX; waitedMs += START_POLL_MS) {
    if (failed || child.exitCode !== null || child.signalCode !== null) return false
    // postmaster.pid, lines 1 and 8 (src/include/utils/pidfile.h).
    const lines = readLines(join(data, 'postmaster.pid'))
    if (lines[0] === String(child.pid) && lines[7]?.trim() === 'ready') return true
    await sleep(START_POLL_MS)
  }
  return false
}

const START_POLL_MS = 5

/** SIGINT: no more connections, end those there are, write everything, leave (postgres(1), "fast shutdown"). */
async function stop(child: ChildProcess, ended: Promise<void>): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.ref()
  child.kill('SIGINT')
  const isLate = await Promise.race([ended.then(() => false), sleep(STOP_MS_MAX, true, { ref: false })])
  if (!isLate) return
  child.kill('SIGQUIT')
  await ended
}

const STOP_MS_MAX = 30_000

/**
 * What a process that was killed left in the data folder: a server that still runs is stopped, a file that names no
 * server of this folder is removed, because PostgreSQL would take whoever has that process id now for one.
 */
async function endOrphan(folder: string, data: string): Promise<Result<void>> {
  const file = join(data, 'postmaster.pid')
  const pid = Number(readLines(file)[0] ?? Number.NaN)
  if (!Number.isInteger(pid) || pid <= 1) return succeed(undefined)
  for (const [signal, waitMs] of [['SIGINT', STOP_MS_MAX], ['SIGQUIT', STOP_MS_MAX]] as const) {
    for (let waitedMs = 0; waitedMs < waitMs; waitedMs += POLL_MS) {
      if (!isServerOf(data, pid)) {
        rmSync(file, { force: true })
        return succeed(undefined)
      }
      if (waitedMs === 0) process.kill(pid, signal)
      await sleep(POLL_MS)
    }
  }
  return fail(storeInUse(folder, pid))
}

function isServerOf(data: string, pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8') === 'postgres\n' && readlinkSync(`/proc/${pid}/cwd`) === realpathSync(data)
  } catch {
    return false
  }
}

function readLines(path: string): string[] {
  try {
    return readFileSync(path, 'utf8').split('\n')
  } catch {
    return []
  }
}

const lastLines = (log: string): string => log.trim().split('\n').slice(-3).join(' | ').slice(-500)
