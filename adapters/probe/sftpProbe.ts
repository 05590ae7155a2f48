import { z } from 'zod'
import { runChild } from './child.ts'
import { bad, good, printableLine, unasked, type GateProbe } from './probe.ts'
import { address, file, port } from './settings.ts'

const settings = z.strictObject({
  port: port.default(22),
  address,
  user: z.string().regex(/^[A-Za-z0-9._][A-Za-z0-9._@-]*$/).max(64),
  identityFile: file,
  knownHostsFile: file.optional(),
})

/** SSH_FXP_INIT of version 3, and the type of its answer (draft-ietf-secsh-filexfer-02, 4). */
const INIT = Buffer.of(0, 0, 0, 5, 1, 0, 0, 0, 3)
const VERSION = 2

/** A login by key with the system's OpenSSH, and the start of its file transfer, so that a login without a subsystem is not taken for one. */
export const sftpProbe: GateProbe<z.infer<typeof settings>> = {
  settings,
  canAskFromElsewhere: true,
  ask: async (asked, target) => {
    const through = target.vantage ? [`-oProxyCommand=${(await target.vantage.argv(target.address, asked.port, target)).join(' ')}`] : []
    const seconds = String(Math.max(1, Math.ceil(target.timeoutMs / 1000)))
    const known = asked.knownHostsFile === undefined ? [] : ['-o', `UserKnownHostsFile=${asked.knownHostsFile}`]
    const options = ['-F', '/dev/null', '-T', '-o', 'BatchMode=yes', '-o', 'IdentitiesOnly=yes', '-o', 'StrictHostKeyChecking=yes', '-o', 'ControlPath=none', '-o', `ConnectTimeout=${seconds}`, ...known]
    const argv = ['ssh', ...options, ...through, '-i', asked.identityFile, '-p', String(asked.port), '-l', asked.user, '-s', '--', target.address, 'sftp']
    return runChild(argv, target, { input: INIT, isEnough: (heard) => heard.length >= 9 }, ({ stdout, stderr, durationMs }) => {
      if (stdout.length >= 9 && stdout[4] === VERSION) return good(durationMs, `version ${stdout.readUInt32BE(5)}`)
      const said = printableLine(stderr.trim().split('\n').at(-1) ?? '')
      // Of ssh's own making: nothing was asked.
      if (/^(?:Load key|Bad permissions)|Host key verification failed|not accessible/.test(said)) return unasked(said, said)
      return bad(said === '' ? 'no file transfer' : said, said === '' ? '无法建立文件传输' : said)
    })
  },
}
