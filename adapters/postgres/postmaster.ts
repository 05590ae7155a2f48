import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { chmodSync, chownSync, closeSync, constants, existsSync, fsyncSync, mkdirSync, openSync, readdirSync, readFileSync, readlinkSync, realpathSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fail, succeed, type Result } from '@portcullis/core/fault/fault.ts'
import { findBinaries } from './binaries.ts'
import { ownName, serverUser, type ServerUser } from './serverUser.ts'
import { storeFolder, storeInUse, storeServer } from './storeFault.ts'

const DATABASE_USER = 'portcullis'
export const PORT = 5432

/** What of a store's folder the server lives in and is watched by. */
export interface ServerPlace {
  readonly folder: string
  /** Held by every process that has the store open: when nobody holds it any more, the server is told to end … */
  readonly alive: string
  /** … and this file says that it has been told. */
  readonly leaving: string
}

export const dataOf = ({ folder }: Pick<ServerPlace, 'folder'>): string => join(folder, 'data')

/**
 * Starts PostgreSQL on the folder, which is made ready where it is not; whatever was left there before is ended first.
 * Faults: STORE_IN_USE, STORE_FOLDER, STORE_PLATFORM, STORE_SERVER.
 */
export async function startPostmaster(place: ServerPlace): Promise<Result<void>> {
  const [folder, data] = [place.folder, dataOf(place)]
  const user = serverUser(data)
  if (user === undefined) return fail(storeFolder(folder, 'there is no user but root to run PostgreSQL as', '除 root 外没有可运行 PostgreSQL 的用户'))
  const binaries = findBinaries(user)
  if (!binaries.ok) return binaries
  if (!existsSync(data)) {
    const made = initialise(folder, binaries.value, user)
    if (!made.ok) return made
  }
  const ended = await endPostmaster(place)
  if (!ended.ok) return ended
  const orphaned = await endOrphans(place)
  if (!orphaned.ok) return orphaned
  rmSync(place.leaving, { force: true })
  return run(place, binaries.value, user)
}

/** Whether a server of this folder takes connections, and has not been told to end. */
export function isServing(place: ServerPlace): boolean {
  const { pid, isReady } = readPidFile(dataOf(place))
  return pid !== undefined && isReady && isServerOf(dataOf(place), pid) && !existsSync(place.leaving)
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
  // Four for each process that has the store open.
  max_connections: 100,
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

async function run(place: ServerPlace, binaries: string, user: ServerUser): Promise<Result<void>> {
  const [folder, data] = [place.folder, dataOf(place)]
  allowPeers(data, user)
  const fd = openFolder(data)
  const log = openLog(folder)
  const [command, args] = commandLine(place, join(binaries, 'bin/postgres'), user)
  const child = spawn(command, args, {
    ...(command === SHELL ? {} : identityOf(user)),
    cwd: '/',
    // A session of its own: the terminal's Ctrl-C is for us, and the server ends when nobody uses it.
    detached: true,
    env: SERVER_ENVIRONMENT,
    stdio: ['ignore', log, log, fd],
  })
  closeSync(log)
  closeSync(fd)
  const isUp = await isReady(data, child)
  child.unref()
  if (isUp) return succeed(undefined)
  await endPostmaster(place)
  return fail(storeServer({ en: 'does not start', zh: '无法启动' }, lastLines(readFileSync(join(folder, 'server.log'), 'utf8'))))
}

export const openFolder = (path: string): number => openSync(path, constants.O_RDONLY | constants.O_DIRECTORY)

const identityOf = (user: ServerUser): { uid?: number; gid?: number } => (process.geteuid?.() === 0 ? { uid: user.uid, gid: user.gid } : {})

const [SHELL, SETPRIV, FLOCK] = ['/bin/sh', '/usr/bin/setpriv', '/usr/bin/flock']

/**
 * $1 is the file that everybody holds who has the store open, $2 the one that says that the server has been told to end,
 * the rest is the server's command. flock(1) gets the first when the last of them is gone, whatever way it went, and has
 * it until the server has been told: whoever holds it afterwards sees the second.
 */
const WATCHED = `
  alive=$1 leaving=$2; shift 2
  "$@" & server=$!
  ${FLOCK} --exclusive "$alive" ${SHELL} -c ': > "$1"; kill -INT "$2"' ${SHELL} "$leaving" "$server" & watch=$!
  wait "$server"
  kill "$watch"`

/** Without flock(1) and setpriv(1) a server that a killed process left behind runs until the next one ends it. */
function commandLine({ alive, leaving }: ServerPlace, postgres: string, user: ServerUser): [command: string, args: string[]] {
  const args = [postgres, '-D', DATA_OF_CHILD, ...Object.entries(SETTINGS).flatMap(([name, value]) => ['-c', `${name}=${value}`])]
  if (![SHELL, SETPRIV, FLOCK].every((tool) => existsSync(tool))) return [postgres, args.slice(1)]
  const identity = process.geteuid?.() === 0 ? [`--reuid=${user.uid}`, `--regid=${user.gid}`, '--clear-groups'] : []
  return [SHELL, ['-c', WATCHED, SHELL, alive, leaving, SETPRIV, ...identity, '--pdeathsig=INT', '--', ...args]]
}

/** The kernel tells the server who is at the other end of its socket: we, the user that it runs as, or root, who can be either. Nobody else, and no password. */
function allowPeers(data: string, user: ServerUser): void {
  const names = [...new Set([user.name, ownName(), 'root'])].filter((name) => name !== undefined)
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
    const { pid, isReady: isUp } = readPidFile(data)
    if (pid !== undefined && isUp && isServerOf(data, pid)) return true
    await sleep(START_POLL_MS)
  }
  return false
}

const START_POLL_MS = 5

/**
 * Ends the server of this folder and waits until it is gone. SIGINT: no more connections, end those there are, write
 * everything, leave (postgres(1), "fast shutdown"). A file that names no server of this folder is removed, because
 * PostgreSQL would take whoever has that process id now for one. Faults: STORE_IN_USE.
 */
export async function endPostmaster(place: ServerPlace): Promise<Result<void>> {
  const data = dataOf(place)
  const { pid } = readPidFile(data)
  if (pid === undefined) return succeed(undefined)
  for (const signal of ['SIGINT', 'SIGQUIT'] as const) {
    if (isServerOf(data, pid)) process.kill(pid, signal)
    for (let waitedMs = 0; waitedMs < STOP_MS_MAX; waitedMs += STOP_POLL_MS) {
      if (!isServerOf(data, pid)) {
        rmSync(join(data, PID_FILE), { force: true })
        return succeed(undefined)
      }
      await sleep(STOP_POLL_MS)
    }
  }
  return fail(storeInUse(place.folder, pid))
}

const STOP_MS_MAX = 30_000
const STOP_POLL_MS = 5

/**
 * Ends what a server that was killed has left: its children go on until they next wait for something, and a new server beside
 * one that still writes would spoil the data. PostgreSQL itself sees them by the file that `endPostmaster` removes. SIGQUIT:
 * leave at once, without writing (postgres(1), "immediate shutdown"). Faults: STORE_IN_USE.
 */
async function endOrphans({ folder }: Pick<ServerPlace, 'folder'>): Promise<Result<void>> {
  const data = dataOf({ folder })
  for (const signal of ['SIGQUIT', 'SIGKILL'] as const) {
    for (const pid of serversOf(data)) if (isServerOf(data, pid)) process.kill(pid, signal)
    for (let waitedMs = 0; waitedMs < ORPHAN_MS_MAX; waitedMs += STOP_POLL_MS) {
      if (serversOf(data).length === 0) return succeed(undefined)
      await sleep(STOP_POLL_MS)
    }
  }
  return fail(storeInUse(folder, serversOf(data)[0]))
}

const ORPHAN_MS_MAX = 5_000

const serversOf = (data: string): number[] => readdirSync('/proc').filter((name) => /^[0-9]+$/.test(name)).map(Number).filter((pid) => isServerOf(data, pid))

function isServerOf(data: string, pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8') === 'postgres\n' && readlinkSync(`/proc/${pid}/cwd`) === realpathSync(data)
  } catch {
    return false
  }
}

const PID_FILE = 'postmaster.pid'

/** Lines 1 and 8 (src/include/utils/pidfile.h). */
function readPidFile(data: string): { readonly pid?: number; readonly isReady: boolean } {
  try {
    const lines = readFileSync(join(data, PID_FILE), 'utf8').split('\n')
    const pid = Number(lines[0])
    return Number.isInteger(pid) && pid > 1 ? { pid, isReady: lines[7]?.trim() === 'ready' } : { isReady: false }
  } catch {
    return { isReady: false }
  }
}

const lastLines = (log: string): string => log.trim().split('\n').slice(-3).join(' | ').slice(-500)
