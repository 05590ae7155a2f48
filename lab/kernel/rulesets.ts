import { execFileSync, spawnSync } from 'node:child_process'
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

/**
 * Writes a random ruleset and loads it. Random rules are sometimes such that the tools refuse them (`tcp` and `udp` at once);
 * those lines are taken out and the rest is loaded.
 */
export function loadRandom(dice: Dice, dialect: Dialect): LoadedRuleset {
  const written: string[] = []
  if (dialect !== 'iptables-legacy') written.push(load(randomNft(dice), 'nft', ['-f', '-'], /^\/dev\/stdin:(\d+):/gm))
  if (dialect === 'iptables-legacy' || dialect === 'mixed') {
    written.push(load(randomIptables(dice, 4), 'iptables-legacy-restore', [], RESTORE_LINE))
    written.push(load(randomIptables(dice, 6), 'ip6tables-legacy-restore', [], RESTORE_LINE))
  }
  return { dialect, written: written.join('\n'), ruleset: readBack(dialect) }
}

const RESTORE_LINE = /(?:line:? |failed at line )(\d+)/g
const TRIES_MAX = 60

function load(text: string, command: string, args: readonly string[], place: RegExp): string {
  let lines = text.split('\n')
  for (let tries = 0; tries < TRIES_MAX; tries += 1) {
    const { status, stderr } = spawnSync(command, args, { input: lines.join('\n'), encoding: 'utf8' })
    if (status === 0) return lines.join('\n')
    const refused = new Set([...stderr.matchAll(place)].map((match) => Number(match[1]) - 1))
    // A refusal at COMMIT names no rule: the last rule of a table is the suspect then.
    if (refused.size === 0) throw new Error(`${command}: ${stderr}\n${lines.join('\n')}`)
    lines = lines.filter((line, index) => !refused.has(index) || isFrame(line))
    if ([...refused].every((index) => isFrame(text.split('\n')[index] ?? ''))) throw new Error(`${command}: ${stderr}\n${lines.join('\n')}`)
  }
  throw new Error(`${command} still refuses the ruleset after ${TRIES_MAX} tries`)
}

/** Lines that hold the text together. */
const isFrame = (line: string): boolean => /^(?:table|\*|:|COMMIT)|^ *(?:chain|set|map|type|\})/.test(line)

const EMPTY = { 4: ['raw', 'mangle', 'nat', 'filter'], 6: ['raw', 'mangle', 'nat', 'filter'] } as const

/** Legacy tables cannot be removed, only emptied. */
export function clearLegacy(): void {
  for (const family of [4, 6] as const) {
    const tables = EMPTY[family].map((table) => `*${table}\n${(CHAINS[table] ?? []).map((chain) => `:${chain} ACCEPT [0:0]`).join('\n')}\nCOMMIT`)
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
