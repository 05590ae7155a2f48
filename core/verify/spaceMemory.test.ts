import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseNftText } from '../ruleset/nft/parseText.ts'
import type { Ruleset } from '../ruleset/ruleset.ts'
import { BudgetError } from '../space/arena.ts'
import { compareRulesets } from './compare.ts'
import { composeWay } from './compose.ts'
import { digestOf } from './digest.ts'
import { PacketSpace } from './packetSpace.ts'
import { SpaceMemory } from './spaceMemory.ts'

const nft = (input: readonly string[], nat: readonly string[] = []): Ruleset => {
  const text = `table inet t {
    set s { type ipv4_addr; flags interval; elements = { 192.0.2.0/24, 198.51.100.7 } }
    chain called { tcp dport 8000-8100 accept\n ip saddr @s return\n meta mark 7 reject\n }
    chain to { type nat hook prerouting priority dstnat; policy accept;\n${nat.join('\n')}\n }
    chain in { type filter hook input priority filter; policy drop;\n${input.join('\n')}\n }
  }`
  const parsed = parseNftText(text, 'test.nft')
  if (!parsed.ok) throw new Error(parsed.faults[0]?.what.en)
  return parsed.value
}

/** Every way in which a rule becomes a diagram: boxes, sets, maps, chains, interface names, questions without an answer. */
const LINES = [
  'tcp dport 22 accept',
  'tcp dport 22 drop',
  'tcp dport { 22, 80, 443 } accept',
  'tcp dport 1000-2000 ip saddr 10.0.0.0/8 accept',
  'udp dport 53 ip saddr @s accept',
  'ip saddr 10.1.0.0/16 drop',
  'ip saddr != 10.2.0.0/16 tcp dport 25 reject',
  'ip6 saddr 2001:db8::/32 accept',
  'ct state established,related accept',
  'ct state invalid drop',
  'iifname "eth0" accept',
  'iifname "br-*" tcp dport 5432 accept',
  'tcp flags & (fin | syn | rst | ack) == syn tcp dport 8080 accept',
  'jump called',
  'goto called',
  'ip protocol . th dport vmap { tcp . 443 : accept, udp . 443 : drop, tcp . 22 : jump called }',
  'icmp type echo-request accept',
  'limit rate 5/second tcp dport 81 accept',
  'meta skuid 1000 drop',
  'accept',
]
const NAT_LINES = ['tcp dport 80 dnat ip to 10.0.0.1:8080', 'tcp dport 443 redirect to :8443', 'ip saddr 10.0.0.0/8 accept', 'udp dport 53 dnat ip to 10.0.0.2']

const line = fc.constantFrom(...LINES)
const rules = fc.record({ input: fc.array(line, { maxLength: 12 }), nat: fc.oneof({ weight: 2, arbitrary: fc.constant<string[]>([]) }, fc.subarray(NAT_LINES)) })

/** One rule more, less, changed or moved. */
const edit = fc.record({ what: fc.constantFrom('add', 'remove', 'change', 'move'), at: fc.nat(12), line })
type Edit = typeof edit extends fc.Arbitrary<infer T> ? T : never
function edited(lines: readonly string[], { what, at, line: other }: Edit): string[] {
  const index = Math.min(at, Math.max(0, lines.length - 1))
  if (what === 'add') return lines.toSpliced(index, 0, other)
  if (what === 'change') return lines.toSpliced(index, 1, other)
  const without = lines.toSpliced(index, 1)
  return what === 'remove' ? without : [...without, ...lines.slice(index, index + 1)]
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')
const meaningOf = (ruleset: Ruleset, memory?: SpaceMemory): string => {
  const space = new PacketSpace([ruleset], undefined, undefined, { memory })
  return digestOf(space, composeWay(space, ruleset, 'input'), sha256)
}

describe('what earlier analyses left changes no answer', { timeout: 60_000 }, () => {
  test.each([
    ['all is kept', 1 << 20],
    ['it is let go again and again', 2_000],
    ['it is let go as soon as two analyses differ', 0],
  ])('one edit after the other; %s', (_title, keptMin) => {
    fc.assert(
      fc.property(rules, fc.array(edit, { minLength: 1, maxLength: 6 }), ({ input, nat }, edits) => {
        const memory = new SpaceMemory(keptMin)
        let lines: string[] = input
        for (const each of edits) {
          lines = edited(lines, each)
          const ruleset = nft(lines, nat)
          expect(meaningOf(ruleset, memory)).toBe(meaningOf(ruleset))
        }
      }),
      { numRuns: 40 },
    )
  })

  test('comparisons tell the same differences', () => {
    fc.assert(
      fc.property(rules, fc.array(edit, { minLength: 1, maxLength: 3 }), ({ input, nat }, edits) => {
        const memory = new SpaceMemory()
        const before = nft(input, nat)
        for (const each of edits) {
          const after = nft(edited(input, each), nat)
          expect(compareRulesets(before, after, { way: 'input', memory })).toEqual(compareRulesets(before, after, { way: 'input' }))
        }
      }),
      { numRuns: 30 },
    )
  })

  test('an analysis that ran out of its budget leaves nothing wrong behind', () => {
    const memory = new SpaceMemory()
    const small = nft(LINES)
    expect(compareRulesets(small, nft(LINES.slice(1)), { way: 'input', memory, budget: { edgesMax: 60 } })).toEqual({ kind: 'undecided', because: 'budget' })
    expect(meaningOf(small, memory)).toBe(meaningOf(small))
  })

  test('each analysis has its whole budget', () => {
    const needs = newEdges(manyRules(0), new SpaceMemory())
    const memory = new SpaceMemory()
    for (let generation = 0; generation < 5; generation += 1) {
      const ruleset = manyRules(generation)
      expect(() => composeWay(new PacketSpace([ruleset], undefined, { edgesMax: needs * 2 }, { memory }), ruleset, 'input')).not.toThrow(BudgetError)
    }
  })
})

/** All different, so that no two generations share a rule. */
const manyRules = (generation: number, changed = -1, extra: readonly string[] = []): Ruleset =>
  nft([...Array.from({ length: 1_000 }, (_, index) => `ip saddr 10.${generation}.${index >> 8}.${index & 255} tcp dport ${index === changed ? 60_000 : 1_024 + index * 7} ${index % 3 ? 'accept' : 'drop'}`), ...extra])

function newEdges(ruleset: Ruleset, memory: SpaceMemory, subject = ''): number {
  const space = new PacketSpace([ruleset], undefined, undefined, { memory, subject })
  const { top } = space.arena
  composeWay(space, ruleset, 'input')
  return space.arena.top - top
}

describe('a thousand rules that are verified again', () => {
  const memory = new SpaceMemory()
  const whole = newEdges(manyRules(0), memory)

  test('make nothing new where nothing changed', () => {
    expect(newEdges(manyRules(0), memory)).toBe(0)
  })

  test.each([0, 1, 400, 999])('make less than a tenth where rule %i changed', (changed) => {
    expect(newEdges(manyRules(0, changed), memory)).toBeLessThan(whole / 10)
  })

  test('make less than a tenth where a rule was added', () => {
    expect(newEdges(manyRules(0, -1, ['ip saddr 10.9.9.9 tcp dport 9 accept']), memory)).toBeLessThan(whole / 10)
  })
})

test('the host that was not asked about for longest makes room', () => {
  const memory = new SpaceMemory(undefined, 0)
  const rules = nft(LINES)
  const isNew = (host: string): boolean => newEdges(rules, memory, host) > 0
  expect(['a', 'a', 'b', 'b', 'a'].map(isNew)).toEqual([true, false, true, false, true])
})
