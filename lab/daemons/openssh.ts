import { untilReady, type Daemon } from './daemon.ts'

/** Started by the host's first process (init.sh); here it only has to be waited for. */
export const openssh: Daemon = (host, _spec, site) => untilReady(host, 'sshd', () => site.connects(host, 22))
