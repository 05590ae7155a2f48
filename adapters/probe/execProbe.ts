import { z } from 'zod'
import { runChild } from './child.ts'
import { bad, good, printableLine, unasked, type GateProbe } from './probe.ts'
import { address } from './settings.ts'

/** `["/usr/lib/nagios/plugins/check_ldap", "-H", "{address}"]`: a JSON list in one text, because settings are flat. */
const argv = z.string().max(8192).transform((text, context): readonly string[] => {
  const read = z.array(z.string().max(4096).regex(/^[^\0]*$/)).min(1).max(64).safeParse(parseJson(text))
  if (read.success && read.data[0]?.startsWith('/')) return read.data
  context.issues.push({ code: 'custom', input: text, message: 'a JSON list of texts, the first an absolute path' })
  return z.NEVER
})

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined
  }
}

const settings = z.strictObject({ argv, address })

/** As monitoring plugins end: 0 and 1 (a warning) do, 2 does not, 3 does not know. Any other end is bad. No shell is involved. */
const GOOD_MAX = 1
const UNKNOWN = 3

export const execProbe: GateProbe<z.infer<typeof settings>> = {
  settings,
  canAskFromElsewhere: false,
  ask: (asked, target) => {
    const filled = asked.argv.map((word) => word.replaceAll('{address}', target.address).replaceAll('{host}', target.host))
    return runChild(filled, target, {}, ({ exitCode, stdout, durationMs }) => {
      const said = printableLine(stdout.toString('utf8').split('\n')[0] ?? '')
      if (exitCode === UNKNOWN) return unasked(`the command does not know: ${said}`, `命令返回未知：${said}`)
      if (exitCode !== null && exitCode <= GOOD_MAX) return good(durationMs, said)
      return bad(`exit ${exitCode ?? 'by a signal'}: ${said}`, `退出码 ${exitCode ?? '信号'}：${said}`)
    })
  },
}
