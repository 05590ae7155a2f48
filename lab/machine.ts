import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { release } from 'node:os'
import { dirname, join } from 'node:path'
import { generateOpensshKey } from './opensshKey.ts'
import { layUfwRules } from './firewalls/ufw.ts'
import { folderOf } from './registry.ts'
import { addressOf, type World, type WorldHost } from './world.ts'

/** Users that lab hosts have beside the machine's own. */
export const LAB_USERS = [{ name: 'batch', id: 2200, home: '/home/batch' }] as const

export interface SshAccess {
  /** Key that may log in as root on every lab host. */
  readonly identityFile: string
  /** Key of the user `batch` on hosts with an SFTP drop. */
  readonly batchIdentityFile: string
  /** Host keys of all servers, under their names and addresses. */
  readonly knownHostsFile: string
}

/**
 * The folder tree that hosts live in: `template/` is laid over the machine's own /etc for all of them,
 * `hosts/NAME/` holds what one host writes. Nothing outside of this folder is ever changed.
 */
export function prepareMachines(directory: string, world: World): SshAccess {
  writeTemplate(join(directory, 'template'), world)
  const at = (name: string) => join(directory, name)
  const ssh = { identityFile: at('id_ed25519'), batchIdentityFile: at('batch_ed25519'), knownHostsFile: at('known_hosts') }
  const rootKey = writeKeyPair(ssh.identityFile)
  writeKeyPair(ssh.batchIdentityFile)
  const knownHosts = world.hosts.map((host) => prepareMachine(directory, host, rootKey))
  writeFileSync(ssh.knownHostsFile, knownHosts.join(''))
  return ssh
}

/** Returns the public line. */
function writeKeyPair(file: string): string {
  const key = generateOpensshKey('lab')
  writeFileSync(file, key.privateFile, { mode: 0o600 })
  writeFileSync(`${file}.pub`, `${key.publicLine} lab\n`)
  return key.publicLine
}

export const machineFolder = (directory: string, host: string): string => join(directory, 'hosts', host)

/** The pid of each running host's first process, by host name, in a lab that any process started. */
export function readInits(prefix: string): Map<string, number> {
  const hosts = join(folderOf(prefix), 'hosts')
  if (!existsSync(hosts)) return new Map()
  const pidFiles = readdirSync(hosts).map((name) => [name, join(hosts, name, 'init.pid')] as const)
  return new Map(pidFiles.filter(([, path]) => existsSync(path)).map(([name, path]) => [name, Number(readFileSync(path, 'utf8'))]))
}

/** Folders of which a host sees its own copy: reads fall through to the machine, writes stay in the lab. */
const OVERLAID = ['/etc', '/var', '/usr/local'] as const
/** Folders that a host's root writes to: where it is root of a user namespace only, those of the machine belong to somebody else. */
const WRITTEN = ['/etc/ssh', '/etc/systemd/system', '/usr/local/sbin', '/var/lib', '/var/log'] as const
const OWN = ['/run', '/root', '/home', '/srv'] as const

/** The lab's own programs and the Node that runs them, which hosts find under the same path, wherever that is. */
const PROGRAMS = [join(import.meta.dirname, '..'), dirname(process.execPath)]
const HIDDEN_PROGRAMS = PROGRAMS.filter((path, index) => OWN.some((own) => path.startsWith(`${own}/`)) && !PROGRAMS.slice(0, index).some((above) => path.startsWith(`${above}/`)))

/** Returns the host's line of known_hosts. */
function prepareMachine(directory: string, host: WorldHost, userKey: string): string {
  const folder = machineFolder(directory, host.name)
  for (const path of [...OVERLAID.flatMap((path) => [`upper${path}`, `work${path}`]), ...OWN.map((path) => path.slice(1)), ...HIDDEN_PROGRAMS.map((path) => path.slice(1)), 'log']) {
    mkdirSync(join(folder, path), { recursive: true, mode: 0o755 })
  }
  for (const path of ['run/sshd', 'run/lock', ...WRITTEN.map((path) => `upper${path}`)]) mkdirSync(join(folder, path), { recursive: true, mode: 0o755 })
  mkdirSync(join(folder, 'root/.ssh'), { mode: 0o700 })
  writeFileSync(join(folder, 'root/.ssh/authorized_keys'), `${userKey} lab\n`, { mode: 0o600 })
  writeFileSync(join(folder, 'upper/etc/hostname'), `${host.name}\n`)
  writeFileSync(join(folder, 'fstab'), fstab(join(directory, 'template'), folder))
  if (host.firewall?.kind === 'ufw') layUfwRules(join(folder, 'upper'))
  const key = generateOpensshKey(host.name)
  writeFileSync(join(folder, 'upper/etc/ssh/ssh_host_ed25519_key'), key.privateFile, { mode: 0o600 })
  writeFileSync(join(folder, 'upper/etc/ssh/ssh_host_ed25519_key.pub'), `${key.publicLine} ${host.name}\n`)
  return `${host.name},${addressOf(host, 4)},${addressOf(host, 6)} ${key.publicLine}\n`
}

const fstab = (template: string, folder: string): string =>
  [
    // The folder as source: mount -a skips what it finds mounted from the same source already.
    `${folder} /proc proc nosuid,nodev,noexec 0 0`,
    `${folder} /sys sysfs nosuid,nodev,noexec 0 0`,
    ...OVERLAID.map((path) => {
      const lower = path === '/etc' ? `${template}/etc:/etc` : path
      return `${folder} ${path} overlay lowerdir=${lower},upperdir=${folder}/upper${path},workdir=${folder}/work${path}${VOLATILE}${USER_NAMESPACE} 0 0`
    }),
    // Before their folders are hidden; `rbind` takes them along.
    ...HIDDEN_PROGRAMS.map((path) => `${inFstab(path)} ${inFstab(folder + path)} none bind 0 0`),
    ...OWN.map((path) => `${folder}${path} ${path} none rbind 0 0`),
    '',
  ].join('\n')

/** A space would end the field (fstab(5)). */
const inFstab = (path: string): string => path.replaceAll(' ', '\\040')

/** A lab lives no longer than its machine is up: without this, ending a host waits for all that it wrote to reach the disk (Linux 5.10). */
const [KERNEL_MAJOR = 0, KERNEL_MINOR = 0] = release().split('.').map(Number)
const VOLATILE = KERNEL_MAJOR > 5 || (KERNEL_MAJOR === 5 && KERNEL_MINOR >= 10) ? ',volatile' : ''

/** In a user namespace overlayfs may not write trusted.* attributes (kernel documentation, filesystems/overlayfs.rst). */
const USER_NAMESPACE = process.env['PORTCULLIS_LAB_DIR'] === undefined ? '' : ',userxattr'

function writeTemplate(template: string, world: World): void {
  mkdirSync(join(template, 'etc/ssh/sshd_config.d'), { recursive: true })
  const file = (path: string, content: string, mode = 0o644) => writeFileSync(join(template, path), content, { mode })
  const passwd = passwdFile()
  file('etc/passwd', passwd)
  file('etc/shadow', passwd.replaceAll(/^([^:\n]+):.*$/gm, '$1:*:19000:0:99999:7:::'), 0o640)
  file('etc/group', `${readFileSync('/etc/group', 'utf8').trimEnd()}\n${LAB_USERS.map((user) => `${user.name}:x:${user.id}:\n`).join('')}`)
  file('etc/hosts', `127.0.0.1 localhost\n::1 localhost\n${world.hosts.flatMap(hostsLines).join('')}`)
  file('etc/ssh/sshd_config', SSHD_CONFIG)
}

/** A root shell that reads start-up files (bash under sshd reads ~/.bashrc) would make every command dearer. */
function passwdFile(): string {
  const machine = readFileSync('/etc/passwd', 'utf8').trimEnd().replace(/^root:.*$/m, 'root:x:0:0:root:/root:/bin/sh')
  return `${machine}\n${LAB_USERS.map((user) => `${user.name}:x:${user.id}:${user.id}::${user.home}:/bin/sh\n`).join('')}`
}

const hostsLines = (host: WorldHost): string[] =>
  host.interfaces.flatMap((face) => [`${face.ipv4} ${host.name}\n`, `${face.ipv6} ${host.name}\n`])

// OpenSSH's first choice of key exchange costs both ends 0.2 s of a processor a connection; all hosts of a lab share a few.
const SSHD_CONFIG = `KexAlgorithms curve25519-sha256
HostKey /etc/ssh/ssh_host_ed25519_key
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
UseDNS no
PrintMotd no
MaxStartups 200
MaxSessions 200
PidFile /run/sshd.pid
Subsystem sftp internal-sftp
Match User batch
  ForceCommand internal-sftp
  AllowTcpForwarding no
`
