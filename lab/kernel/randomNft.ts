import type { Dice } from './dice.ts'
import { clashes, freshReadings, matchesOf, setMatches, type Match } from './nftMatch.ts'
import { DISJOINT, DISJOINT_PORTS, POOL } from './pool.ts'

export interface NftWishes {
  /** Nothing in it needs connection tracking, so that the kernel does not reassemble fragments. */
  readonly isStateless: boolean
}

/** A ruleset of random rules in nft's own words: every construct of the model, over the values that test packets have. */
export function randomNft(dice: Dice, wishes: NftWishes = { isStateless: false }): string {
  const families = dice.some(['inet', 'ip', 'ip6', 'inet'], 1, 2)
  return families.map((family, index) => new RandomTable(dice, family, `t${index}`, wishes).text()).join('\n')
}

const braces = (values: readonly string[]): string => `{ ${values.join(', ')} }`

const HOOKS = [
  { hook: 'prerouting', priorities: ['-300', '-150', '-150', '-120', '-100', '0', '-200'] },
  { hook: 'input', priorities: ['-10', 'filter', 'filter', '50', '100', '150'] },
  { hook: 'forward', priorities: ['-10', 'filter', 'filter', '20'] },
  { hook: 'postrouting', priorities: ['-150', '0', '99', '100', '200'] },
] as const
type HookName = (typeof HOOKS)[number]['hook']

/** Rarely as deep as the kernel allows (NFT_JUMP_STACK_SIZE). */
const DEPTHS = [3, 3, 3, 3, 15] as const

class RandomTable {
  readonly #dice: Dice
  readonly #family: string
  readonly #name: string
  readonly #isStateless: boolean
  readonly #lower: readonly string[]

  constructor(dice: Dice, family: string, name: string, { isStateless }: NftWishes) {
    this.#dice = dice
    this.#family = family
    this.#name = name
    this.#isStateless = isStateless
    this.#lower = Array.from({ length: dice.pick(DEPTHS) }, (_, index) => `sub${index}`)
  }

  text(): string {
    const bases = HOOKS.flatMap(({ hook, priorities }) => (this.#dice.chance(hook === 'postrouting' ? 0.3 : 0.7) ? this.#bases(hook, this.#dice.pick(priorities)) : []))
    const lower = this.#lower.map((name, index) => this.#block(`chain ${name}`, this.#rules(index + 1, 'any')))
    const nat = this.#isStateless || this.#dice.chance(0.6) ? [] : this.#nat()
    const chains = this.#dice.chance(0.5) ? [...bases, ...nat] : [...nat, ...bases]
    return [`table ${this.#family} ${this.#name} {`, ...this.#objects(), ...this.#sets(), ...lower.toReversed(), ...chains, '}', ''].join('\n')
  }

  #block(head: string, lines: readonly string[]): string {
    return [`  ${head} {`, ...lines.map((line) => `    ${line}`), '  }'].join('\n')
  }

  #objects(): string[] {
    return ['  counter seen { }', '  limit slow { rate 1000000/second; }', '  quota much { 1000 mbytes; }']
  }

  #sets(): string[] {
    const some = (all: readonly string[], most: number): string => braces(this.#dice.some(all, 1, most))
    const timed = this.#dice.some(DISJOINT_PORTS, 1, 5).map((each, at) => (at === 0 ? `${each} timeout 1h` : each))
    return [
      `  set four { type ipv4_addr; flags interval; elements = ${some(DISJOINT.ip, 5)}; }`,
      `  set six { type ipv6_addr; flags interval; elements = ${some(DISJOINT.ip6, 4)}; }`,
      `  set ports { type inet_service; flags interval, timeout; elements = ${braces(timed)}; }`,
      `  set pairs { type inet_proto . inet_service; flags interval; elements = ${some(['tcp . 22', 'tcp . 80-90', 'udp . 53', 'udp . 1024-65535'], 4)}; }`,
      `  set names { type ifname; elements = ${some(['"eth0"', '"wan0"', '"x0"'], 2)}; }`,
      `  set marks { type mark; flags interval; elements = ${some(['0x0', '0x1-0x2', '0x3', '0x5-0xff'], 3)}; }`,
      `  set triples { type ipv4_addr . inet_proto . inet_service; flags interval; elements = ${some(['198.51.100.0/24 . tcp . 20-25', '10.0.0.0/8 . udp . 0-1023', '192.0.2.9 . tcp . 80'], 3)}; }`,
      '  set filled { type ipv4_addr; size 64; flags dynamic,timeout; timeout 1m; }',
      `  map verdicts { type inet_service : verdict; elements = ${some(['22 : accept', '53 : drop', '80 : jump sub2', '443 : return'], 4)}; }`,
      `  map wide { type ifname . inet_service : verdict; flags interval; elements = ${some(['"eth0" . 1-80 : accept', '"wan0" . 22 : drop', '"wan0" . 443-8080 : jump sub2', '"eth1" . 53 : continue'], 4)}; }`,
      `  map targets { type inet_service : ipv4_addr; elements = ${some(['80 : 10.9.0.77', '81 : 192.0.2.1', '443 : 8.8.4.4'], 3)}; }`,
    ]
  }

  /** Sometimes two at one priority: the later one runs first. */
  #bases(hook: HookName, priority: string): string[] {
    return Array.from({ length: this.#dice.chance(0.2) ? 2 : 1 }, (_, index) => {
      const policy = this.#dice.pick(['accept', 'accept', 'drop'])
      const raw = hook === 'prerouting' && Number(priority) <= -200 && !this.#isStateless && this.#dice.chance(0.5) ? [this.#matching(1, 'any', 'notrack')] : []
      return this.#block(`chain ${hook}${this.#dice.below(1000)}${'x'.repeat(index)}`, [`type filter hook ${hook} priority ${priority}; policy ${policy};`, ...raw, ...this.#rules(0, hook)])
    })
  }

  // ───────────────────────────── NAT ─────────────────────────────

  #nat(): string[] {
    const families = this.#families()
    const rules = (end: (family: 'ip' | 'ip6') => string): string[] => families.flatMap((family) => Array.from({ length: 1 + this.#dice.below(2) }, () => this.#natRule(family, end(family))))
    const pre = this.#block(`chain natpre`, [`type nat hook prerouting priority ${this.#dice.pick(['dstnat', '-90'])}; policy accept;`, ...rules((family) => this.#natTarget(family))])
    const post = this.#block(`chain natpost`, [`type nat hook postrouting priority ${this.#dice.pick(['srcnat', '110'])}; policy accept;`, ...rules((family) => this.#sourceTarget(family))])
    const input = this.#block(`chain natinput`, ['type nat hook input priority 100; policy accept;', this.#natRule(families[0] ?? 'ip', this.#dice.pick(['drop', 'accept', this.#sourceOf(families[0] ?? 'ip')]))])
    return [...(this.#dice.chance(0.85) ? [pre] : []), ...(this.#dice.chance(0.5) ? [post] : []), ...(this.#dice.chance(0.25) ? [input] : [])]
  }

  #families(): readonly ('ip' | 'ip6')[] {
    return this.#family === 'inet' ? ['ip', 'ip6'] : [this.#family === 'ip' ? 'ip' : 'ip6']
  }

  #natRule(family: 'ip' | 'ip6', end: string): string {
    const only = family === 'ip' ? 'meta nfproto ipv4' : 'meta nfproto ipv6'
    const mark = this.#dice.chance(0.1) ? 'meta mark set 0x3 ' : ''
    const protocol = /^(?:tcp|udp) /.exec(end)?.[0]
    const picked = this.#dice.chance(0.6) ? this.#pick('any', [{ text: only, family }, ...(protocol ? [{ text: '', protocol: protocol.trim() }] : [])]) : undefined
    return [only, picked?.text ?? '', mark, end].filter((part) => part !== '').join(' ')
  }

  #natTarget(family: 'ip' | 'ip6'): string {
    const word = this.#family === 'inet' ? `${family} ` : ''
    const to = family === 'ip' ? this.#dice.pick(['10.9.0.77', '10.9.0.1', '192.0.2.1', '8.8.4.4']) : this.#dice.pick(['fd00:9::77', 'fd00:9::1', '2001:db8:ffff::1'])
    const port = this.#dice.pick(['7', '22', '80', '8080', '65535'])
    const withPort = family === 'ip' ? `${to}:${port}` : `[${to}]:${port}`
    return this.#dice.pick([
      `dnat ${word}to ${to}`,
      `tcp dport ${this.#port()} dnat ${word}to ${withPort}`,
      `udp dport ${this.#port()} redirect to :${this.#dice.pick(['22', '53', '8080'])}`,
      `tcp dport ${braces(this.#dice.some(DISJOINT_PORTS, 1, 3))} redirect to :22`,
      'redirect',
      this.#dice.pick(['accept', 'return', 'drop', 'continue']),
      ...(family === 'ip' ? [`dnat ${word}to tcp dport map { 80 : 10.9.0.77, 81 : 192.0.2.1, 443 : 8.8.4.4 }`, `dnat ${word}to tcp dport map @targets`, `tcp dport 1-1000 dnat ${word}to 10.9.0.76-10.9.0.77`] : []),
      ...(family === 'ip' && this.#family === 'ip' ? ['dnat to tcp dport map { 80 : 10.9.0.77 . 8080, 22 : 192.0.2.1 . 2222 }'] : []),
    ])
  }

  #sourceTarget(family: 'ip' | 'ip6'): string {
    return this.#dice.pick(['masquerade', this.#sourceOf(family), 'accept', 'return', 'drop'])
  }

  #sourceOf(family: 'ip' | 'ip6'): string {
    return `snat ${this.#family === 'inet' ? `${family} ` : ''}to ${family === 'ip' ? '203.0.113.1' : '2001:db8:f::1'}`
  }

  #port(): string {
    return String(this.#dice.pick(POOL.ports))
  }

  // ───────────────────────────── rules ─────────────────────────────

  /** A match that goes with those before it: no two protocols, no two families. */
  #pick(hook: HookName | 'any', before: readonly Match[]): Match | undefined {
    const sets = this.#dice.chance(0.2)
    for (let tries = 0; tries < 6; tries += 1) {
      const own = this.#dice.pick(this.#families())
      const unknown = this.#dice.chance(0.06)
      const make = this.#dice.pick(unknown ? freshReadings(this.#isStateless) : sets ? setMatches(own) : matchesOf(this.#dice.chance(0.5) ? 'any' : own, hook, this.#isStateless))
      const match = make(this.#dice)
      if (!clashes(match, before, this.#family)) return match
    }
    return undefined
  }

  #matches(most: number, hook: HookName | 'any'): string {
    const chosen: Match[] = []
    for (let count = 1 + this.#dice.below(most); count > 0; count -= 1) {
      const match = this.#pick(hook, chosen)
      if (match) chosen.push(match)
    }
    return chosen.map(({ text }) => text).join(' ')
  }

  #matching(most: number, hook: HookName | 'any', end: string): string {
    return `${this.#matches(most, hook)} ${end}`.trim()
  }

  /** Rules of a base chain (level 0) or of a chain below; only deeper chains are entered, so there is no loop. Postrouting enters none. */
  #rules(level: number, hook: HookName | 'any'): string[] {
    return Array.from({ length: 1 + this.#dice.below(level > 3 ? 2 : 6) }, () => this.#rule(level, hook))
  }

  #rule(level: number, hook: HookName | 'any'): string {
    if (this.#dice.chance(0.08)) return this.#vmap(level, hook)
    const statement = this.#dice.chance(0.2) ? `${this.#statement()} ` : ''
    const isLast = this.#dice.chance(0.15)
    return `${isLast ? '' : `${this.#matches(2, hook)} `}${statement}${this.#verdict(level, hook)}`.trim()
  }

  #statement(): string {
    return this.#dice.pick([
      'counter',
      'counter name "seen"',
      'limit rate 1000000/second',
      'limit name "slow"',
      'quota name "much"',
      'log prefix "x y " group 99',
      'meta priority set 1:2',
      'add @filled { ip saddr }',
      'update @filled { ip saddr timeout 30s }',
      `meta mark set ${this.#dice.pick(['0x1', '0x3', 'meta mark | 0x2', 'meta mark & 0xfffffff0', 'meta mark ^ 0x5', 'meta mark and 0x1 or 0x8'])}`,
      ...(this.#isStateless ? [] : ['ct mark set meta mark', 'ct mark set 0x3', 'ct mark set ct mark | 0x8', 'meta mark set ct mark', 'ct mark set meta mark & 0x1']),
    ].filter((text) => this.#family !== 'ip6' || !text.includes('ip saddr')))
  }

  #verdict(level: number, hook: HookName | 'any'): string {
    const deeper = hook === 'postrouting' ? [] : this.#lower.slice(level)
    const next = deeper[0]
    // Down to the last chain where there are many.
    if (deeper.length > 3 && next && this.#dice.chance(0.5)) return `jump ${next}`
    if (deeper.length > 0 && this.#dice.chance(0.3)) return `${this.#dice.pick(['jump', 'jump', 'goto'])} ${this.#dice.pick(deeper)}`
    return this.#dice.pick(['accept', 'accept', 'accept', 'drop', 'drop', 'drop', 'return', 'continue', this.#rare(hook)])
  }

  #rare(hook: HookName | 'any'): string {
    const queues = ['queue num 5', 'queue num 5-6 bypass', 'queue flags bypass to 5']
    const rejects = ['reject', 'reject with icmpx admin-prohibited', 'reject with icmpx port-unreachable']
    return this.#dice.pick(hook === 'input' || hook === 'forward' ? [...queues, ...rejects] : queues)
  }

  #vmap(level: number, hook: HookName | 'any'): string {
    const canJump = level < 3 && hook !== 'postrouting'
    const target = canJump ? 'jump sub2' : 'drop'
    return this.#dice.pick([
      `tcp dport vmap { 22 : accept, 80-90 : drop, 443 : ${target} }`,
      'meta l4proto . th dport vmap { tcp . 22-53 : drop, udp . 53 : accept }',
      `iifname vmap { "eth0" : ${target}, "wan0" : drop }`,
      'meta mark vmap { 0x0 : continue, 0x1-0x3 : drop, 0x5 : accept }',
      ...(this.#isStateless ? [] : ['ct state vmap { new : continue, invalid : drop, untracked : accept }', `ct state . meta l4proto vmap { new . tcp : ${target}, established . udp : accept, invalid . tcp : drop }`]),
      ...(this.#family === 'ip6' ? [] : [`ip saddr vmap { 10.0.0.0/8 : accept, 198.51.100.7-198.51.100.9 : ${target} }`, 'ip saddr . tcp dport vmap { 198.51.100.0/24 . 20-90 : drop, 10.9.0.0/16 . 443 : accept }']),
      ...(this.#family === 'ip' ? [] : ['ip6 saddr . udp dport vmap { fd00::/8 . 53 : accept, 2001:db8:7::7 . 1-65535 : drop }']),
      ...(canJump ? ['tcp dport vmap @verdicts', 'iifname . tcp dport vmap @wide'] : []),
    ])
  }
}
