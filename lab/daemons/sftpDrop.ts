import { chownSync, readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { LAB_USERS } from '../machine.ts'
import type { Daemon } from './daemon.ts'

/** The account of a batch job, which may put files and nothing else (see `Match User batch` of sshd_config). */
export const sftpDrop: Daemon = async (host, _spec, site) => {
  const [batch] = LAB_USERS
  const keys = `${batch.home}/.ssh/authorized_keys`
  host.writeFile(keys, readFileSync(`${site.ssh.batchIdentityFile}.pub`), 0o600)
  const file = host.pathOf(keys)
  for (const path of [file, dirname(file), dirname(dirname(file))]) chownSync(path, batch.id, batch.id)
}
