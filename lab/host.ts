import type { ChildProcess } from 'node:child_process'
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { mustRun, runCommand, startCommand, type CommandOptions } from './command.ts'
import { spawned, type Namespace, type Spawned } from './netns.ts'
import type { WorldHost } from './world.ts'

/** One running host: a namespace of its own for network, mounts, processes and host name, with its own /etc, /var, /run, /root, /home, /srv and /usr/local. */
export interface LabHost extends Namespace {
  readonly spec: WorldHost
  /** The host's folder as this process sees it; the host sees it under the same path. */
  readonly folder: string
  /** Pid of the host's first process as this process sees it: `nsenter --target PID --mount --net --pid --uts`. */
  readonly initPid: number
  /** The argv that runs another argv inside the host. */
  readonly inside: (argv: readonly string[]) => string[]
  /** Starts a service whose output goes to the host's log of that name. It ends with the host. */
  start(name: string, argv: readonly string[], options?: CommandOptions): Spawned
  hasEnded(name: string): boolean
  /** The last lines of a started service's log. */
  readLog(name: string): string
  /** Where this process finds a file of one of the host's own folders, as the host sees it. */
  pathOf(path: string): string
  readFile(path: string): string
  exists(path: string): boolean
  /** Writes a file under one of the host's own folders, missing folders included: `writeFile('/etc/nginx/nginx.conf', …)`. */
  writeFile(path: string, content: string | Uint8Array, mode?: number): void
}

export function labHost({ spec, netns, folder, initPid }: Pick<LabHost, 'spec' | 'netns' | 'folder' | 'initPid'>): LabHost {
  const enter = ['nsenter', '--target', String(initPid), '--mount', '--net', '--pid', '--uts', '--']
  const inside = (argv: readonly string[]) => [...enter, ...argv]
  const pathOf = (path: string) => `/proc/${initPid}/root${own(path)}`
  const logOf = (name: string) => join(folder, 'log', name)
  const started = new Map<string, ChildProcess>()
  return {
    name: spec.name,
    netns,
    spec,
    folder,
    initPid,
    inside,
    run: (argv, options) => runCommand(inside(argv), hostOptions(options)),
    must: (argv, options) => mustRun(inside(argv), hostOptions(options)),
    spawn: (argv, options) => spawned(startCommand(inside(argv), hostOptions(options), 'pipe')),
    start(name, argv, options) {
      const log = openSync(logOf(name), 'a')
      const child = startCommand(inside(argv), hostOptions(options), ['ignore', log, log])
      closeSync(log)
      child.unref()
      started.set(name, child)
      return spawned(child)
    },
    hasEnded(name) {
      const child = started.get(name)
      return child !== undefined && (child.exitCode !== null || child.signalCode !== null)
    },
    readLog: (name) => (existsSync(logOf(name)) ? readFileSync(logOf(name), 'utf8').slice(-2_000) : 'it has no log'),
    pathOf,
    readFile: (path) => readFileSync(pathOf(path), 'utf8'),
    exists: (path) => existsSync(pathOf(path)),
    writeFile(path, content, mode = 0o644) {
      const there = pathOf(path)
      mkdirSync(dirname(there), { recursive: true })
      writeFileSync(there, content, { mode })
    },
  }
}

const hostOptions = (options: CommandOptions = {}): CommandOptions => ({ ...options, env: { HOME: '/root', ...options.env } })

/** What lies elsewhere is the machine's, and not for a lab to write to. */
function own(path: string): string {
  if (/^\/(etc|var|usr\/local|run|root|home|srv)\//.test(path) && !path.includes('/../')) return path
  throw new Error(`${path} is not in a folder that a lab host has of its own`)
}
