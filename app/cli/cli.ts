import { describeFault, type Fault, type Result, type Text } from '@portcullis/core/fault/fault.ts'
import type { Host, Policy } from '@portcullis/core/policy/policy.ts'
import type { DraftNeed } from '@portcullis/core/policy/recommend/draftNeeds.ts'
import type { StartRules } from '@portcullis/core/plan/approval.ts'
import type { Gate } from '@portcullis/core/rollout/gate.ts'
import type { Dialect } from '@portcullis/core/ruleset/dialect.ts'
import type { HostFacts } from '@portcullis/core/ruleset/hostfacts.ts'
import type { Ruleset } from '@portcullis/core/ruleset/ruleset.ts'
import type { Cancellation } from '@portcullis/engine/ports.ts'
import type { JournalEntry, SeenPolicy } from '@portcullis/engine/store.ts'
import type { RolloutEvent } from '@portcullis/engine/rolloutStore.ts'
import type { RolloutWorld } from '@portcullis/engine/rolloutWorld.ts'
import type { World } from '@portcullis/engine/world.ts'
import type { Paint } from './paint.ts'

export type Language = keyof Text

/** What every command gets: its streams, its language, and the doors to the world. `main.ts` makes the real one. */
export interface Cli {
  readonly language: Language
  readonly isJson: boolean
  /** Writes to stdout, which carries the result and nothing else. */
  readonly out: (text: string) => void
  /** Writes to stderr, which carries progress and faults. */
  readonly err: (text: string) => void
  /** For stdout and for stderr: one of them may be a file. */
  readonly paint: Paint
  readonly errPaint: Paint
  /** Whether stderr is a terminal, so that a line can be written over. */
  readonly isTerminal: boolean
  /** Of the terminal as it is at the moment. */
  readonly columns: number
  /** Undefined where there is no terminal. */
  readonly rows?: number | undefined
  /** Asks a person; undefined where nobody sits there. */
  readonly ask?: (question: string) => Promise<string>
  /** Resolves when the reader of stdout has taken what was written, so that a stream is not held in memory; at once where it is absent. */
  readonly drained?: () => Promise<void>
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal & Cancellation
  readonly now: () => number
  readonly doors: Doors
}

/** What commands reach outside through; loaded when first used, so that `--help` stays fast. */
export interface Doors {
  openWorld(settings: WorldSettings): Promise<Result<OpenedWorld>>
  /** The store as a whole. */
  openKeeper(settings: StorePlaceSettings): Promise<Result<StoreKeeper>>
  readPolicy(file: string): Promise<Result<ReadPolicy>>
  /** JSON Schema of the policy file, as text. */
  policySchema(): Promise<string>
  /** The policy's text with needs added to it, its comments and order kept. */
  addNeeds(seen: SeenPolicy, needs: readonly DraftNeed[], language: Language): Promise<Result<string>>
  /** Puts a new text in the place of a policy file that still holds the text that was read. Faults: FILE_CHANGED, FILE_UNWRITABLE. */
  replacePolicy(seen: SeenPolicy, text: string): Promise<Result<void>>
  /** An Ansible inventory as the fleet of a policy file, as text. */
  importAnsible(file: string): Promise<Result<string>>
  /** Several dumps of one host's rules as one ruleset; `ipsets` is a file of `ipset save`. */
  readRuleset(files: readonly RulesetFile[], ipsets?: string): Promise<Result<Ruleset>>
  /** Interfaces and routes of a host. */
  readHostFacts(file: string): Promise<Result<HostFacts>>
  /** A file as it comes, or standard input for `-`, until the signal is given. Throws what Node throws. */
  streamText(file: string, signal?: AbortSignal): AsyncIterable<string>
  /** Faults: FILE_UNWRITABLE. */
  writeText(file: string, text: string): Promise<Result<void>>
}

export interface RulesetFile {
  readonly file: string
  /** Recognised where it is absent. */
  readonly dialect?: Dialect
}

export interface WorldSettings {
  /** Folder of the embedded store. */
  readonly state: string
  /** `postgres://…` of a store that several controllers share; the embedded one without it. */
  readonly database?: string
  readonly report: (entry: JournalEntry) => void
}

export type StorePlaceSettings = Pick<WorldSettings, 'state' | 'database'>

export interface KeepOptions {
  /** Says what would be done, and does nothing. */
  readonly isDry: boolean
  readonly signal: AbortSignal
  readonly report: (table: string, rows: number) => void
}

export interface StoreKeeper {
  backUp(file: string, options: KeepOptions & { readonly now: number }): Promise<Result<KeptFile>>
  /** `isReplacing`: also where the store holds something already. */
  restore(file: string, options: KeepOptions & { readonly now: number; readonly isReplacing: boolean }): Promise<Result<KeptFile>>
  /** Takes away what sensors saw before that time. */
  retire(options: KeepOptions & { readonly before: number }): Promise<Result<{ readonly before: number; readonly rows: Readonly<Record<string, number>>; readonly isDry: boolean }>>
  close(): Promise<void>
}

export interface KeptFile {
  readonly file: string
  readonly created: number
  readonly rows: Readonly<Record<string, number>>
  readonly isDry: boolean
}

export interface OpenedWorld {
  readonly world: World
  /** Absent where only single operations are wired. */
  readonly openRollouts?: (settings: RolloutSettings) => Promise<Result<OpenedRollouts>>
  readonly close: () => Promise<void>
}

export interface RolloutSettings {
  readonly gatesFile?: string
  readonly alertsFile?: string
  /** Of the policy: gates can be asked from them. */
  readonly hosts: readonly Host[]
  readonly report: (event: RolloutEvent) => void
}

export interface OpenedRollouts {
  readonly world: RolloutWorld
  /** Those of the file. */
  readonly gates: readonly Gate[]
  readonly rules: StartRules
  /** Tells what waits in the outbox. */
  readonly tellDue: (holder: string) => Promise<void>
}

export interface ReadPolicy {
  readonly policy: Policy
  readonly seen: SeenPolicy
  /** What is odd about it but no error. */
  readonly warnings: readonly Fault[]
}

/** The text in the user's language. */
export const say = (cli: Pick<Cli, 'language'>, text: Text): string => text[cli.language]

/** One object, and a line end, so that it can be piped. */
export const outJson = (cli: Cli, value: unknown): void => cli.out(`${JSON.stringify(value, undefined, 2)}\n`)

/** Faults for people on stderr; with `--json` as an object on stdout, where a program looks for the answer. */
export function reportFaults(cli: Cli, faults: readonly Fault[]): void {
  if (cli.isJson) return outJson(cli, { format: 'portcullis-faults', version: 1, faults })
  for (const fault of faults) cli.err(`${cli.errPaint.red(say(cli, ERROR))} ${describeFault(fault, cli.language)}\n`)
}

export function reportWarnings(cli: Cli, warnings: readonly Fault[]): void {
  if (cli.isJson) return
  for (const fault of warnings) cli.err(`${cli.errPaint.yellow(say(cli, WARNING))} ${describeFault(fault, cli.language)}\n`)
}

const ERROR: Text = { en: 'error:', zh: '错误：' }
const WARNING: Text = { en: 'warning:', zh: '警告：' }
