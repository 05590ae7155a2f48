import { execFileSync } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { parseNftJson } from '@portcullis/core/ruleset/nft/parse.ts'
import type { Ruleset } from '@portcullis/core/ruleset/ruleset.ts'
import { composeWay } from '@portcullis/core/verify/compose.ts'
import { PacketSpace } from '@portcullis/core/verify/packetSpace.ts'
import { formatTable, NOT_MEASURED, tell, timesOf } from './measure/table.ts'
import { cubeList, isAccepted } from './space/cubeList.ts'
import { Dice } from './space/dice.ts'
import { verifyFleetBy, type FleetKind } from './space/fleet.ts'
import { hostRules, INTERFACES, nftJsonOf, type RuleSpec } from './space/hostRules.ts'
import { Robdd } from './space/robdd.ts'
import type { RowResult, RowRound, RowSpec } from './space/row.ts'

export const title = 'The packet-space engine: parse, build, compare, up to 100,000 rules, beside an ROBDD and a list of cubes'

/** `--quick`: up to 1,000 rules and 100 hosts. */
export async function run(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({ args: [...args], options: { quick: { type: 'boolean', default: false } } })
  console.log(formatTable(rowsTable(values.quick)))
  console.log(formatTable(referenceTable(values.quick)))
  console.log(formatTable(await fleetTable(values.quick ? 100 : 1_000)))
}

interface NamedRow {
  readonly name: string
  readonly goal: string
  readonly spec: RowSpec
}

const host = (rules: number, more: Partial<Extract<RowSpec, { kind: 'host' }>> = {}): RowSpec => ({ kind: 'host', rules, seed: 1, ...more })

const QUICK_ROWS: readonly NamedRow[] = [
  { name: '10 rules', goal: '', spec: host(10, { seed: 2 }) },
  { name: '100 rules', goal: '', spec: host(100) },
  { name: '300 rules', goal: 'all p95 ≤ 10 ms', spec: host(300) },
  { name: '1,000 rules', goal: 'changed ≤ 5 ms', spec: host(1_000) },
  { name: '1,000 rules, IPv6', goal: '', spec: host(1_000, { family: 6 }) },
]

const FULL_ROWS: readonly NamedRow[] = [
  { name: '3,000 rules', goal: '', spec: host(3_000) },
  { name: '10,000 rules', goal: '≤ 1 s', spec: host(10_000) },
  { name: '30,000 rules', goal: '', spec: host(30_000) },
  { name: '100,000 rules', goal: '≤ 10 s, ≤ 600 MB', spec: host(100_000) },
  { name: '10,000 rules, 10 ports', goal: '', spec: host(10_000, { ports: 10 }) },
  { name: '10,000 rules, 100 ports', goal: '', spec: host(10_000, { ports: 100 }) },
  { name: '10,000 rules, 1,000 ports', goal: '', spec: host(10_000, { ports: 1_000 }) },
  { name: '10,000 rules, 10 prefixes', goal: '', spec: host(10_000, { prefixes: 10 }) },
  { name: '10,000 rules, 100 prefixes', goal: '', spec: host(10_000, { prefixes: 100 }) },
  { name: '10,000 rules, 1,000 prefixes', goal: '', spec: host(10_000, { prefixes: 1_000 }) },
  { name: 'FORWARD of 5,000 rules in 50 chains', goal: '≤ 1 s', spec: { kind: 'forward', rules: 5_000 } },
  { name: 'a set of 100,000 prefixes', goal: '≤ 2 s', spec: { kind: 'blocklist', prefixes: 100_000 } },
]

function rowsTable(isQuick: boolean): Parameters<typeof formatTable>[0] {
  const rows = (isQuick ? QUICK_ROWS : [...QUICK_ROWS, ...FULL_ROWS]).map(({ name, goal, spec }) => {
    tell(name)
    const { rounds, nodes, edges, megabytes } = JSON.parse(execFileSync(process.execPath, [join(import.meta.dirname, 'space/row.ts'), JSON.stringify(spec)], { encoding: 'utf8' })) as RowResult
    const at = (pick: (round: RowRound) => number, share: number): string => quantile(rounds.map(pick), share)
    const all = (round: RowRound): number => round.parse + round.build + round.changed
    return [name, at((r) => r.parse, 0.5), at((r) => r.build, 0.5), at((r) => r.changed, 0.5), at(all, 0.5), at(all, 0.95), nodes.toLocaleString('en'), edges.toLocaleString('en'), String(megabytes), goal]
  })
  return {
    title: 'One ruleset: median ms of parsing it, building it, and building and comparing it with one port changed; MB of the whole process',
    columns: ['', 'parse', 'build', 'changed', 'all', 'all p95', 'nodes', 'edges', 'MB', 'goal'],
    rows,
  }
}

function quantile(values: readonly number[], share: number): string {
  const sorted = values.toSorted((a, b) => a - b)
  return (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0).toFixed(1)
}

// ───────────────────────────── references ─────────────────────────────

/** Beyond these a reference takes minutes. */
const CUBE_RULES_MAX = 300
const ROBDD_RULES_MAX = 30_000
const CHECKS = 2_000

/** The same rules, without words, to all three; each answer is checked against the others for some packets. */
function referenceTable(isQuick: boolean): Parameters<typeof formatTable>[0] {
  const rows = (isQuick ? [100, 300, 1_000] : [100, 300, 1_000, 3_000, 10_000, 30_000]).map((size) => {
    tell(`references, ${size} rules`)
    const rules = hostRules({ rules: size, seed: 1 })
    const ruleset = parse(rules)
    const ours = fastest(size, () => buildOurs(ruleset))
    const robdd = size <= ROBDD_RULES_MAX ? fastest(size, () => buildRobdd(rules)) : undefined
    const cubes = size <= CUBE_RULES_MAX ? fastest(size, () => cubeList(rules)) : undefined
    if (robdd && cubes) checkReferences(rules, robdd.value, cubes.value)
    return [size.toLocaleString('en'), ours.ms.toFixed(1), robdd?.ms.toFixed(1) ?? NOT_MEASURED, timesOf(robdd && robdd.ms / ours.ms, 1), cubes?.ms.toFixed(1) ?? NOT_MEASURED, timesOf(cubes && cubes.ms / ours.ms, 1)]
  })
  return { title: 'Building alone, the fastest of some rounds: ms, and × ours', columns: ['rules', 'ours', 'ROBDD', '', 'cubes', ''], rows, notes: ['The ROBDD knows four fields, ours all that a packet has.'] }
}

function fastest<T>(size: number, build: () => T): { readonly ms: number; readonly value: T } {
  const rounds = size <= 1_000 ? 9 : size <= 3_000 ? 3 : 1
  let best: { ms: number; value: T } | undefined
  for (let round = 0; round < rounds; round += 1) {
    const started = performance.now()
    const value = build()
    const ms = performance.now() - started
    if (!best || ms < best.ms) best = { ms, value }
  }
  if (!best) throw new Error('nothing was built')
  return best
}

function parse(rules: readonly RuleSpec[]): Ruleset {
  const result = parseNftJson(nftJsonOf(rules), 'bench')
  if (!result.ok) throw new Error(result.faults[0]?.what.en)
  return result.value
}

const buildOurs = (ruleset: Ruleset): number => composeWay(new PacketSpace([ruleset]), ruleset, 'input')

function buildRobdd(rules: readonly RuleSpec[]): { readonly engine: Robdd; readonly root: number } {
  const engine = new Robdd()
  return { engine, root: engine.build(rules) }
}

function checkReferences(rules: readonly RuleSpec[], { engine, root }: ReturnType<typeof buildRobdd>, cubes: ReturnType<typeof cubeList>): void {
  const dice = new Dice(9)
  for (let check = 0; check < CHECKS; check += 1) {
    const rule = rules[dice.upTo(rules.length)]
    const near = rule?.sources?.[0]
    const source = near ? Number(near.value) + dice.upTo(256) : dice.upTo(2 ** 32)
    const point = [dice.upTo(INTERFACES + 1), dice.upTo(2), rule?.ports?.[0]?.[0] ?? dice.upTo(65_536), Math.min(source, 2 ** 32 - 1)]
    const [own = 0, protocol = 0, port = 0, address = 0] = point
    const byRobdd = engine.decide(root, { interface: BigInt(own), protocol: BigInt(protocol), port: BigInt(port), source: BigInt(address) })
    if ((byRobdd === 'accept') !== isAccepted(cubes, point)) throw new Error(`the references differ at ${point.join(' ')}`)
  }
}

// ───────────────────────────── fleet ─────────────────────────────

const HOST_RULES = 300

const FLEETS: readonly (readonly [name: string, kind: FleetKind])[] = [
  ['rules of their own', 'rules'],
  ['needs of their own', 'needs'],
]

async function fleetTable(hosts: number): Promise<Parameters<typeof formatTable>[0]> {
  const workers = availableParallelism()
  const rows: string[][] = []
  for (const [name, kind] of FLEETS) {
    tell(`${hosts} hosts, ${name}`)
    const alone = await verifyFleetBy(1, { kind, hosts, size: HOST_RULES })
    const together = await verifyFleetBy(workers, { kind, hosts, size: HOST_RULES })
    rows.push([name, (alone / 1000).toFixed(2), (alone / hosts).toFixed(2), (together / 1000).toFixed(2), timesOf(alone / together), hosts === 1_000 ? '≤ 5 s on one core' : ''])
  }
  return {
    title: `${hosts.toLocaleString('en')} hosts × ${HOST_RULES}: what each has is read once, built, and compared with what was meant for it`,
    columns: ['', 's, one core', 'ms a host', `s, ${workers} workers`, '', 'goal'],
    rows,
    notes: ['Rules: as nft lists them, meant: the same, read before. Needs: our own table as it is rendered, meant: the intent.'],
  }
}
