import { parseArgs } from 'node:util'
import { Dice } from './dice.ts'
import { compareWithKernel, emptyTally, type Mismatch } from './differential.ts'
import { readsPortsOfFragments } from './fragments.ts'
import { knownFlowPacket, relatedPacket, seedFlows } from './flow.ts'
import { randomFragment, randomPacket, type TestPacket } from './packet.ts'
import { clearLegacy, clearRules, DIALECTS, isLegacy, loadRandom, type Dialect } from './rulesets.ts'
import { closeStage, openStage } from './stage.ts'

/**
 * Holds both evaluators against this kernel with random rulesets and packets. Started in a network namespace of its own:
 * `unshare -n node lab/kernel/main.ts --packets 100000 [--seed N] [--dialects nft-json,nft-text] [--per-ruleset 1000]`.
 * Prints one JSON object; exit code 1 on a mismatch. The seed of one ruleset replays it: `--dialects D --seed S --packets 1000`.
 */
const { values } = parseArgs({
  options: {
    packets: { type: 'string', default: '100000' },
    'per-ruleset': { type: 'string', default: '1000' },
    seed: { type: 'string', default: '1' },
    dialects: { type: 'string', default: DIALECTS.filter((each) => !isLegacy(each)).join() },
  },
})
const dialects = values.dialects.split(',').map((name): Dialect => {
  const dialect = DIALECTS.find((each) => each === name)
  if (!dialect) throw new Error(`no dialect ${name}: ${DIALECTS.join(', ')}`)
  return dialect
})
if (dialects.includes('stateless') && dialects.some(isLegacy)) throw new Error('legacy tables keep connection tracking on: stateless needs a run of its own')

interface Report {
  readonly seed: number
  readonly dialect: Dialect
  readonly written: string
  readonly mismatches: readonly Mismatch[]
}

const MISMATCHES_SHOWN = 3
const REPORTS_SHOWN = 5
const SHARES = { fragment: 0.35, knownFlow: 0.12, related: 0.04 } as const

function packetFor(dice: Dice, dialect: Dialect, id: number): TestPacket {
  if (dialect === 'stateless') return dice.chance(SHARES.fragment) ? randomFragment(dice, id) : untracked(randomPacket(dice, id))
  if (dice.chance(SHARES.knownFlow)) return knownFlowPacket(dice, id)
  return dice.chance(SHARES.related) ? relatedPacket(dice, id) : randomPacket(dice, id)
}

const untracked = (test: TestPacket): TestPacket => ({ ...test, packet: { ...test.packet, ct: 'untracked' } })

// Before any nft table, whose order among equals depends on it.
if (dialects.some(isLegacy)) clearLegacy()
const stage = await openStage()
const isMisreading = await readsPortsOfFragments(stage)
seedFlows()
const perRuleset = Number(values['per-ruleset'])
const tally = emptyTally()
const reports: Report[] = []
let rulesets = 0
const started = performance.now()
for (let seed = Number(values.seed); tally.packets < Number(values.packets); seed += 1) {
  const dice = new Dice(seed)
  const dialect = dialects[seed % dialects.length] ?? 'nft-json'
  const loaded = loadRandom(stage, dice, dialect)
  const before = tally.mismatches.length
  await compareWithKernel(stage, loaded.ruleset, Array.from({ length: perRuleset }, (_, index) => packetFor(dice, dialect, (seed % 4000) * 1_000_000 + index)), tally, isMisreading)
  const found = tally.mismatches.slice(before)
  if (found.length > 0) reports.push({ seed, dialect, written: loaded.written, mismatches: found.slice(0, MISMATCHES_SHOWN) })
  rulesets += 1
  clearRules(stage, dialect)
}
closeStage(stage)
const { mismatches, ...counts } = tally
const seconds = Math.round((performance.now() - started) / 100) / 10
const summary = { ...counts, mismatches: mismatches.length, rulesets, seconds, reports: reports.slice(0, REPORTS_SHOWN) }
console.log(JSON.stringify(summary, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value), 1))
process.exitCode = mismatches.length > 0 ? 1 : 0
