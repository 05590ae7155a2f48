import type { Fault } from '@portcullis/core/fault/fault.ts'
import { linkLost, notReady, scriptMissing } from './linkFault.ts'
import type { Way } from './way.ts'

/** Exit code of the script where a tool is missing or it does not run as root. */
const EXIT_TOOL = 10

/** Why a command ended without an answer. The way knows its own failures; sh(1) says 126 and 127 for a program that cannot be run. */
export function endedFault(way: Way, verb: string, exitCode: number, stderr: string): Fault {
  const fault = way.explain(exitCode, stderr)
  if (fault) return fault
  if (exitCode === 126 || exitCode === 127) return scriptMissing(way.host.name, way.scriptPath)
  const said = stderr.trim().split('\n').at(-1) ?? ''
  return exitCode === EXIT_TOOL ? notReady(way.host.name, said) : linkLost(way.host.name, verb, said || `exit code ${exitCode}`)
}
