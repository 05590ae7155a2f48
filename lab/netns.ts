import type { ChildProcess } from 'node:child_process'
import { killGroup, mustRun, runCommand, startCommand, type CommandOptions, type CommandResult } from './command.ts'
import { claim, release, remember } from './registry.ts'

/** Bare network namespaces and cables between them, for tests that need packets but no hosts. */
export interface Namespaces extends AsyncDisposable {
  readonly prefix: string
  add(name: string): Promise<Namespace>
  /** A cable: a veth pair, one end in each namespace, both up, their addresses usable at once. */
  link(a: LinkEnd, b: LinkEnd): Promise<void>
  close(): Promise<void>
}

export interface Namespace {
  readonly name: string
  /** Its name for `ip netns`, unique on this machine. */
  readonly netns: string
  run(argv: readonly string[], options?: CommandOptions): Promise<CommandResult>
  /** As `run`, but a non-zero exit is an error; returns the standard output. */
  must(argv: readonly string[], options?: CommandOptions): Promise<string>
  /** Starts a process that ends with the namespaces at the latest. */
  spawn(argv: readonly string[], options?: CommandOptions): Spawned
}

export interface Spawned {
  readonly process: ChildProcess
  /** Resolves with its exit code when it has ended. */
  readonly ended: Promise<number>
  kill(signal?: NodeJS.Signals): Promise<number>
}

export interface LinkEnd {
  readonly at: Namespace
  readonly device: string
  /** With prefix lengths: `10.1.0.1/24`, `fd01::1/64`. */
  readonly addresses: readonly string[]
}

/** Opens a place for namespaces named `PREFIX-NAME`. Everything in it is gone after `close`, at the end of this process, and on Ctrl-C. */
export function openNamespaces(prefix = `lab-${process.pid}`): Namespaces {
  claim(prefix)
  const close = async () => release(prefix)
  return {
    prefix,
    async add(name) {
      await addNamespaces(prefix, [`${prefix}-${name}`])
      const space = namespaceAt(name, `${prefix}-${name}`)
      await batch(['link set lo up'], space.netns)
      return space
    },
    link: connect,
    close,
    [Symbol.asyncDispose]: close,
  }
}

/** Makes network namespaces (full names) in one call of ip(8), known to the registry before they exist. */
export async function addNamespaces(prefix: string, netns: readonly string[]): Promise<void> {
  remember(prefix, netns)
  await batch(netns.map((name) => `netns add ${name}`))
}

/** Runs the lines of an `ip -batch` inside a namespace, or in this process's own. */
export async function batch(lines: readonly string[], netns?: string): Promise<void> {
  if (lines.length === 0) return
  const inside = netns === undefined ? [] : ['-n', netns]
  await mustRun(['ip', ...inside, '-batch', '-'], { input: `${lines.join('\n')}\n` })
}

/** `nodad`: duplicate address detection would leave an IPv6 address unusable for about a second. */
export const addressLine = (device: string, address: string): string =>
  `address add ${address} dev ${device}${address.includes(':') ? ' nodad' : ''}`

function namespaceAt(name: string, netns: string): Namespace {
  const inside = (argv: readonly string[]) => ['ip', 'netns', 'exec', netns, ...argv]
  return {
    name,
    netns,
    run: (argv, options) => runCommand(inside(argv), options),
    must: (argv, options) => mustRun(inside(argv), options),
    spawn: (argv, options) => spawned(startCommand(inside(argv), options ?? {}, 'pipe')),
  }
}

async function connect(a: LinkEnd, b: LinkEnd): Promise<void> {
  await batch([`link add ${a.device} type veth peer name ${b.device} netns ${b.at.netns}`], a.at.netns)
  for (const end of [a, b]) {
    await batch([...end.addresses.map((address) => addressLine(end.device, address)), `link set ${end.device} up`], end.at.netns)
  }
}

export function spawned(process: ChildProcess): Spawned {
  const ended = new Promise<number>((resolve) => {
    process.once('error', () => resolve(127))
    process.once('close', (code) => resolve(code ?? 128))
  })
  return {
    process,
    ended,
    kill(signal = 'SIGTERM') {
      killGroup(process, signal)
      return ended
    },
  }
}
