import { closeSync, fstatSync, ftruncateSync, openSync, readFileSync, statSync, writeSync } from 'node:fs'

export type FolderLock = { readonly kind: 'held'; release(): void } | { readonly kind: 'busy'; readonly pid?: number }

/** A lock that several processes hold together. */
export interface SharedLock {
  /** Nobody else held it when it was taken. */
  readonly wasFirst: boolean
  /** Gives it back, and says whether nobody else holds it. */
  release(): { readonly isLast: boolean }
}

/** linux/fcntl.h */
const LOCK_SH = 1
const LOCK_EX = 2
const LOCK_NB = 4

/**
 * Takes the file's lock by flock(2), which the kernel gives back whatever way this process ends: there is no stale lock.
 * The file keeps the holder's process id, for the message to the next one.
 */
export async function lockFile(path: string): Promise<FolderLock> {
  const flock = await loadFlock()
  const fd = openSync(path, 'a+', 0o600)
  if (flock(fd, LOCK_EX | LOCK_NB) !== 0) {
    const pid = Number.parseInt(readFileSync(path, 'utf8'), 10)
    closeSync(fd)
    return Number.isInteger(pid) ? { kind: 'busy', pid } : { kind: 'busy' }
  }
  // Whoever removed the folder meanwhile left us the lock of a file that nobody else will find.
  if (!isSameFile(fd, path)) {
    closeSync(fd)
    return lockFile(path)
  }
  ftruncateSync(fd, 0)
  writeSync(fd, `${process.pid}\n`)
  return { kind: 'held', release: () => closeSync(fd) }
}

/** Undefined while somebody holds it for himself alone. */
export async function shareFile(path: string): Promise<SharedLock | undefined> {
  const flock = await loadFlock()
  const fd = openSync(path, 'a+', 0o600)
  const wasFirst = flock(fd, LOCK_EX | LOCK_NB) === 0
  if (flock(fd, LOCK_SH | LOCK_NB) !== 0) {
    closeSync(fd)
    return undefined
  }
  return {
    wasFirst,
    release() {
      const isLast = flock(fd, LOCK_EX | LOCK_NB) === 0
      closeSync(fd)
      return { isLast }
    },
  }
}

function isSameFile(fd: number, path: string): boolean {
  const found = statSync(path, { throwIfNoEntry: false })
  return found !== undefined && found.ino === fstatSync(fd).ino
}

type Flock = (fd: number, operation: number) => number

let flock: Flock | undefined

/** Node has no flock(2) of its own. */
async function loadFlock(): Promise<Flock> {
  if (flock === undefined) {
    const { default: koffi } = await import('koffi')
    flock = koffi.load(null).func('int flock(int fd, int operation)') as unknown as Flock
  }
  return flock
}
