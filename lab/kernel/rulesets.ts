import { execFileSync } from 'node:child_process'
import { parseIptablesSave } from '@portcullis/core/ruleset/iptables/parse.ts'
import { parseNftJson } from '@portcullis/core/ruleset/nft/parse.ts'
import { parseNftText } from '@portcullis/core/ruleset/nft/parseText.ts'
import type { Ruleset } from '@portcullis/core/ruleset/ruleset.ts'
import type { Dice } from './dice.ts'
import { randomIptables } from './randomIptables.ts'
import { randomNft } from './randomNft.ts'
import { unwrap } from './stage.ts'

/** How a ruleset gets into the kernel and is read back from it: each dialect by its own tools and its own parser. */
export const DIALECTS = ['nft-json', 'nft-text', 'iptables-legacy', 'mixed'] as const
export type Dialect = (typeof DIALECTS)[number]

export interface LoadedRuleset {
  readonly dialect: Dialect
  /** As it was written, for a mismatch's report. */
  readonly written: string
  readonly ruleset: Ruleset
}

/** Undefined: the kernel refused what was written (a construct that it does not know here); that is told and counted. */
export function loadRandom(dice: Dice, dialect: Dialect): LoadedRuleset | { readonly refused: string } {
  const nft = dialect === 'iptables-legacy' ? '' : randomNft(dice)
  const legacy = dialect === 'iptables-legacy' || dialect === 'mixed' ? { 4: randomIptables(dice, 4), 6: randomIptables(dice, 6) } : undefined
  try {
    if (nft !== '') execFileSync('nft', ['-f', '-'], { input: nft, stdio: ['pipe', 'pipe', 'pipe'] })
    if (legacy) restore(legacy)
  } catch (error) {
    const { stderr } = error as { stderr?: Buffer }
    return { refused: `${String(stderr ?? error)}\n${nft}${legacy ? legacy[4] + legacy[6] : ''}` }
  }
  return { dialect, written: [nft, legacy?.[4] ?? '', legacy?.[6] ?? ''].join('\n'), ruleset: readBack(dialect) }
}

function restore(legacy: { readonly 4: string; readonly 6: string }): void {
  execFileSync('iptables-legacy-restore', [], { input: legacy[4], stdio: ['pipe', 'pipe', 'pipe'] })
  execFileSync('ip6tables-legacy-restore', [], { input: legacy[6], stdio: ['pipe', 'pipe', 'pipe'] })
}

const EMPTY = { 4: ['raw', 'mangle', 'nat', 'filter'], 6: ['raw', 'mangle', 'nat', 'filter'] } as const

/** Legacy tables cannot be removed, only emptied. */
export function clearLegacy(): void {
  for (const family of [4, 6] as const) {
    const tables = EMPTY[family].map((table) => `*${table}\n${CHAINS[table].map((chain) => `:${chain} ACCEPT [0:0]`).join('\n')}\nCOMMIT`)
    execFileSync(family === 4 ? 'iptables-legacy-restore' : 'ip6tables-legacy-restore', [], { input: `${tables.join('\n')}\n` })
  }
}

const CHAINS: Readonly<Record<string, readonly string[]>> = {
  raw: ['PREROUTING', 'OUTPUT'],
  mangle: ['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'],
  nat: ['PREROUTING', 'INPUT', 'OUTPUT', 'POSTROUTING'],
  filter: ['INPUT', 'FORWARD', 'OUTPUT'],
}

const run = (command: string, ...args: string[]): string => execFileSync(command, args, { encoding: 'utf8', maxBuffer: 1 << 26 })

export function readBack(dialect: Dialect): Ruleset {
  const parts: Ruleset[] = []
  if (dialect === 'nft-text') parts.push(unwrap(parseNftText(run('nft', 'list', 'ruleset'), 'kernel')))
  if (dialect === 'nft-json' || dialect === 'mixed') parts.push(unwrap(parseNftJson(run('nft', '-j', 'list', 'ruleset'), 'kernel')))
  if (dialect === 'iptables-legacy' || dialect === 'mixed') {
    parts.push(unwrap(parseIptablesSave({ file: 'kernel', dialect: 'iptables-save', text: run('iptables-legacy-save') })))
    parts.push(unwrap(parseIptablesSave({ file: 'kernel', dialect: 'ip6tables-save', text: run('ip6tables-legacy-save') })))
  }
  const tables = parts.flatMap((part) => part.tables).filter((table) => table.name !== 'zz_probe')
  return { tables, unmodelled: parts.flatMap((part) => part.unmodelled) }
}
