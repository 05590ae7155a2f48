import { join } from 'node:path'
import { untilReady, type Daemon } from './daemon.ts'

/** A market-data feed: whoever connects is sent ticks, and never has to say a word. */
export const feed: Daemon = async (host, _spec, site) => {
  host.start('feed', [process.execPath, join(import.meta.dirname, 'feedServer.ts'), '5133'])
  await untilReady(host, 'feed', () => site.connects(host, 5133))
}
