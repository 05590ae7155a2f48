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
  /** Over a connection that is opened for it. */
  pushCold(text: string): Promise<void>
  /** As our verbs go: over a session that stands, which is opened by the first call. */
  push(text: string): Promise<void>
  close(): Promise<void>
}

const LIMITS = { timeoutMs: 60_000, outputBytesMax: 1024 * 1024 }
/** Speaks as `portcullis-host session` does (docs/host-verbs.md), and knows nothing but nft. */
const SESSION = 'printf "portcullis-session 0 %064d\\n" 0; while read -r bytes verb; do head -c "$bytes" | nft -f -; printf "reply %s 0 0\\n" $?; done'

export function openPushes(fleet: readonly Host[], atOnce: number): Pushes {
  const folder = mkdtemp(join(tmpdir(), 'bn-'))
  const ways = folder.then((directory) => fleet.map((host, index) => wayTo(host, directory, index)))
  const sessions = new Map<Way, Session>()
  const sessionOf = async (way: Way): Promise<Session> => {
    const opened = await openSession({ ...way, script: () => way.shell(SESSION, []) }, start, LIMITS)
    if (!opened.ok) throw new Error(opened.faults[0]?.what.en)
    sessions.set(way, opened.value)
    return opened.value
  }
  return {
    async pushCold(text) {
      await fanOut(await ways, atOnce, async (way) => {
        const ended = await run(way.shell('nft -f -', []), text, LIMITS)
        if (ended.kind !== 'exited' || ended.exitCode !== 0) throw new Error(`${way.host.name}: ${ended.kind === 'exited' ? ended.stderr : ended.kind}`)
      })
    },
    async push(text) {
      await fanOut(await ways, atOnce, async (way) => {
        const session = sessions.get(way) ?? (await sessionOf(way))
        const reply = await session.ask({ verb: 'load', args: [], input: text }, LIMITS)
        if (!reply.ok || reply.value.exitCode !== 0) throw new Error(`${way.host.name}: ${reply.ok ? `nft ended with ${reply.value.exitCode}` : reply.faults[0]?.what.en}`)
      })
    },
    async close() {
      await Promise.all([...sessions.values()].map((session) => session.close()))
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
