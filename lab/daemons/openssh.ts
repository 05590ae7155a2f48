import { readFileSync } from 'node:fs'
import type { LabHost } from '../host.ts'
import { untilReady, type Daemon } from './daemon.ts'

/**
 * Started by the host's first process (init.sh); here it only has to be waited for. The kernel is asked, not the daemon:
 * for a client that only tries, sshd starts itself once more, which costs as much as its start.
 */
export const openssh: Daemon = (host) => untilReady(host, 'sshd', () => Promise.resolve(listensOnSsh(host)))

/** In proc_pid_net(5), 0016 is the port, 0A the state LISTEN; sshd takes IPv6 last. */
const LISTENS = /:0016 [0-9A-F]+:0000 0A /

function listensOnSsh(host: LabHost): boolean {
  return ['tcp', 'tcp6'].every((table) => {
    try {
      return LISTENS.test(readFileSync(`/proc/${host.initPid}/net/${table}`, 'latin1'))
    } catch {
      return table === 'tcp6' // The kernel has no IPv6.
    }
  })
}
