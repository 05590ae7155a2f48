import { untilReady, type Daemon } from './daemon.ts'
import type { ServiceSpec } from './spec.ts'

/** A developer's page that tells the whole world about the process. */
export const debugHttp: Daemon<Extract<ServiceSpec, { daemon: 'debugHttp' }>> = async (host, { port }, site) => {
  host.writeFile('/etc/lab/debug/index.html', 'goroutines: 12\n')
  host.start('debugHttp', ['busybox', 'httpd', '-f', '-p', `[::]:${port}`, '-h', '/etc/lab/debug'])
  await untilReady(host, 'debugHttp', () => site.connects(host, port))
}
