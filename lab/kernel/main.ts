import { parseArgs } from 'node:util'
import { Dice } from './dice.ts'
import { compareWithKernel, emptyTally, type Mismatch } from './differential.ts'
import { knownFlowPacket, seedFlows } from './flow.ts'
import { randomPacket } from './packet.ts'
import { clearLegacy, DIALECTS, loadRandom, type Dialect } from './rulesets.ts'
import { clearRules, closeStage, openStage } from './stage.ts'

/**
 * Holds both evaluators against this kernel with random rulesets and packets. Started in a network namespace of its own:
 * `unshare -n node lab/kernel/main.ts --packets 100000 [--seed N] [--dialect nft-json] [--per-ruleset 1000]`.
 * Prints one JSON object; exit code 1 on a mismatch. The seed of one ruleset replays it: `--seed S --packets 1000`.
 */
const { values } = parseArgs({
  options: {
    packets: { type: 'string', default: '100000' },
    'per-ruleset': { type: 'string', default: '1000' },
    seed: { type: 'string', default: '1' },
    dialect: { type: 'string' },
  },
})

interface Report {
  readonly seed: number
  readonly dialect: Dialect
  readonly written: string
  readonly mismatches: readonly Mismatch[]
}

const MISMATCHES_SHOWN = 3
const KNOWN_FLOWS_SHARE = 0.12

const stage = await openStage()
seedFlows()
const perRuleset = Number(values['per-ruleset'])
const tally = emptyTally()
const reports: Report[] = []
let rulesets = 0
const started = performance.now()
for (let seed = Number(values.seed); tally.packets < Number(values.packets); seed += 1) {
  const dice = new Dice(seed)
  const dialect = DIALECTS.find((each) => each === values.dialect) ?? DIALECTS[seed % DIALECTS.length] ?? 'nft-json'
  const loaded = loadRandom(dice, dialect)
  const before = tally.mismatches.length
  const isRewritten = loaded.ruleset.tables.some((table) => table.chains.some((chain) => chain.base?.type === 'nat' && chain.rules.length > 0))
  await compareWithKernel(stage, loaded.ruleset, Array.from({ length: perRuleset }, (_, index) => {
    const id = (seed % 4000) * 1_000_000 + index
    return dice.chance(KNOWN_FLOWS_SHARE) ? knownFlowPacket(dice, id) : randomPacket(dice, id, isRewritten)
  }), tally)
  const found = tally.mismatches.slice(before)
  if (found.length > 0) reports.push({ seed, dialect, written: loaded.written, mismatches: found.slice(0, MISMATCHES_SHOWN) })
  rulesets += 1
  clearRules()
  if (dialect === 'iptables-legacy' || dialect === 'mixed') clearLegacy()
}
closeStage(stage)
const { mismatches, ...counts } = tally
console.log(JSON.stringify({ ...counts, mismatches: mismatches.length, rulesets, seconds: Math.round((performance.now() - started) / 100) / 10, reports: reports.slice(0, 5) }, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value), 1))
process.exitCode = mismatches.length > 0 ? 1 : 0
