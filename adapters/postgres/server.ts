import { closeSync, mkdirSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fail, succeed, type Result } from '@portcullis/core/fault/fault.ts'
import { lockFile, shareFile, type FolderLock, type SharedLock } from './folderLock.ts'
import { dataOf, endPostmaster, isServing, openFolder, startPostmaster, type ServerPlace } from './postmaster.ts'
import { storeFolder, storeInUse } from './storeFault.ts'

/** A PostgreSQL of our own on a folder, reached by a socket in its data folder and by nothing else; every process of one user shares it. */
export interface EmbeddedServer {
  /** What node-postgres takes as `host`: the folder of the socket. */
  readonly socketFolder: string
  /** Nobody else had the folder when we came: whatever another process has left in the store, that process is gone. */
  readonly isFirst: boolean
  /** To be called when the store is ready: until then nobody else comes in, and nobody leaves. */
  opened(): void
  /** Starts the server again where it has died under those who use it. Faults as of `joinServer`. */
  revive(): Promise<Result<void>>
  /** The last one ends the server. */
  leave(): Promise<void>
}

export interface ServerOptions {
  readonly folder: string
  /** How long to wait for another process that is just coming or leaving. */
  readonly waitMs: number
}

/**
 * Joins the server that runs on `folder`, or starts one; the folder is made where it is missing. Whoever leaves last ends
 * it, and if that one was killed, flock(1) does. Faults: STORE_IN_USE, STORE_FOLDER, STORE_PLATFORM, STORE_SERVER.
 */
export async function joinServer({ folder, waitMs }: ServerOptions): Promise<Result<EmbeddedServer>> {
  const made = makeFolder(folder)
  if (!made.ok) return made
  const door = await takeDoor(folder, waitMs)
  if (!door.ok) return door
  const shared = await share(folder, waitMs)
  if (!shared.ok) {
    door.value.release()
    return shared
  }
  const place = placeIn(folder)
  const started = isServing(place) ? succeed(undefined) : await startPostmaster(place)
  if (started.ok) return succeed(joined(place, door.value, shared.value, waitMs))
  shared.value.users.release()
  shared.value.alive.release()
  door.value.release()
  return started
}

const placeIn = (folder: string): ServerPlace => ({ folder, alive: join(folder, 'alive'), leaving: join(folder, 'leaving') })

function makeFolder(folder: string): Result<void> {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    for (const name of ['lock', 'users', 'alive']) closeSync(openSync(join(folder, name), 'a+', 0o600))
    return succeed(undefined)
  } catch (error) {
    const { code = String(error) } = error as NodeJS.ErrnoException
    return fail(storeFolder(folder, code, code))
  }
}

type HeldLock = Extract<FolderLock, { kind: 'held' }>

/** One at a time comes or leaves. */
async function takeDoor(folder: string, waitMs: number): Promise<Result<HeldLock>> {
  for (let waitedMs = 0; ; waitedMs += POLL_MS) {
    const lock = await lockFile(join(folder, 'lock'))
    if (lock.kind === 'held') return succeed(lock)
    if (waitedMs >= waitMs) return fail(storeInUse(folder, lock.pid))
    await sleep(POLL_MS)
  }
}

const POLL_MS = 20

/** `users` tells who leaves whether others are there; `alive` is what the server's watcher waits for, and is held by it for a moment. */
interface Shared {
  readonly users: SharedLock
  readonly alive: SharedLock
}

async function share(folder: string, waitMs: number): Promise<Result<Shared>> {
  for (let waitedMs = 0; ; waitedMs += POLL_MS) {
    const [users, alive] = [await shareFile(join(folder, 'users')), await shareFile(join(folder, 'alive'))]
    if (users && alive) return succeed({ users, alive })
    users?.release()
    alive?.release()
    if (waitedMs >= Math.max(waitMs, WATCHER_MS_MAX)) return fail(storeInUse(folder, undefined))
    await sleep(POLL_MS)
  }
}

/** For one `kill`, on a machine that is busy. */
const WATCHER_MS_MAX = 2_000

function joined(place: ServerPlace, door: HeldLock, { users, alive }: Shared, waitMs: number): EmbeddedServer {
  const fd = openFolder(dataOf(place))
  let isInDoor = true
  const opened = (): void => {
    if (isInDoor) door.release()
    isInDoor = false
  }
  return {
    socketFolder: `/proc/self/fd/${fd}`,
    isFirst: users.wasFirst,
    opened,
    async revive() {
      // Of those who notice at the same time one starts it, and the others find it started.
      if (isInDoor) return isServing(place) ? succeed(undefined) : startPostmaster(place)
      const again = await takeDoor(place.folder, waitMs)
      if (!again.ok) return again
      try {
        return isServing(place) ? succeed(undefined) : await startPostmaster(place)
      } finally {
        again.value.release()
      }
    },
    async leave() {
      opened()
      // Nobody may come while it is being ended; if somebody has the door for that long, he is there to use the server.
      const again = await takeDoor(place.folder, waitMs)
      if (users.release().isLast && again.ok) await endPostmaster(place)
      alive.release()
      if (again.ok) again.value.release()
      closeSync(fd)
    },
  }
}
