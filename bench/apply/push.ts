import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sshWay } from '@portcullis/adapters/ssh/ssh.ts'
import { run, start } from '@portcullis/adapters/transport/child.ts'
import { openSession, type Session } from '@portcullis/adapters/transport/session.ts'
import type { Way } from '@portcullis/adapters/transport/way.ts'
import type { Host } from '@portcullis/core/policy/policy.ts'
import { fanOut } from '@portcullis/engine/fanOut.ts'

/** The same file to every host over our transport's ssh and nothing else of ours: what Ansible does when it is told to run nft. */
export interface Pushes {
  /** Opens a connection to every host, which pushes ride on. */
  open(): Promise<void>
  push(text: string): Promise<void>
  close(): Promise<void>
}

const LIMITS = { timeoutMs: 60_000, outputBytesMax: 1024 * 1024 }

export function openPushes(fleet: readonly Host[], atOnce: number): Pushes {
  const folder = mkdtemp(join(tmpdir(), 'bn-'))
  const ways = folder.then((directory) => fleet.map((host, index) => wayTo(host, directory, index)))
  const sessions: Session[] = []
  return {
    async open() {
      await fanOut(await ways, atOnce, async (way) => {
        const opened = await openSession(way, start, LIMITS)
        if (!opened.ok) throw new Error(opened.faults[0]?.what.en)
        sessions.push(opened.value)
      })
    },
    async push(text) {
      await fanOut(await ways, atOnce, async (way) => {
        const ended = await run(way.shell('nft -f -', []), text, LIMITS)
        if (ended.kind !== 'exited' || ended.exitCode !== 0) throw new Error(`${way.host.name}: ${ended.kind === 'exited' ? ended.stderr : ended.kind}`)
      })
    },
    async close() {
      await Promise.all(sessions.map((session) => session.close()))
      await rm(await folder, { recursive: true, force: true })
    },
  }
}

function wayTo(host: Host, directory: string, serial: number): Way {
  if (host.transport.kind !== 'ssh') throw new Error('not over ssh')
  const way = sshWay(host, host.transport, directory, serial)
  if (!way.ok) throw new Error(way.faults[0]?.what.en)
  return way.value
}
