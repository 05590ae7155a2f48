import type { Fault } from '@portcullis/core/fault/fault.ts'
import type { Host } from '@portcullis/core/policy/policy.ts'
import type { PackagedScript } from './packagedScript.ts'

/** How commands get to one host: all that the transports differ in. */
export interface Way {
  readonly host: Host
  readonly scriptPath: string
  /** The host has an init of its own that could start a boot unit. */
  readonly hasInit: boolean
  /** What is started here to run `portcullis-host WORDS` there. `isFirst`: others may ride on the connection that it makes. */
  script(words: readonly string[], isFirst: boolean): readonly string[]
  /** What is started here to run `sh -c TEXT portcullis-install WORDS` there; TEXT is ours and has no single quote. */
  shell(text: string, words: readonly string[]): readonly string[]
  /** Why the command ended without an answer, where the way itself failed. */
  explain(exitCode: number, stderr: string): Fault | undefined
}

/** Words that no shell changes. Whatever a way puts into a command is one, or the way is refused. */
export const isPlainWord = (word: string): boolean => /^[A-Za-z0-9._:/@,=+-]+$/.test(word)

/** The directories a host's script works in, where the transport names them. */
export function placement(stateDirectory: string | undefined): readonly string[] {
  if (stateDirectory === undefined) return []
  return ['env', `PORTCULLIS_STATE=${stateDirectory}`, `PORTCULLIS_RUN=${stateDirectory}/run`]
}

/** A host that shares our file system runs the packaged script in place. */
export const scriptPathHere = (host: Host, script: PackagedScript): string => host.transport.scriptPath ?? script.path
