import { execFileSync, spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseIptablesSave } from '@portcullis/core/ruleset/iptables/parse.ts'
import { parseNftJson } from '@portcullis/core/ruleset/nft/parse.ts'
import { parseNftText } from '@portcullis/core/ruleset/nft/parseText.ts'
import type { Ruleset } from '@portcullis/core/ruleset/ruleset.ts'
import type { Dice } from './dice.ts'
import { mustRun } from './libnftables.ts'
import { IPSETS, randomIpsets, SET_TYPES } from './randomIpsets.ts'
import { randomIptables, type IptablesWishes } from './randomIptables.ts'
import { randomNft } from './randomNft.ts'
import { PROBE_TABLE, unwrap, type Stage } from './stage.ts'

/** The kernel tracks connections only where a rule asks for their state; the model takes it that somebody does. */
const TRACKING_TABLE = 'zz_tracking'
const TRACKING = `table inet ${TRACKING_TABLE} {
  chain c { type filter hook prerouting priority 290; policy accept; ct state invalid counter; }
}
`
const OURS: readonly string[] = [PROBE_TABLE, TRACKING_TABLE]

/**
 * How a ruleset gets into the kernel and is read back from it: each dialect by its own tools and its own parser.
 * `stateless`: nothing in it needs connection tracking, so that fragments stay what they are.
 */
export const DIALECTS = ['nft-json', 'nft-text', 'iptables-nft', 'stateless', 'iptables-legacy', 'mixed'] as const
export type Dialect = (typeof DIALECTS)[number]

/** Legacy tables cannot be removed again, and their NAT keeps connection tracking on: these need a namespace in which `stateless` does not run. */
export const isLegacy = (dialect: Dialect): boolean => dialect === 'iptables-legacy' || dialect === 'mixed'

export interface LoadedRuleset {
  /** As it was written, for a mismatch's report. */
  readonly written: string
  readonly ruleset: Ruleset
}

/**
 * Writes a random ruleset and loads it. Random rules are sometimes such that the tools refuse them (`tcp` and `udp` at once);
 * those lines are taken out and the rest is loaded.
 */
export function loadRandom(stage: Stage, dice: Dice, dialect: Dialect): LoadedRuleset {
  const written: string[] = []
  if (dialect !== 'stateless') trackConnections(stage)
  if (dialect !== 'iptables-legacy' && dialect !== 'iptables-nft') written.push(loadNft(stage, randomNft(dice, { isStateless: dialect === 'stateless' })))
  if (dialect === 'iptables-nft' || isLegacy(dialect)) {
    const word = dialect === 'iptables-nft' ? 'nft' : 'legacy'
    written.push(loadIpsets(randomIpsets(dice, hasSet)))
    for (const [family, command] of [[4, 'iptables'], [6, 'ip6tables']] as const) {
      written.push(load(randomIptables(dice, family, WISHES), (text) => restore(`${command}-${word}-restore`, text), RESTORE_LINE))
    }
  }
  return { written: written.join('\n'), ruleset: readBack(stage, dialect) }
}

export const trackConnections = (stage: Stage): void => void mustRun(stage.nft.text, TRACKING)

function loadNft(stage: Stage, text: string): string {
  const path = join(stage.folder, 'rules.nft')
  const run = (lines: string): string | undefined => {
    writeFileSync(path, lines)
    const { isOk, errors } = stage.nft.text.runFile(path)
    return isOk ? undefined : errors
  }
  return load(text, run, /rules\.nft:(\d+):/g)
}

const hasSet = (name: string): boolean => supportedSets().has(name)

let supported: ReadonlySet<string> | undefined

/** Lists need members that are there. */
function supportedSets(): ReadonlySet<string> {
  if (supported) return supported
  const create = (type: string): boolean => spawnSync('ipset', ['create', 'probe', ...type.split(' ')]).status === 0 && spawnSync('ipset', ['destroy', 'probe']).status === 0
  return (supported = new Set(Object.keys(SET_TYPES).filter((name) => create(SET_TYPES[name] ?? ''))))
}

/** Of this kernel and this machine; nfacct(8) is not everywhere. */
const WISHES: IptablesWishes = {
  get sets() {
    return { 4: IPSETS[4].filter(({ name }) => hasSet(name)), 6: IPSETS[6].filter(({ name }) => hasSet(name)) }
  },
  get hasAccounting() {
    return (hasAccounting ??= spawnSync('nfacct', ['add', 'seen']).status === 0)
  },
}
let hasAccounting: boolean | undefined

function loadIpsets(text: string): string {
  execFileSync('ipset', ['restore', '-exist'], { input: text })
  return text
}

function restore(command: string, input: string): string | undefined {
  const { status, stderr } = spawnSync(command, [], { input, encoding: 'utf8' })
  return status === 0 ? undefined : stderr || `${command} ended with ${status}`
}

const RESTORE_LINE = /(?:line:? |failed at line |Error occurred at line: )(\d+)/g
const TRIES_MAX = 60

function load(text: string, run: (text: string) => string | undefined, place: RegExp): string {
  let lines = text.split('\n')
  for (let tries = 0; tries < TRIES_MAX; tries += 1) {
    const errors = run(lines.join('\n'))
    if (errors === undefined) return lines.join('\n')
    const refused = new Set([...errors.matchAll(place)].map((match) => Number(match[1]) - 1))
    const left = lines.filter((line, index) => !refused.has(index) || isFrame(line))
    lines = left.length < lines.length ? left : withoutOne(lines, run, errors)
  }
  throw new Error(`the ruleset is still refused after ${TRIES_MAX} tries`)
}

/** The kernel refuses a table of iptables as a whole, at its COMMIT: without one of its rules it may take it. */
function withoutOne(lines: readonly string[], run: (text: string) => string | undefined, errors: string): string[] {
  for (const [index, line] of lines.entries()) {
    if (isFrame(line) || line === '') continue
    const left = lines.filter((_, at) => at !== index)
    if (run(left.join('\n')) !== errors) return left
  }
  throw new Error(`${errors}\n${lines.join('\n')}`)
}

/** Lines that hold the text together. */
const isFrame = (line: string): boolean => /^(?:table|\*|:|COMMIT)|^ *(?:chain|set|map|type|\})/.test(line)

/** Everything else than the probe is taken away; legacy tables are emptied. */
export function clearRules(stage: Stage, dialect: Dialect): void {
  const listed = JSON.parse(mustRun(stage.nft.json, 'list tables')) as { nftables: { table?: { family: string; name: string } }[] }
  const tables = listed.nftables.flatMap(({ table }) => (table && table.name !== PROBE_TABLE ? [`delete table ${table.family} ${table.name}`] : []))
  if (tables.length > 0) mustRun(stage.nft.text, tables.join('\n'))
  if (isLegacy(dialect)) clearLegacy()
}

/** Also registers all legacy tables the first time: before every nft table then, whose order among equals depends on it. */
export function clearLegacy(): void {
  const tables = Object.entries(CHAINS).map(([table, chains]) => `*${table}\n${chains.map((chain) => `:${chain} ACCEPT [0:0]`).join('\n')}\nCOMMIT\n`)
  for (const command of ['iptables-legacy-restore', 'ip6tables-legacy-restore']) execFileSync(command, [], { input: tables.join('') })
}

const CHAINS: Readonly<Record<string, readonly string[]>> = {
  raw: ['PREROUTING', 'OUTPUT'],
  mangle: ['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'],
  nat: ['PREROUTING', 'INPUT', 'OUTPUT', 'POSTROUTING'],
  filter: ['INPUT', 'FORWARD', 'OUTPUT'],
  security: ['INPUT', 'FORWARD', 'OUTPUT'],
}

const run = (command: string, ...args: string[]): string => execFileSync(command, args, { encoding: 'utf8', maxBuffer: 1 << 26 })

export function readBack(stage: Stage, dialect: Dialect): Ruleset {
  const parts: Ruleset[] = []
  const [word, family] = isLegacy(dialect) ? ['legacy', true] : ['nft', dialect === 'iptables-nft']
  if (family) {
    const ipsets = { file: 'ipsets', text: run('ipset', 'save') }
    parts.push(unwrap(parseIptablesSave({ file: 'kernel', dialect: 'iptables-save', text: run(`iptables-${word}-save`), ipsets })))
    parts.push(unwrap(parseIptablesSave({ file: 'kernel', dialect: 'ip6tables-save', text: run(`ip6tables-${word}-save`), ipsets })))
  }
  if (dialect === 'nft-text') parts.push(unwrap(parseNftText(mustRun(stage.nft.text, 'list ruleset'), 'kernel')))
  if (dialect === 'nft-json' || dialect === 'mixed' || dialect === 'stateless') parts.push(unwrap(parseNftJson(mustRun(stage.nft.json, 'list ruleset'), 'kernel')))
  const tables = parts.flatMap((part) => part.tables).filter((table) => !OURS.includes(table.name))
  return { tables, unmodelled: parts.flatMap((part) => part.unmodelled) }
}
