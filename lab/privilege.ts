import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { FaultError, type Fault, type Text } from '@portcullis/core/fault/fault.ts'
import { LAB_PATH, runCommand } from './command.ts'

/**
 * Runs a command as root: at once where this process is root, else by running this whole program again as root of an own
 * user namespace, where all of a lab can stand without any right on the machine. Returns the exit code.
 * Throws a FaultError that says what is missing where neither is possible.
 */
export async function asRoot(command: () => Promise<number> | number): Promise<number> {
  if (process.getuid?.() === 0) return command()
  const fault = await whatIsMissing()
  if (fault !== undefined) throw new FaultError(fault)
  return again()
}

/** Own user ids as root plus the range of /etc/subuid, which sshd and databases need to change to other users. */
const UNSHARE = ['unshare', '--user', '--map-root-user', '--map-auto', '--net', '--mount']
/** ip(8) keeps namespace names under /run, which only the machine's root may write. */
const SCRIPT = 'mount -t tmpfs lab-run /run && exec "$@"'

function again(): Promise<number> {
  const [program = '', ...args] = [...UNSHARE, '--', '/bin/sh', '-c', SCRIPT, 'sh', process.execPath, ...process.execArgv, ...process.argv.slice(1)]
  const child = spawn(program, args, {
    stdio: 'inherit',
    env: { ...process.env, PATH: LAB_PATH, PORTCULLIS_LAB_DIR: `/tmp/portcullis-lab-${process.getuid?.()}` },
  })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => child.kill(signal))
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => resolve(code ?? 1))
  })
}

async function whatIsMissing(): Promise<Fault | undefined> {
  const name = userInfo().username
  for (const file of ['/etc/subuid', '/etc/subgid']) {
    if (!readOrEmpty(file).split('\n').some((line) => line.startsWith(`${name}:`))) return noSubordinateIds(file, name)
  }
  const tried = await runCommand([...UNSHARE, '--', 'true'], { timeoutMs: 10_000 }).catch((error: Error) => ({ exitCode: 127, stderr: error.message }))
  return tried.exitCode === 0 ? undefined : noUserNamespace(tried.stderr.trim())
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

const asRootInstead: Text = { en: 'or run it as root', zh: '或以 root 运行' }

const noSubordinateIds = (file: string, user: string): Fault => ({
  code: 'LAB_NO_SUBORDINATE_IDS',
  what: { en: `the lab needs root, or a range of ids for ${user} in ${file}`, zh: `实验环境需要 root，或在 ${file} 中为 ${user} 分配一段 ID` },
  next: {
    en: `sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 ${user}, ${asRootInstead.en}`,
    zh: `执行 sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 ${user}，${asRootInstead.zh}`,
  },
})

const noUserNamespace = (because: string): Fault => ({
  code: 'LAB_NO_USER_NAMESPACE',
  what: { en: `the lab needs root, or user namespaces, which this machine refuses: ${because}`, zh: `实验环境需要 root 或用户命名空间，而本机拒绝创建：${because}` },
  next: {
    en: `install uidmap; allow it with sysctl kernel.unprivileged_userns_clone=1 and kernel.apparmor_restrict_unprivileged_userns=0; ${asRootInstead.en}`,
    zh: `安装 uidmap；用 sysctl kernel.unprivileged_userns_clone=1 与 kernel.apparmor_restrict_unprivileged_userns=0 允许；${asRootInstead.zh}`,
  },
})
