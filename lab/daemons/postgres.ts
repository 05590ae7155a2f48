import { chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { mustRun } from '../command.ts'
import { asUser, untilReady, type Daemon } from './daemon.ts'

export const POSTGRES_PASSWORD = 'lab-postgres'
const DATA = '/srv/postgresql'

export const postgres: Daemon = async (host, _spec, site) => {
  const template = await templateCluster()
  const user = userIds()
  await mustRun(['cp', '-a', '--reflink=auto', template, host.pathOf(DATA)])
  mkdirSync(host.pathOf('/run/postgresql'))
  chownSync(host.pathOf('/run/postgresql'), user.uid, user.gid)
  host.start('postgres', asUser('postgres', [tool('postgres'), '-D', DATA, ...SETTINGS.flatMap((setting) => ['-c', setting])]))
  await untilReady(host, 'postgres', async () => (await site.connects(host, 5432)) && (await host.run([tool('pg_isready'), '-q'])).exitCode === 0)
}

/** The programs of the newest PostgreSQL that Debian has put on this machine. */
export function tool(name: string): string {
  const versions = readdirSync('/usr/lib/postgresql').toSorted((a, b) => Number(b) - Number(a))
  return `/usr/lib/postgresql/${versions[0]}/bin/${name}`
}

const SETTINGS = ['listen_addresses=*', 'unix_socket_directories=/run/postgresql', 'fsync=off', 'shared_buffers=16MB']

let template: Promise<string> | undefined

/** A cluster made once for this machine and copied for every host: initdb takes a second, a copy a tenth. */
function templateCluster(): Promise<string> {
  template ??= makeTemplate()
  return template
}

async function makeTemplate(): Promise<string> {
  const version = (await mustRun([tool('postgres'), '--version'])).trim().replaceAll(/[^A-Za-z0-9.]+/g, '-')
  const cache = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'portcullis-lab')
  const cached = join(cache, version)
  if (existsSync(join(cached, 'PG_VERSION'))) return cached
  mkdirSync(cache, { recursive: true })
  // Where the postgres user can write; moved to the cache in one step, so that no half-made cluster is ever found there.
  const scratch = mkdtempSync('/tmp/portcullis-lab-initdb-')
  try {
    await initialise(scratch)
    const incoming = mkdtempSync(join(cache, 'incoming-'))
    await mustRun(['cp', '-a', join(scratch, 'cluster'), join(incoming, 'cluster')])
    if (!existsSync(cached)) renameSync(join(incoming, 'cluster'), cached)
    rmSync(incoming, { recursive: true, force: true })
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
  return cached
}

async function initialise(scratch: string): Promise<void> {
  const { uid, gid } = userIds()
  chownSync(scratch, uid, gid)
  const passwordFile = join(scratch, 'password')
  writeFileSync(passwordFile, POSTGRES_PASSWORD)
  const options = ['-N', '-E', 'UTF8', '--locale=C', '--wal-segsize=1', '-A', 'scram-sha-256', '-U', 'postgres', `--pwfile=${passwordFile}`]
  await mustRun(asUser('postgres', [tool('initdb'), ...options, '-D', join(scratch, 'cluster')]), { cwd: scratch })
  writeFileSync(join(scratch, 'cluster/pg_hba.conf'), 'local all all trust\nhost all all 0.0.0.0/0 scram-sha-256\nhost all all ::/0 scram-sha-256\n')
}

/** The user that Debian's package made. */
function userIds(): { uid: number; gid: number } {
  const [, , uid, gid] = /^postgres:.*$/m.exec(readFileSync('/etc/passwd', 'utf8'))?.[0].split(':') ?? []
  if (uid === undefined || gid === undefined) throw new Error('there is no user postgres: install the Debian package postgresql')
  return { uid: Number(uid), gid: Number(gid) }
}
