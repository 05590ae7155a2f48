import { untilReady, type Daemon } from './daemon.ts'

export const rpcbind: Daemon = async (host, _spec, site) => {
  host.writeFile('/run/rpcbind/placeholder', '')
  host.start('rpcbind', ['rpcbind', '-f'])
  await untilReady(host, 'rpcbind', () => site.connects(host, 111))
}
