import { z } from 'zod'
import { runChild } from './child.ts'
import { byDeadline, dial } from './conversation.ts'
import { answerOfError, bad, good, printableLine, unasked, type GateProbe, type ProbeAnswer, type ProbedTarget } from './probe.ts'
import { address, file, port } from './settings.ts'

const settings = z.strictObject({
  port: port.default(22),
  address,
  user: z.string().regex(/^[A-Za-z0-9._][A-Za-z0-9._@-]*$/).max(64),
  identityFile: file,
  knownHostsFile: file.optional(),
})
type Settings = z.infer<typeof settings>

/** SSH_FXP_INIT of version 3, and the type of its answer (draft-ietf-secsh-filexfer-02, 4). */
const INIT = Buffer.of(0, 0, 0, 5, 1, 0, 0, 0, 3)
const VERSION = 2

/** A login by key with the system's OpenSSH, and the start of its file transfer, so that a login without a subsystem is not taken for one. */
export const sftpProbe: GateProbe<Settings> = {
  settings,
  canAskFromElsewhere: true,
  ask: (asked, target) => byDeadline(transfer(asked, target).catch(answerOfError), target),
}

async function transfer(asked: Settings, target: ProbedTarget): Promise<ProbeAnswer> {
  const through = await throughVantage(asked.port, target)
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
}

/** ssh tells a vantage that can do nothing from a server that refuses in no way that could be read: so the connection is tried first. */
async function throughVantage(port: number, target: ProbedTarget): Promise<readonly string[]> {
  if (!target.vantage) return []
  const tried = await dial(port, target)
  tried.destroy()
  return [`-oProxyCommand=${(await target.vantage.argv(target.address, port, target)).join(' ')}`]
}
