import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const KEPT = join(import.meta.dirname, 'kept')

/** Inputs on which a parser once failed; unit tests try them again for ever. */
export function keptInputs(parser: string): readonly { readonly name: string; readonly bytes: Buffer }[] {
  const folder = join(KEPT, parser)
  if (!existsSync(folder)) return []
  return readdirSync(folder).toSorted().map((name) => ({ name, bytes: readFileSync(join(folder, name)) }))
}

/** Gives the file. */
export function keepInput(parser: string, bytes: Uint8Array): string {
  const folder = join(KEPT, parser)
  mkdirSync(folder, { recursive: true })
  const file = join(folder, createHash('sha256').update(bytes).digest('hex').slice(0, 16))
  writeFileSync(file, bytes)
  return file
}
