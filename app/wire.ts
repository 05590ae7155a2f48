import { openStore } from '@portcullis/adapters/postgres/openStore.ts'
import { systemClock } from '@portcullis/adapters/system/clock.ts'
import { systemProbe } from '@portcullis/adapters/system/probe.ts'
import { systemRandom } from '@portcullis/adapters/system/random.ts'
import { makeHosts } from '@portcullis/adapters/transport/hosts.ts'
import { sha256 } from '@portcullis/adapters/transport/packagedScript.ts'
import { succeed, type Result } from '@portcullis/core/fault/fault.ts'
import { SpaceMemory } from '@portcullis/core/verify/spaceMemory.ts'
import { resolve } from 'node:path'
import type { OpenedWorld, WorldSettings } from './cli/cli.ts'
import { FACTS_READER } from './factsReader.ts'
import { NFT_RULES } from './nftRules.ts'

/** The one place where adapters meet the engine. */
export async function openWorld({ state, database, report }: WorldSettings): Promise<Result<OpenedWorld>> {
  const opened = await openStore(database === undefined ? { kind: 'folder', folder: resolve(state) } : { kind: 'server', url: database })
  if (!opened.ok) return opened
  const store = opened.value
  const hosts = makeHosts()
  const world = { clock: systemClock, random: systemRandom, hosts, store, probe: systemProbe, rules: NFT_RULES, facts: FACTS_READER, digest: sha256, memory: new SpaceMemory(), report }
  return succeed({
    world,
    openRollouts: async (settings) => (await import('./rolloutDoor.ts')).openRollouts(world, store, settings),
    close: async () => {
      await hosts.close()
      await store.close()
    },
  })
}
