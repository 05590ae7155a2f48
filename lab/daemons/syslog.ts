import { setTimeout as sleep } from 'node:timers/promises'
import { untilReady, type Daemon } from './daemon.ts'

/** In a folder that other hosts find under `LabHost.folder`, so that a client can look whether its line arrived. */
export const SYSLOG_FILE = '/srv/syslog'

/** A log collector on UDP 514 that never answers: what arrived stands in `SYSLOG_FILE`. */
export const syslog: Daemon = async (host) => {
  host.writeFile(SYSLOG_FILE, '')
  host.start('syslog', ['socat', '-u', 'UDP6-RECV:514,ipv6only=0', `OPEN:${SYSLOG_FILE},append`])
  await untilReady(host, 'syslog', async () => {
    await host.run(['socat', '-u', '-', 'UDP4-SENDTO:127.0.0.1:514'], { input: 'ready\n' })
    await sleep(5)
    return host.readFile(SYSLOG_FILE).includes('ready')
  })
}
