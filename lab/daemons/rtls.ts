import { join } from 'node:path'
import { untilReady, type Daemon } from './daemon.ts'

/** A location server: tags send `TAG NUMBER`, and each datagram is acknowledged. */
export const rtls: Daemon = async (host, _spec, site) => {
  host.start('rtls', [process.execPath, join(import.meta.dirname, 'rtlsServer.ts'), '12091'])
  await untilReady(host, 'rtls', () => site.answers(host, 12_091, 'ready 0'))
}
