import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Dice } from '../dice.ts'
import { compareWithKernel, emptyTally } from '../differential.ts'
import { knownFlowPacket, relatedPacket, seedFlows } from '../flow.ts'
import { randomPacket, type TestPacket } from '../packet.ts'
import { clearLegacy, readBack, trackConnections } from '../rulesets.ts'
import { closeStage, openStage } from '../stage.ts'
import { TOOLS } from './catalogue.ts'
import type { Backend } from './tool.ts'

/**
 * Holds both evaluators against this kernel with the rules that a tool of Debian's has made. In network and mount namespaces of its own:
 * `unshare -nm node lab/kernel/tools/main.ts --tool ufw --backend iptables-nft [--packets 5000] [--seed 1]`. Exit code 1 on a mismatch.
 */
const DIALECTS = { nft: 'nft-json', 'iptables-nft': 'iptables-nft', 'iptables-legacy': 'iptables-legacy' } as const

const { values } = parseArgs({
  options: { tool: { type: 'string' }, backend: { type: 'string' }, packets: { type: 'string', default: '5000' }, seed: { type: 'string', default: '1' } },
})
const tool = TOOLS[values.tool ?? '']
const backend = tool?.backends.find((each): each is Backend => each === values.backend)
if (!tool || !backend) throw new Error(`--tool ${Object.keys(TOOLS).join('|')} --backend ${tool?.backends.join('|') ?? '…'}`)

const KNOWN_FLOW = 0.15
const RELATED = 0.05

function packetFor(dice: Dice, id: number): TestPacket {
  if (dice.chance(KNOWN_FLOW)) return knownFlowPacket(dice, id)
  return dice.chance(RELATED) ? relatedPacket(dice, id) : randomPacket(dice, id)
}

const folder = mkdtempSync(join(tmpdir(), 'portcullis-tool-'))
if (backend === 'iptables-legacy') clearLegacy()
const stage = await openStage()
trackConnections(stage)
const stop = await tool.load({ backend, folder })
const ruleset = readBack(stage, DIALECTS[backend])
seedFlows()
const tally = emptyTally()
const dice = new Dice(Number(values.seed))
const packets = Array.from({ length: Number(values.packets) }, (_, index) => packetFor(dice, index + 1))
await compareWithKernel(stage, ruleset, packets, tally, false)
stop?.()
closeStage(stage)
rmSync(folder, { recursive: true, force: true })

const { mismatches, ...counts } = tally
const rules = ruleset.tables.flatMap((table) => table.chains.flatMap((chain) => chain.rules))
const outside = [...ruleset.unmodelled.map(({ construct }) => construct), ...rules.flatMap(({ steps }) => steps.flatMap((step) => (step.kind === 'unmodelled' || step.kind === 'unknown' ? [step.what] : [])))]
const summary = { ...counts, mismatches: mismatches.length, rules: rules.length, outside: [...new Set(outside)], reports: mismatches.slice(0, 5) }
console.log(JSON.stringify(summary, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value), 1))
process.exit(mismatches.length > 0 ? 1 : 0)
