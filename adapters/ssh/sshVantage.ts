import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { openTunnel } from '../vantage/tunnel.ts'
import { VantageError, type DialLimits, type Vantage } from '../vantage/vantage.ts'
import { oddWord, options, sshWords, type SshTransport } from './ssh.ts'

/**
 * Asks from a machine that OpenSSH reaches, by its port forwarding (`ssh -W`): nothing is installed or run there, its sshd must
 * only allow it (AllowTcpForwarding, sshd_config(5)). One connection is held open; every probe is a channel of it.
 */
export class SshVantage implements Vantage {
  readonly #transport: SshTransport
  #master: Promise<Master> | undefined

  constructor(transport: SshTransport) {
    this.#transport = transport
  }

  async connect(address: string, port: number, limits: DialLimits) {
    const master = await this.#connected(limits)
    return openTunnel({ argv: this.#channel(master, address, port), isOpen: isChannelOpen, ownFault: async (stderr) => ownFault(master, stderr) }, limits)
  }

  async argv(address: string, port: number, limits: DialLimits): Promise<readonly string[]> {
    return this.#channel(await this.#connected(limits), address, port)
  }

  async close(): Promise<void> {
    const master = await this.#master?.catch(() => undefined)
    this.#master = undefined
    master?.end()
  }

  async #connected(limits: DialLimits): Promise<Master> {
    const held = await this.#master?.catch(() => undefined)
    if (held?.isAlive()) return held
    this.#master = openMaster(this.#transport, limits)
    return this.#master
  }

  #channel({ controlPath }: Master, address: string, port: number): readonly string[] {
    // Without the held connection it must fail, not open one of its own: ssh takes the first value it is given.
    const held = ['-oProxyCommand=false', `-oControlPath=${controlPath}`, '-oControlMaster=no', '-oLogLevel=DEBUG1']
    return ['ssh', '-T', ...held, ...options(this.#transport), '-W', `${address.includes(':') ? `[${address}]` : address}:${port}`, '--', this.#transport.destination]
  }
}

/** mux.c of OpenSSH (7.2 to 10): said when the other side has confirmed the channel, which is after its connect(2) succeeded. */
const isChannelOpen = (line: string): boolean => line.includes('mux_client_request_stdio_fwd: master session id')

/** RFC 4254, 5.1: code 1 is a prohibition, 4 a shortage; 2, "connect failed", is the target's word. Told by the held connection. */
const PROHIBITED = /open failed: (administratively prohibited|resource shortage|unknown channel type)/

async function ownFault(master: Master, stderr: string): Promise<string | undefined> {
  if (!/Stdio forwarding request failed|stdio forwarding failed/i.test(stderr)) return `the vantage's connection is lost: ${stderr.trim().split('\n').at(-1) ?? ''}`
  // Both processes write at the same moment.
  await wait(20)
  const prohibited = PROHIBITED.exec(master.said())?.[1]
  return prohibited === undefined ? undefined : `sshd forwards nothing: ${prohibited} (AllowTcpForwarding)`
}

interface Master {
  readonly controlPath: string
  isAlive(): boolean
  said(): string
  end(): void
}

const POLL_MS = 10
const SAID_BYTES_MAX = 64 * 1024
/** Key exchange over a slow link; a probe's own deadline is for the probe. */
const CONNECT_MS_MAX = 15_000

async function openMaster(transport: SshTransport, { signal }: DialLimits): Promise<Master> {
  const odd = oddWord(sshWords(transport))
  if (odd !== undefined) throw new VantageError(`"${odd}" cannot be a word of an ssh command`)
  // Short: the path of a socket is at most 108 bytes (unix(7)), and ssh adds a suffix of its own.
  const directory = mkdtempSync(join(tmpdir(), 'portcullis-'))
  const controlPath = join(directory, 'v')
  const child = spawn('ssh', ['-M', '-N', '-T', `-oControlPath=${controlPath}`, '-oControlPersist=no', '-oLogLevel=INFO', ...options(transport), '--', transport.destination], { stdio: ['ignore', 'ignore', 'pipe'] })
  const master = masterOf(child, controlPath, directory)
  const until = performance.now() + CONNECT_MS_MAX
  while (!existsSync(controlPath)) {
    if (!master.isAlive() || signal.aborted || performance.now() > until) {
      master.end()
      throw new VantageError(master.said().trim().split('\n').at(-1) || (signal.aborted ? 'stopped' : `no connection within ${CONNECT_MS_MAX / 1000} s`))
    }
    await wait(POLL_MS)
  }
  return master
}

function masterOf(child: ChildProcess, controlPath: string, directory: string): Master {
  let said = ''
  let isAlive = true
  const gone = (error?: Error): void => {
    isAlive = false
    if (error) said += error.message
    rmSync(directory, { recursive: true, force: true })
  }
  // Nobody has to close it: it is no reason for this process to go on, and ends with it.
  child.unref()
  ;(child.stderr as Socket | null)?.unref()
  const endWithUs = (): void => void child.kill('SIGTERM')
  process.once('exit', endWithUs)
  child.once('error', gone)
  child.once('close', () => {
    process.removeListener('exit', endWithUs)
    gone()
  })
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-SAID_BYTES_MAX)
  })
  return { controlPath, isAlive: () => isAlive, said: () => said, end: () => void child.kill('SIGTERM') }
}
