import type { Address } from '../net/address.ts'
import type { PortRange } from '../net/port.ts'

/**
 * The dialect-neutral form of all that a Linux host enforces by nf_tables, iptables-nft or iptables-legacy.
 * Every parser targets it; both evaluators (the decision diagram and the linear one) read nothing else, so what a
 * construct means is stated here, once. Where nothing is said, the kernel's own behaviour is meant (Linux 6.1 and later).
 *
 * Three-valued: a match answers **yes**, **no** or **unknown**. Unknown is never rounded; see {@link UnknownMatch}.
 */
export interface Ruleset {
  /** In the order in which the kernel lists them, which is the order of their creation; legacy tables stand after nft ones. */
  readonly tables: readonly Table[]
  /** What was read and is outside the model as a whole (a table of another family, a flowtable). Never dropped silently. */
  readonly unmodelled: readonly Unmodelled[]
}

export interface Unmodelled {
  /** The construct's name as its dialect writes it: `table bridge filter`, `flowtable ft`. */
  readonly construct: string
  readonly source: Source
}

/** Where something was written, for messages. */
export interface Source {
  readonly dialect: 'nft-json' | 'nft' | 'iptables-save' | 'ip6tables-save'
  readonly file: string
  /** One-based, in text dialects. */
  readonly line?: number
  /** nft's own number of the rule, in JSON. */
  readonly handle?: number
  /** RFC 6901 pointer into the document, in JSON. */
  readonly pointer?: string
  /** As written, or printed back from JSON; at most 500 characters. */
  readonly text: string
}

// ───────────────────────────── tables, chains, rules ─────────────────────────────

/** `ip` sees IPv4 packets only, `ip6` IPv6 only, `inet` both. A packet of the other family passes such a table's base chains untouched. */
export type TableFamily = 'ip' | 'ip6' | 'inet'

export interface Table {
  readonly family: TableFamily
  /** `nft` includes iptables-nft. Chains of both backends hang on the same hooks and are ordered by priority alone. */
  readonly backend: 'nft' | 'legacy'
  readonly name: string
  readonly chains: readonly Chain[]
  /** Named sets and maps, by name; names are unique within a table. */
  readonly sets: readonly NamedSet[]
  /** nft `flags dormant`: its base chains are not registered, nothing of it runs. */
  readonly isDormant: boolean
}

export type Hook = 'prerouting' | 'input' | 'forward' | 'output' | 'postrouting'

export interface Chain {
  readonly name: string
  /** Absent: a regular chain, entered only by jump or goto. */
  readonly base?: BaseChain
  readonly rules: readonly Rule[]
  readonly source: Source
}

/**
 * Base chains of a hook run in ascending priority. At equal priority the chain registered later runs first
 * (net/netfilter/core.c, nf_hook_entries_grow inserts before its equals): that is, the reverse of the order of {@link Ruleset.tables}
 * and of {@link Table.chains}. iptables chains: raw −300, mangle −150, nat −100 (prerouting, output) and 100 (input, postrouting), filter 0, security 50.
 *
 * **accept** (also: end of a chain with policy accept) ends this base chain only; the packet goes to the next one of the hook.
 * **drop** and **reject** are final for the packet.
 *
 * Chains of type `nat` are asked only about the first packet of a flow (ct state new, or related without a mapping) and are passed by
 * every other packet, untracked and invalid ones too (nf_nat_core.c, nf_nat_inet_fn). They run at −100 or 100 (input 100) whatever
 * priority they state; the stated one orders them among themselves, and the first that sets a mapping ends the walk through nat chains.
 */
export interface BaseChain {
  readonly type: 'filter' | 'nat' | 'route'
  readonly hook: Hook
  readonly priority: number
  /** What happens at the end of the chain, and on `return` at its top level. */
  readonly policy: 'accept' | 'drop'
}

/**
 * Steps run in order. A match that answers no ends the rule and the next rule is asked; a statement acts and goes on;
 * a verdict ends the rule. A rule without a verdict that runs to its end goes on with the next rule.
 * A rule whose matches answer yes or unknown, at least one unknown, may or may not act: both outcomes are possible.
 */
export interface Rule {
  readonly steps: readonly Step[]
  /** The user's own words about it (nft `comment`, iptables `-m comment`). */
  readonly comment?: string
  readonly source: Source
}

export type Step = Match | Statement | Verdict | VerdictMap

// ───────────────────────────── matches ─────────────────────────────

export type Match = LookupMatch | AnyOfMatch | UnknownMatch

/**
 * Reads each field in turn, then asks whether the tuple of values is among the elements.
 * Yes when it is (`isNegated`: when it is not). **When any field cannot be read from the packet the answer is no, negated or not**
 * (nft: the load expression breaks off the rule; iptables: the match modules refuse before they look at the inversion flag).
 * A dependency of a field on family or protocol is not implied: the parser writes it as a match of its own before this one,
 * exactly where the kernel has it (`tcp dport 22` = l4proto in {6}, then dport in {22}).
 */
export interface LookupMatch {
  readonly kind: 'lookup'
  /** More than one: a concatenation (`ip saddr . tcp dport`); each element then has as many values, and all must hold at once. */
  readonly fields: readonly Field[]
  readonly among: Elements
  readonly isNegated: boolean
}

/**
 * Yes when every match of at least one alternative answers yes; no when each alternative holds a no; else unknown.
 * `isNegated` turns yes and no round (unknown stays). iptables `multiport --ports` and `conntrack --ctstate NEW,DNAT` need it.
 */
export interface AnyOfMatch {
  readonly kind: 'any-of'
  readonly alternatives: readonly (readonly Match[])[]
  readonly isNegated: boolean
}

/** A match that the model cannot answer: the answer is unknown. `-m limit`, `quota`, `owner`, `string`, `u32`, `ct count`, `numgen`, … */
export interface UnknownMatch {
  readonly kind: 'unknown'
  /** Construct and arguments in one canonical line: `limit rate 5/second`, `owner uid 1000`. Equal text means the same question. */
  readonly what: string
  /**
   * True: the answer is a function of the packet or socket alone, so the same text answers the same for the same packet everywhere
   * (`owner`, `string`, `u32`, raw payload): correlation is kept, `isNegated` answers the opposite.
   * False: fresh each time it is asked (`limit`, `recent`, `hashlimit`, `quota`, `connlimit`, `numgen`, `statistic`, time of day).
   */
  readonly isDeterministic: boolean
  readonly isNegated: boolean
  /** Set where asking also writes (nft `add @s { … }`, `update`): no (the set is full, say) or yes, the rule is not idle. */
  readonly fills?: string
}

/**
 * What is read from the packet: a value, after `(value & mask)` where a mask is given (nft `tcp flags & (fin|syn) == syn`, iptables `--mark 1/0xff`).
 * `tcp flags syn` and `ct state established,related` are bit tests: masked, negated lookup of 0.
 * `tcp flags == syn`, `ct state != established,related` and lookups in sets compare the whole value.
 */
export interface Field {
  readonly name: FieldName
  readonly mask?: bigint
}

/**
 * | field | value | cannot be read |
 * |---|---|---|
 * | `family` | 4 or 6 (nft writes `meta nfproto ipv4/ipv6`) | – |
 * | `l4proto` | protocol of the upper layer, after IPv6 extension headers (`meta l4proto`; `ip protocol` with `family` 4; iptables `-p`, which does the same for IPv6) | – |
 * | `nexthdr` | IPv6 fixed header's next header: equals `l4proto` only where no extension header stands between | IPv4 |
 * | `saddr4` `daddr4` | 32 bits | IPv6 |
 * | `saddr6` `daddr6` | 128 bits | IPv4 |
 * | `sport` `dport` | bytes 0–1, 2–3 of the transport header | later fragments |
 * | `tcpFlags` | byte 13 of the TCP header: fin 1 syn 2 rst 4 psh 8 ack 16 urg 32 ece 64 cwr 128 | later fragments, l4proto ≠ 6 |
 * | `icmpType` `icmpCode` | bytes 0, 1 of an ICMP or ICMPv6 header | later fragments, l4proto ∉ {1, 58} |
 * | `isLaterFragment` | 1: fragment offset above 0 (iptables `-f`, nft `ip frag-off & 0x1fff != 0`); else 0 | – |
 * | `iif` `oif` | name of the interface, empty where the hook has none (iif: output, postrouting of own packets; oif: prerouting, input) | – |
 * | `iifIndex` `oifIndex` | its index by the host facts, 0 where the hook has none; unknown without facts. nft JSON prints the name where there is one: then it is an `iif` | – |
 * | `iifType` | ARPHRD number (`meta iiftype`; 1 ethernet, 772 loopback); unknown without facts | no iif |
 * | `pkttype` | 0 host, 1 broadcast, 2 multicast, 3 other host: of the frame, unknown where the packet does not say | – |
 * | `macSaddr` | 48 bits; unknown where the packet does not say | iif known not to be ethernet |
 * | `ctState` | exactly one of {@link CT_STATES}; a packet without a ct entry reads untracked when so marked, else invalid; in chains of prerouting and output before −200 every packet is still without one | – |
 * | `ctStatus` | kernel bits, see {@link CT_STATUS}; unknown beyond `snat` and `dnat` | invalid, untracked |
 * | `ctDirection` | 0 original, 1 reply | invalid, untracked |
 * | `ctMark` | 32 bits | invalid, untracked |
 * | `ctOriginalProtocol`, `ctOriginalSaddr4` … `ctOriginalDport` | the flow's first packet as it arrived, before NAT. For ct new: this packet before DNAT | invalid, untracked; address of the other family |
 * | `mark` | packet mark, 32 bits; 0 on arrival | – |
 * | `saddrType` `daddrType` | RTN number of the address by the host's routing tables, {@link ADDRESS_TYPES} (nft `fib … type`, iptables `addrtype`) | – |
 * | `saddrTypeIif` `daddrTypeIif` | the same, restricted to the incoming interface (nft `fib daddr . iif type`, iptables `--limit-iface-in`); Oif: outgoing | – |
 * | `saddrRoute` | 1 when the routing table has a route back to the source (nft `fib saddr oif exists`), else 0 | – |
 * | `saddrRouteIif` | 1 when that route leaves by the incoming interface (nft `fib saddr . iif oif exists`, strict rpfilter), else 0 | – |
 * | `ttl` | IPv4 TTL or IPv6 hop limit; in forward and later it is one less than on arrival | – |
 * | `dscp` | 6 bits | – |
 * | `length` | length of the IP packet in bytes (`meta length`) | – |
 *
 * Ports of protocols that have none: in nft `th dport 22` reads whatever stands there. When l4proto ∉ {tcp, udp, udplite, dccp, sctp}
 * `sport` and `dport` answer unknown (deterministic); parsers emit the protocol first wherever the dialect implies one.
 * A value that the packet under test does not state, or facts that are not given, answer unknown (deterministic).
 */
export type FieldName = NumberFieldName | NameFieldName

export const NUMBER_FIELD_BITS = {
  family: 8,
  l4proto: 8,
  nexthdr: 8,
  saddr4: 32,
  daddr4: 32,
  saddr6: 128,
  daddr6: 128,
  sport: 16,
  dport: 16,
  tcpFlags: 8,
  icmpType: 8,
  icmpCode: 8,
  isLaterFragment: 1,
  iifIndex: 32,
  oifIndex: 32,
  iifType: 16,
  pkttype: 8,
  macSaddr: 48,
  ctState: 8,
  ctStatus: 32,
  ctDirection: 1,
  ctMark: 32,
  ctOriginalProtocol: 8,
  ctOriginalSaddr4: 32,
  ctOriginalDaddr4: 32,
  ctOriginalSaddr6: 128,
  ctOriginalDaddr6: 128,
  ctOriginalSport: 16,
  ctOriginalDport: 16,
  mark: 32,
  saddrType: 8,
  daddrType: 8,
  saddrTypeIif: 8,
  daddrTypeIif: 8,
  saddrTypeOif: 8,
  daddrTypeOif: 8,
  saddrRoute: 1,
  saddrRouteIif: 1,
  ttl: 8,
  dscp: 6,
  length: 16,
} as const satisfies Record<string, number>

export type NumberFieldName = keyof typeof NUMBER_FIELD_BITS

/** Fields whose values are interface names. */
export type NameFieldName = 'iif' | 'oif'

/** nf_conntrack_common.h, as nft and iptables count the bits. A packet is in exactly one. `established` covers both directions, replies to a new flow too. */
export const CT_STATES = { invalid: 1, established: 2, related: 4, new: 8, untracked: 64 } as const
export type CtState = keyof typeof CT_STATES

/** nf_conntrack_common.h, enum ip_conntrack_status. */
export const CT_STATUS = { expected: 1, seenReply: 2, assured: 4, confirmed: 8, snat: 16, dnat: 32, dying: 512 } as const

export const TCP_FLAGS = { fin: 1, syn: 2, rst: 4, psh: 8, ack: 16, urg: 32, ece: 64, cwr: 128 } as const
export type TcpFlag = keyof typeof TCP_FLAGS

/** linux/rtnetlink.h, RTN_*. */
export const ADDRESS_TYPES = {
  unspec: 0,
  unicast: 1,
  local: 2,
  broadcast: 3,
  anycast: 4,
  multicast: 5,
  blackhole: 6,
  unreachable: 7,
  prohibit: 8,
  throw: 9,
  nat: 10,
  xresolve: 11,
} as const

/** The five protocols whose transport header starts with the ports. */
export const PORT_PROTOCOLS: readonly number[] = [6, 17, 33, 132, 136]

// ───────────────────────────── sets, maps ─────────────────────────────

/**
 * `inline`: written in the rule. `named`: a set or map of the same table; a name that the table does not have answers unknown.
 * Inline elements have no expiry.
 */
export type Elements =
  | { readonly kind: 'inline'; readonly elements: readonly Element[] }
  | { readonly kind: 'named'; readonly name: string }

export interface Element {
  /** As many as the lookup has fields. */
  readonly values: readonly Value[]
}

/** A closed interval of numbers, or interface names. Numbers are in the field's natural order (addresses: network order as one number). */
export type Value = Interval | InterfaceName

export interface Interval {
  readonly first: bigint
  readonly last: bigint
}

export interface InterfaceName {
  readonly name: string
  /** `eth*` in nft, `eth+` in iptables: any name that starts with `name`. An empty prefix is every name, the empty one too. */
  readonly isPrefix: boolean
}

/** What a named set or map holds at the moment of the listing. */
export interface NamedSet {
  readonly name: string
  readonly elements: readonly SetElement[]
  /**
   * nft `flags dynamic`, or filled by rules (`add @s`, iptables `SET`): what it holds when the packet comes is not known;
   * a lookup answers unknown (not deterministic), whatever is listed.
   */
  readonly isDynamic: boolean
  readonly source: Source
}

/** Evaluation is at the moment of the listing: a listed element is in the set, also one that will expire ("open until T"). */
export interface SetElement extends Element {
  /** Seconds left at the moment of the listing. */
  readonly expiresSeconds?: number
  /** In a verdict map. */
  readonly verdict?: Verdict
  /** In a map of NAT targets. */
  readonly target?: NatAddress
}

/**
 * nft `KEY vmap { … }`: looks the tuple up; not found (or not readable) is a no, the next rule is asked.
 * Where elements overlap the first listed wins (the kernel refuses to store overlapping ones).
 */
export interface VerdictMap {
  readonly kind: 'vmap'
  readonly fields: readonly Field[]
  readonly among: { readonly kind: 'inline'; readonly elements: readonly VerdictElement[] } | { readonly kind: 'named'; readonly name: string }
}

export interface VerdictElement extends Element {
  readonly verdict: Verdict
}

// ───────────────────────────── statements ─────────────────────────────

export type Statement = NoteStatement | MarkStatement | NotrackStatement

/** Changes nothing that a verdict depends on: counter, log, NFLOG, ct helper, dscp set, flow offload, … */
export interface NoteStatement {
  readonly kind: 'note'
  readonly what: string
  /** Worth telling: it acts outside the model (`flow add`, `dup`, `tproxy`, TEE, CT zone), so a verdict beyond it is conditional. */
  readonly isUnmodelled: boolean
}

/**
 * New value = `(old & keep) ^ flip`, 32 bits; later matches on that field read it, later chains and hooks too.
 * Plain `meta mark set 5`: keep 0, flip 5. `mark or 4`: keep ~4, flip 4. iptables `--set-xmark V/M`: keep ~M, flip V.
 * `copyFrom` (`CONNMARK --restore-mark`, `meta mark set ct mark`): old is the other mark's value. `isUnknown`: the new value cannot be told.
 * Setting `ctMark` of a packet without a ct entry does nothing. Where reading it ends the rule, as in nft, the parser writes a match before.
 */
export interface MarkStatement {
  readonly kind: 'set-mark'
  readonly field: 'mark' | 'ctMark'
  readonly keep: bigint
  readonly flip: bigint
  readonly copyFrom?: 'mark' | 'ctMark'
  readonly isUnknown?: boolean
}

/** nft `notrack`, iptables `-j NOTRACK` / `CT --notrack`: a packet without a ct entry is untracked from here on; others are unchanged. */
export interface NotrackStatement {
  readonly kind: 'notrack'
}

// ───────────────────────────── verdicts ─────────────────────────────

/**
 * - `accept`, `drop`, `reject`: see {@link BaseChain}. `reject` answers the sender, nothing else differs from drop.
 * - `jump`: the chain's rules; at its end, or on `return` there, the rule after the jump.
 * - `goto`: the chain's rules; at its end, or on `return` there, whatever the end of the chain that holds the goto leads to
 *   (the caller's next rule; the policy when that chain is a base chain).
 * - `return`: as the end of this chain.
 * - `continue`: nothing; the rule's next step, if there is one, then the next rule (nft).
 * - `queue`: accept or drop, as a program decides; both are possible.
 * - `nat`: DNAT, SNAT, masquerade or redirect, in chains of type nat: sets the mapping and accepts.
 * - `unmodelled`: a target that the model does not have: accept, drop, reject and going on are all possible.
 *
 * A jump or goto to a chain that the table does not have is as `unmodelled`. Jumps nest at most 16 deep (the kernel refuses deeper at load).
 */
export type Verdict =
  | { readonly kind: 'accept' }
  | { readonly kind: 'drop' }
  | { readonly kind: 'reject'; readonly with: RejectWith }
  | { readonly kind: 'jump'; readonly chain: string }
  | { readonly kind: 'goto'; readonly chain: string }
  | { readonly kind: 'return' }
  | { readonly kind: 'continue' }
  | { readonly kind: 'queue'; readonly number: number; readonly isBypass: boolean }
  | NatVerdict
  | { readonly kind: 'unmodelled'; readonly what: string }

export type VerdictKind = Verdict['kind']

/** `icmp`: an ICMP, ICMPv6 or (inet) family-chosen error; its type is told in the source text. */
export type RejectWith = 'tcp-reset' | 'icmp'

/**
 * `dnat`: from here on the packet (later hooks too) has the new destination; `redirect`: the destination becomes the host itself
 * (the incoming interface's first address; for loopback 127.0.0.1 or ::1). `snat` and `masquerade` change the source after the last filter hook
 * (postrouting 100) or, in input, after it, so no verdict depends on them.
 */
export interface NatVerdict {
  readonly kind: 'nat'
  readonly change: 'dnat' | 'redirect' | 'snat' | 'masquerade'
  readonly target: NatTarget
}

/**
 * `none`: redirect without a port, masquerade. `map`: nft `dnat to KEY map { … }`; not found (or not readable) is a no, the next rule is asked.
 * `unknown`: cannot be told (a range of addresses with `random`, a map of the model's outside).
 */
export type NatTarget =
  | { readonly kind: 'none' }
  | { readonly kind: 'to'; readonly to: NatAddress }
  | {
      readonly kind: 'map'
      readonly fields: readonly Field[]
      readonly among: { readonly kind: 'inline'; readonly elements: readonly NatElement[] } | { readonly kind: 'named'; readonly name: string }
      /** A port given beside the map: `dnat ip to tcp dport map { … }:80`. */
      readonly ports?: PortRange
    }
  | { readonly kind: 'unknown'; readonly what: string }

export interface NatElement extends Element {
  readonly target: NatAddress
}

/** A range means that any of them may be chosen. Without addresses the address stays, without ports the port stays. */
export interface NatAddress {
  readonly addresses?: { readonly first: Address; readonly last: Address }
  readonly ports?: PortRange
}

// ───────────────────────────── reading ─────────────────────────────

export const isMatch = (step: Step): step is Match =>
  step.kind === 'lookup' || step.kind === 'any-of' || step.kind === 'unknown'

export const isStatement = (step: Step): step is Statement =>
  step.kind === 'note' || step.kind === 'set-mark' || step.kind === 'notrack'

export const isInterfaceName = (value: Value): value is InterfaceName => 'name' in value
