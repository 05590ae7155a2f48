import { parseArgs } from 'node:util'

/** What every one of these benchmarks takes. */
export interface Options {
  /** Fewer sizes and rounds: it shows that the benchmark works, its figures are rough. */
  readonly isQuick: boolean
  /** One object on standard output instead of tables. */
  readonly isJson: boolean
  /** Instead of the default number of rounds. */
  readonly rounds: number | undefined
}

export function readOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: { quick: { type: 'boolean', default: false }, json: { type: 'boolean', default: false }, rounds: { type: 'string' } },
  })
  const rounds = values.rounds === undefined ? undefined : Number(values.rounds)
  if (rounds !== undefined && !(Number.isInteger(rounds) && rounds >= 1)) throw new Error('--rounds: a whole number from 1')
  return { isQuick: values.quick, isJson: values.json, rounds }
}
