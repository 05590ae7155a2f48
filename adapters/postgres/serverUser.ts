import { readFileSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'

/** Whom the embedded server runs as. PostgreSQL refuses to run as root. */
export interface ServerUser {
  readonly name: string
  readonly uid: number
  readonly gid: number
}

/** Whom we take when we are root, in this order; we create none. */
const CANDIDATES = ['portcullis', 'postgres', 'nobody']

/**
 * Ourselves, unless we are root: then whoever owns the data already, or the first of the candidates that the system has.
 * Undefined when the system has none of them, or no name for the user that it must be (initdb asks for one).
 */
export function serverUser(data: string): ServerUser | undefined {
  const users = readUsers()
  const own = process.geteuid?.() ?? 0
  if (own !== 0) return users.find((user) => user.uid === own)
  const owner = statSync(data, { throwIfNoEntry: false })?.uid
  if (owner !== undefined && owner !== 0) return users.find((user) => user.uid === owner)
  return CANDIDATES.map((name) => users.find((user) => user.name === name)).find((user) => user !== undefined && user.uid !== 0)
}

export const ownName = (): string | undefined => readUsers().find((user) => user.uid === process.geteuid?.())?.name

const readUsers = (): ServerUser[] =>
  readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
    .filter((fields) => fields.length >= 4)
    .map(([name = '', , uid, gid]) => ({ name, uid: Number(uid), gid: Number(gid) }))

/** Whether the user may walk to the path and read it, by the permission bits of all folders above it. */
export function isReachableBy(user: ServerUser, path: string): boolean {
  for (let at = resolve(path); ; at = dirname(at)) {
    const { mode, uid, gid } = statSync(at)
    const needed = uid === user.uid ? 0o500 : gid === user.gid ? 0o050 : 0o005
    const isEnough = at === resolve(path) ? (mode & needed) === needed : (mode & needed & 0o111) !== 0
    if (!isEnough) return false
    if (at === dirname(at)) return true
  }
}
