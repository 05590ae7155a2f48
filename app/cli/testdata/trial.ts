import { succeed } from '@portcullis/core/fault/fault.ts'
import type { Policy } from '@portcullis/core/policy/policy.ts'
import type { World } from '@portcullis/engine/world.ts'
import { wiredDoors } from '../../doors.ts'
import type { Cli, Doors, Language } from '../cli.ts'
import { paintFor } from '../paint.ts'
import { runProgram } from '../program.ts'

export interface Ran {
  readonly code: number
  readonly out: string
  readonly err: string
}

export interface Trial {
  readonly now: () => number
  /** Instead of those of the real command. */
  readonly doors?: Partial<Doors>
  readonly signal?: AbortSignal
  /** Of the terminal. */
  readonly columns?: number
}

/** One command line, as a person would type it who sees no colours; in Chinese where `zh` is among its words. */
export async function runTrial(argv: readonly string[], { now, doors, signal = new AbortController().signal, columns = 120 }: Trial): Promise<Ran> {
  let [written, told] = ['', '']
  const out = (text: string): void => void (written += text)
  const err = (text: string): void => void (told += text)
  const language: Language = argv.includes('zh') ? 'zh' : 'en'
  const makeCli = (options: Readonly<Record<string, unknown>>): Cli => ({
    language,
    isJson: options.json === true,
    out,
    err,
    paint: paintFor(false),
    errPaint: paintFor(false),
    isTerminal: false,
    columns,
    signal,
    now,
    doors: { ...wiredDoors(), ...doors },
  })
  const code = await runProgram(argv, { language, isColoured: false, out, err, makeCli })
  return { code, out: written, err: told }
}

/** Into a world that lives on between the calls of a test. */
export const worldDoor = (world: World): Pick<Doors, 'openWorld'> => ({
  openWorld: async ({ report }) => succeed({ world: { ...world, report }, close: async () => undefined }),
})

/** A policy without a file. */
export const policyDoor = (policy: Policy): Pick<Doors, 'readPolicy'> => ({
  readPolicy: async (file) => succeed({ policy, seen: { digest: 'd'.repeat(64), file, text: '', seenAt: 0 }, warnings: [] }),
})
