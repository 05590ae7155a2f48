import { parseNftJson } from '@portcullis/core/ruleset/nft/parse.ts'
import type { Ruleset } from '@portcullis/core/ruleset/ruleset.ts'
import { composeWay } from '@portcullis/core/verify/compose.ts'
import { PacketSpace } from '@portcullis/core/verify/packetSpace.ts'
import { pathToFileURL } from 'node:url'

export const title = 'the packet-space engine: parse, build and compare rulesets of 300 to 100,000 rules'

/** Sizes are arguments; none: 300, 1,000 and 10,000. */
export async function run(args: readonly string[]): Promise<void> {
  const sizes = args.length > 0 ? args.map(Number) : [300, 1_000, 10_000]
  for (const rules of sizes) measure(rules)
  if (args.length === 0) measureFleet()
}

/** Every host has rules of its own; each is parsed, built and compared with itself without a rule. */
function measureFleet(): void {
  const texts = Array.from({ length: HOSTS }, (_, host) => [rulesetText(HOST_RULES, host + 1), rulesetText(HOST_RULES, host + 1, FIRST)] as const)
  const rounds = texts.map(([text, other]) => compareTexts(text, other))
  const equal = rounds.filter((round) => round.isEqual).length
  const seconds = (pick: (round: Round) => number): string => (rounds.reduce((sum, round) => sum + pick(round), 0) / 1000).toFixed(1)
  console.log(`${HOSTS} hosts × ${HOST_RULES} rules on one core: parse ${seconds((r) => r.parseMs)} s · build ${seconds((r) => r.buildMs)} s · second build and compare ${seconds((r) => r.compareMs)} s · ${equal} equal`)
}

/** The only rule that no other can shadow, whatever the size. */
const FIRST = 0
const HOSTS = 1_000
const HOST_RULES = 300

function measure(rules: number): void {
  const text = rulesetText(rules, 1)
  const other = rulesetText(rules, 1, FIRST)
  const repeats = rules <= 1_000 ? 20 : 1
  for (let round = 0; round < (rules <= 1_000 ? 10 : 0); round += 1) compareTexts(text, other)
  const rounds = Array.from({ length: repeats }, () => compareTexts(text, other))
  const of = (pick: (round: Round) => number): string => {
    const sorted = rounds.map(pick).toSorted((a, b) => a - b)
    const at = (share: number): string => (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0).toFixed(1)
    return `${at(0.5)} (p95 ${at(0.95)})`
  }
  const [last] = rounds
  if (last?.isEqual) throw new Error('the two rulesets must differ')
  const memoryMb = Math.round(process.memoryUsage().rss / 1e6)
  console.log(`${rules} rules: parse ${of((r) => r.parseMs)} ms · build ${of((r) => r.buildMs)} ms · second build and compare ${of((r) => r.compareMs)} ms · ${last?.nodes} nodes, ${last?.edges} edges, ${memoryMb} MB`)
}

interface Round {
  readonly parseMs: number
  readonly buildMs: number
  readonly compareMs: number
  /** A rule that drops may be no other than what follows it. */
  readonly isEqual: boolean
  readonly nodes: number
  readonly edges: number
}

function compareTexts(a: string, b: string): Round {
  const start = performance.now()
  const left = parse(a)
  const parsed = performance.now()
  const right = parse(b)
  const both = performance.now()
  const space = new PacketSpace([left, right])
  const whole = composeWay(space, left, 'input')
  const built = performance.now()
  const changed = composeWay(space, right, 'input')
  return {
    parseMs: parsed - start,
    buildMs: built - both,
    compareMs: performance.now() - built,
    isEqual: whole === changed,
    nodes: space.arena.nodeCount,
    edges: space.arena.edgeCount,
  }
}

function parse(text: string): Ruleset {
  const parsed = parseNftJson(text, 'bench')
  if (!parsed.ok) throw new Error(parsed.faults[0]?.what.en)
  return parsed.value
}

/** A host's input chain as `nft -j list ruleset` prints it. `without`: the number of a rule that is left out. */
export function rulesetText(rules: number, seed: number, without = -1): string {
  const dice = new Dice(seed)
  const all = Array.from({ length: rules }, () => ruleOf(dice))
  const statements = [ESTABLISHED, ...all.filter((_, index) => index !== without)]
  const objects = [
    { table: { family: 'inet', name: 'filter', handle: 1 } },
    { chain: { family: 'inet', table: 'filter', name: 'input', handle: 1, type: 'filter', hook: 'input', prio: 0, policy: 'drop' } },
    ...statements.map((expr, index) => ({ rule: { family: 'inet', table: 'filter', chain: 'input', handle: index + 2, expr } })),
  ]
  return JSON.stringify({ nftables: objects })
}

const match = (left: unknown, right: unknown, op = '=='): unknown => ({ match: { op, left, right } })
const ESTABLISHED = [match({ ct: { key: 'state' } }, ['established', 'related'], 'in'), { accept: null }]

/** 20 % port only, 35 % port and prefix, 14 % prefix only, 8 % port range, 10 % several ports, 8 % a set of sources, 5 % interface and port. */
function ruleOf(dice: Dice): unknown[] {
  const verdict = dice.upTo(2) === 0 ? { accept: null } : { drop: null }
  const protocol = dice.upTo(4) === 0 ? 'udp' : 'tcp'
  const port = match({ payload: { protocol, field: 'dport' } }, dice.port())
  const kind = dice.upTo(100)
  if (kind < 20) return [port, verdict]
  if (kind < 55) return [source(dice.prefix()), port, verdict]
  if (kind < 69) return [source(dice.prefix()), verdict]
  if (kind < 77) return [match({ payload: { protocol, field: 'dport' } }, { range: dice.range() }), verdict]
  if (kind < 87) return [match({ payload: { protocol, field: 'dport' } }, { set: Array.from({ length: 5 }, () => dice.port()) }), verdict]
  if (kind < 95) return [source({ set: Array.from({ length: 4 }, () => dice.prefix()) }), port, verdict]
  return [match({ meta: { key: 'iifname' } }, `eth${dice.upTo(4)}`), port, verdict]
}

const source = (right: unknown): unknown => match({ payload: { protocol: 'ip', field: 'saddr' } }, right)

/** mulberry32. */
export class Dice {
  #state: number

  constructor(seed: number) {
    this.#state = seed
  }

  upTo(end: number): number {
    this.#state = (this.#state + 0x6d2b_79f5) | 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * end)
  }

  port(): number {
    return 1 + this.upTo(65_535)
  }

  range(): [number, number] {
    const first = 1 + this.upTo(60_000)
    return [first, first + this.upTo(1_000)]
  }

  prefix(): unknown {
    const length = 8 + this.upTo(25)
    const value = ((this.upTo(2 ** 16) * 2 ** 16 + this.upTo(2 ** 16)) & (-1 << (32 - length))) >>> 0
    return { prefix: { addr: [24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join('.'), len: length } }
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await run(process.argv.slice(2))
