import { mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync, writeFileSync, existsSync, appendFileSync } from 'node:fs'
import { spawn, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { LAB_PATH } from './command.ts'

/**
 * What stands on this machine, so that it can be taken down by anyone, also after its owner was killed:
 * one folder for each prefix with `owner` (pid and start time), `namespaces` (one a line), `keep` where it shall stay.
 */
const REGISTRY = process.env['PORTCULLIS_LAB_DIR'] ?? '/tmp/portcullis-lab'
const NETNS = '/run/netns'

/** Longest wait for killed processes to be gone, on a machine that does much else; a process in uninterruptible sleep outlives it and is reported. */
const DEATH_WAIT_MS_MAX = 60_000

const live = new Set<string>()

/** Takes a prefix for this process and returns its folder. Sweeps what crashed owners left, of any prefix. */
export function claim(prefix: string): string {
  if (!/^[a-z][a-z0-9-]{0,31}$/.test(prefix)) throw new Error(`"${prefix}" is no lab prefix: write a to z, 0 to 9 and -, at most 32`)
  sweep()
  const directory = folderOf(prefix)
  mkdirSync(REGISTRY, { recursive: true, mode: 0o711 })
  if (statSync(REGISTRY).uid !== process.getuid?.()) throw new Error(`${REGISTRY} belongs to somebody else`)
  try {
    mkdirSync(directory, { mode: 0o711 })
  } catch (cause) {
    throw new Error(`a lab with the prefix ${prefix} stands already: lab down --prefix ${prefix}`, { cause })
  }
  writeFileSync(join(directory, 'owner'), `${process.pid} ${startTimeOf(process.pid)}\n`)
  watchForTheEnd()
  guard(prefix)
  live.add(prefix)
  return directory
}

/** Remembers a namespace before it is made, so that a crash in between leaves nothing unknown. */
export function remember(prefix: string, namespaces: readonly string[]): void {
  appendFileSync(join(folderOf(prefix), 'namespaces'), namespaces.map((name) => `${name}\n`).join(''))
}

/** Leaves the lab standing when this process ends. */
export function keep(prefix: string): void {
  writeFileSync(join(folderOf(prefix), 'keep'), '')
  live.delete(prefix)
  endGuard(prefix)
}

/** Kills everything inside the prefix's namespaces, then removes the namespaces and the folder. Synchronous, so that an exit handler can call it. */
export function release(prefix: string): void {
  const namespaces = namespacesOf(prefix)
  killInside(namespaces)
  deleteNamespaces(namespaces)
  endGuard(prefix)
  rmSync(folderOf(prefix), { recursive: true, force: true, maxRetries: 5, retryDelay: 20 })
  live.delete(prefix)
}

/** Every prefix in the registry, with whether its owner still runs and whether it is kept. */
export function registered(): { prefix: string; isOwned: boolean; isKept: boolean; namespaces: string[] }[] {
  if (!existsSync(REGISTRY)) return []
  return readdirSync(REGISTRY).map((prefix) => ({
    prefix,
    isOwned: isOwned(prefix),
    isKept: existsSync(join(folderOf(prefix), 'keep')),
    namespaces: namespacesOf(prefix),
  }))
}

export const folderOf = (prefix: string): string => join(REGISTRY, prefix)

function sweep(): void {
  for (const { prefix, isOwned, isKept } of registered()) if (!isOwned && !isKept) release(prefix)
}

function isOwned(prefix: string): boolean {
  const owner = readText(join(folderOf(prefix), 'owner'))
  // The folder is made a moment before its owner file: one without an owner is young, or very old.
  if (owner === undefined) return Date.now() - (statSync(folderOf(prefix), { throwIfNoEntry: false })?.ctimeMs ?? 0) < 5_000
  const [pid, startTime] = owner.trim().split(' ')
  return startTimeOf(Number(pid)) === startTime
}

function namespacesOf(prefix: string): string[] {
  const text = readText(join(folderOf(prefix), 'namespaces')) ?? ''
  return text.split('\n').filter((name) => name.startsWith(`${prefix}-`))
}

function killInside(namespaces: readonly string[]): void {
  const inodes = new Set(namespaces.flatMap((name) => statSync(join(NETNS, name), { throwIfNoEntry: false })?.ino ?? []))
  const deadline = performance.now() + DEATH_WAIT_MS_MAX
  for (;;) {
    const pids = pidsInside(inodes)
    if (pids.length === 0) return
    if (performance.now() > deadline) throw new Error(`processes that do not die: ${pids.join(' ')}`)
    // Parents that somebody has stopped (SIGSTOP) wait for nothing.
    const isPatient = performance.now() < deadline - DEATH_WAIT_MS_MAX / 2
    for (const pid of pids) if (!(isPatient && isWaiting(pid))) kill(pid)
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10)
  }
}

function pidsInside(inodes: ReadonlySet<number>): number[] {
  if (inodes.size === 0) return []
  return readdirSync('/proc').flatMap((entry) => {
    const pid = Number(entry)
    return Number.isInteger(pid) && pid !== process.pid && inodes.has(networkInodeOf(pid)) ? [pid] : []
  })
}

/** The parents of a host's first process (launch.sh) outlive every process of the host, if they are left to wait for them. */
const isWaiting = (pid: number): boolean => /^(unshare|lab-launcher)$/.test(readText(`/proc/${pid}/comm`)?.trim() ?? '')

function networkInodeOf(pid: number): number {
  try {
    return Number(/\[(\d+)\]/.exec(readlinkSync(`/proc/${pid}/ns/net`))?.[1] ?? -1)
  } catch {
    return -1 // Gone, or a zombie, which has no namespaces any more.
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // Its first process took it along.
  }
}

/** Two may release one crashed lab at once, its guard and the next lab: what the other has deleted already is no error. */
function deleteNamespaces(namespaces: readonly string[]): void {
  const isStanding = (name: string) => existsSync(join(NETNS, name))
  const input = namespaces.filter(isStanding).map((name) => `netns del ${name}\n`).join('')
  if (input === '') return
  const { stderr } = spawnSync('ip', ['-force', '-batch', '-'], { input, encoding: 'utf8', env: { PATH: LAB_PATH } })
  if (namespaces.some(isStanding)) throw new Error(`namespaces that cannot be deleted: ${stderr}`)
}

/** Pipes whose other ends the guards read: when this process dies, however, they close. */
const guards = new Map<string, number>()

function guard(prefix: string): void {
  const argv = [join(import.meta.dirname, 'guard.sh'), process.execPath, join(import.meta.dirname, 'main.ts'), prefix]
  const child = spawn('/bin/sh', argv, { stdio: ['pipe', 'ignore', 'ignore'], detached: true, cwd: '/' })
  child.unref()
  // The pipe's own type does not say that it can be unreferenced.
  ;(child.stdin as unknown as { unref(): void }).unref()
  if (child.pid !== undefined) guards.set(prefix, child.pid)
}

function endGuard(prefix: string): void {
  const pid = guards.get(prefix)
  if (pid !== undefined) kill(pid)
  guards.delete(prefix)
}

/** Field 22 of proc_pid_stat(5): with the pid it names one process for as long as the machine is up. */
function startTimeOf(pid: number): string | undefined {
  const stat = readText(`/proc/${pid}/stat`)
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

let isWatching = false

function watchForTheEnd(): void {
  if (isWatching) return
  isWatching = true
  process.on('exit', releaseAll)
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      releaseAll()
      // Others that listen (a test runner, the command) decide how to end; without them the signal does what it always does.
      if (process.listenerCount(signal) > 1) return
      process.removeAllListeners(signal)
      process.kill(process.pid, signal)
    })
  }
}

function releaseAll(): void {
  for (const prefix of live) release(prefix)
}
