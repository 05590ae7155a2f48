import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { succeed, type Result } from '@portcullis/core/fault/fault.ts'
import type { Host } from '@portcullis/core/policy/policy.ts'
import type { HostLink, Hosts } from '@portcullis/engine/ports.ts'
import { localWay } from '../local/local.ts'
import { netnsWay } from '../netns/netns.ts'
import { sshWay } from '../ssh/ssh.ts'
import { start, type Program } from './child.ts'
import { install } from './install.ts'
import { KeptLinks } from './keptLinks.ts'
import { Launcher } from './launcher.ts'
import { openLink, type LinkOptions } from './link.ts'
import { readPackagedScript, type PackagedScript } from './packagedScript.ts'
import { Turns } from './turns.ts'
import type { Way } from './way.ts'

export interface HostsOptions {
  /** Default `session`. */
  readonly mode?: LinkOptions['mode']
  /** From start to greeting, default 20 s. */
  readonly connectMs?: number
  /** Opened at the same time, default 16: more connects at once only make each slower (key exchange is CPU time of both ends). */
  readonly connectsMax?: number
  /** How long a link that nobody uses stays open for the next `reach`, default 60 s; 0 keeps none. */
  readonly keepMs?: number
  /** Kept at the same time, default 512: each is a process here and two on its host. */
  readonly keptMax?: number
}

/** A host that is asleep or far away keeps no other from its turn for longer. */
const CONNECT_PATIENCE_MS = 2_000
/** Of those, at the same time. */
const SLOW_CONNECTS_MAX = 128
/** For a link that somebody else uses: short questions take less, and a whole apply takes longer than a login. */
const LENT_PATIENCE_MS = 2_000
/** Who starts so many programs will start more, and is no longer small itself. */
const LAUNCHED_AFTER = 48

/** Hosts by whatever way each one's transport names. */
export function makeHosts(options: HostsOptions = {}): Hosts {
  return new EveryHost(options)
}

class EveryHost implements Hosts {
  readonly #script: PackagedScript = readPackagedScript()
  readonly #options: HostsOptions
  readonly #turns: Turns
  readonly #links = new Set<HostLink>()
  readonly #kept: KeptLinks
  #controlDirectory: string | undefined
  #ways = 0
  #launcher: Launcher | undefined
  #started = 0

  constructor(options: HostsOptions) {
    this.#options = options
    this.#turns = new Turns(options.connectsMax ?? 16, CONNECT_PATIENCE_MS, SLOW_CONNECTS_MAX)
    this.#kept = new KeptLinks(options.keepMs ?? 60_000, options.keptMax ?? 512)
  }

  async reach(host: Host, signal?: LinkOptions['signal']): Promise<Result<HostLink>> {
    if (this.#options.keepMs === 0 || this.#options.mode === 'call') return this.connect(host, signal)
    const kept = this.#kept.take(host) ?? (await this.#kept.comingBack(host, LENT_PATIENCE_MS))
    if (kept) return succeed(this.#lent(host, kept))
    const link = await this.connect(host, signal)
    return link.ok ? succeed(this.#lent(host, link.value)) : link
  }

  async connect(host: Host, signal?: LinkOptions['signal']): Promise<Result<HostLink>> {
    const way = this.#wayTo(host)
    if (!way.ok) return way
    const { mode = 'session', connectMs = 20_000 } = this.#options
    const onClose = (closed: HostLink) => this.#links.delete(closed)
    const options: LinkOptions = { mode, connectMs, onClose, start: (argv) => this.#start(argv), ...(signal ? { signal } : {}) }
    const link = await this.#turns.take(() => openLink(way.value, this.#script, options))
    if (!link.ok) return link
    this.#links.add(link.value)
    return succeed(link.value)
  }

  #start(argv: readonly string[]): Program {
    this.#started += 1
    if (this.#launcher?.isOpen) return this.#launcher.start(argv)
    if (this.#started === LAUNCHED_AFTER) void this.#openLauncher()
    return start(argv)
  }

  /** Where there can be none, programs are started from here, as before. */
  async #openLauncher(): Promise<void> {
    const directory = this.#ownDirectory()
    const launcher = await Launcher.open(join(directory, 'launch')).catch(() => undefined)
    // Closed meanwhile: the folder is gone, or another one is there.
    if (this.#controlDirectory === directory) this.#launcher = launcher
    else launcher?.close()
  }

  async install(host: Host, signal?: LinkOptions['signal']) {
    const way = this.#wayTo(host)
    // A session that is kept would go on with the script as it was.
    await this.#kept.drop(host)
    return way.ok ? this.#turns.take(() => install(way.value, this.#script, signal)) : way
  }

  async close(): Promise<void> {
    await this.#kept.close()
    await Promise.all([...this.#links].map((link) => link.close()))
    this.#links.clear()
    this.#launcher?.close()
    this.#launcher = undefined
    this.#started = 0
    if (this.#controlDirectory !== undefined) rmSync(this.#controlDirectory, { recursive: true, force: true })
    this.#controlDirectory = undefined
  }

  /** For sockets. Short, because the path of one is at most 108 bytes (unix(7)) and ssh adds a suffix of its own. */
  #ownDirectory(): string {
    this.#controlDirectory ??= mkdtempSync(join(tmpdir(), 'portcullis-'))
    return this.#controlDirectory
  }

  /** Closing it gives it back. */
  #lent(host: Host, link: HostLink): HostLink {
    let isBack = false
    this.#kept.lend(host)
    return {
      host,
      call: (call) => link.call(call),
      close: async () => {
        if (isBack) return
        isBack = true
        await this.#kept.give(host, link)
      },
    }
  }

  #wayTo(host: Host): Result<Way> {
    const { transport } = host
    switch (transport.kind) {
      case 'local':
        return succeed(localWay(host))
      case 'netns':
        return succeed(netnsWay(host, transport.namespace, this.#script))
      case 'ssh':
        this.#ways += 1
        return sshWay(host, transport, this.#ownDirectory(), this.#ways)
    }
  }
}
