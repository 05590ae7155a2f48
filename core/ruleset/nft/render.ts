import type { Family } from '../../net/address.ts'
import { formatPortRange, type PortRange } from '../../net/port.ts'
import { formatPrefix, type Prefix } from '../../net/prefix.ts'
import { TRANSPORT_PROTOCOLS } from '../../net/protocol.ts'
import type { Intent } from '../../policy/intent.ts'
import type { Mode } from '../../policy/policy.ts'
import { FIXED_ALLOWANCES, PING_ALLOWANCES, type FixedAllowance } from './fixed.ts'
import { arrange, isSinglePort, layOut, reachablePorts, type Layout, type Opening } from './layout.ts'

export interface NftRuleset {
  /**
   * For the first load and for every replace, two transactions of `nft -f`: what stands before the line `SWITCH`, which
   * nothing asks yet, and the rest. In one they do the same, but for some microseconds no network and no range is open.
   * Each line is blank, a `#` comment, inside a `table inet portcullis {` … `}` block (indented by tabs), or
   * `add|flush|delete … inet portcullis …`.
   */
  readonly text: string
  /** Of the text. It cannot stand in the text: the host keeps it beside the file. */
  readonly digest: string
  /** Of the rules without their generation: equal for two generations that do the same. It stands in the chain `about`. */
  readonly rulesDigest: string
}

export interface RenderOptions {
  /** SHA-256 of a text's UTF-8 bytes, in lower-case hexadecimal digits. */
  readonly digestOf: (text: string) => string
}

/**
 * Counts the types of the sets that outlive a replace. A set cannot change its type in place, so a version that needs
 * another type raises this number, and a host whose chain `about` says a lower one is given a text that deletes the
 * table first and adds its leases again in the same transaction (which leaks nothing: the last rule denies).
 */
export const SET_SCHEMA = 1

/**
 * Ports from which this host's own connections start (the kernel's default net.ipv4.ip_local_port_range). A SYN to one
 * of them can belong to a flow: FTP's active mode through a connection tracking helper, or a simultaneous open
 * (RFC 9293 section 3.5). So only connection tracking may judge it.
 */
export const EPHEMERAL_PORTS: PortRange = { first: 32_768, last: 60_999 }

/** The host script divides the text here. */
export const SWITCH = '# portcullis: switch'

/**
 * An intent as nftables text. The same packets give the same bytes, in whatever order and pieces they are granted.
 * Needs nft ≥ 1.0.6. The kernel's part in it is told line by line in the chains below.
 */
export function renderNft(intent: Intent, { digestOf }: RenderOptions): NftRuleset {
  const openings = arrange(intent.grants)
  const management = arrange(intent.management)
  const reachable = dropsEarly(intent) ? reachablePorts([...management, ...openings], 'tcp') : []
  const parts = { layout: layOut(openings), reachable, management: managementPaths(management) }
  const rulesDigest = digestOf(lines(body(intent, parts, (name) => name)))
  const text = lines([...heading(intent), ...body(intent, parts, (name) => `${name}_g${intent.generation}`), '', ...about(intent, rulesDigest)])
  return { text, digest: digestOf(text), rulesDigest }
}

interface Parts {
  readonly layout: Layout
  readonly reachable: readonly PortRange[]
  readonly management: readonly ManagementPath[]
}

/**
 * The name of what belongs to one generation. A name of its own for each, so that the old rules ask the old sets until the
 * switch and the new rules the new ones: a set of the same name may mean other ports, and what the kernel shows of it changes
 * neither with the rules nor at once. It shows the elements of a new interval set at the end of a transaction, after its rules
 * (nft_set_commit_update), and takes those of a map that is deleted away before (nft_map_deactivate). So the sets
 * come a transaction before the rules that ask them, and go a transaction after.
 */
type Own = (name: string) => string

function body(intent: Intent, parts: Parts, own: Own): string[] {
  // Only those that hold something: what nobody asks is not in the table.
  const containers = containersOf(parts, own).filter(({ elements }) => elements.length > 0)
  return [
    ...block([...parts.layout.sources.map((_, index) => `\tchain ${own(sourceChain(index))} { }`), ...containers.map(declarationOf)]),
    ...containers.flatMap(addElements),
    '',
    SWITCH,
    ...block([...COUNTERS.map((name) => `\tcounter ${name} { }`), ...Object.entries(KEPT_SETS).map(declareKept)]),
    '',
    // Rules of an older version in chains that this one does not know go too. Sets keep their elements.
    'flush table inet portcullis',
    ...(dropsEarly(intent) ? [] : REMOVE_EARLY),
    '',
    ...block(chains(intent, parts, own)),
  ]
}

const lines = (text: readonly string[]): string => `${text.join('\n')}\n`

const block = (content: readonly string[]): string[] => ['table inet portcullis {', ...content, '}']

/** A SYN that is answered, counted only or let pass needs the whole gate; one that is dropped does not even need connection tracking. */
const dropsEarly = (intent: Intent): boolean => intent.mode === 'enforce' && intent.refusal === 'drop'

function heading(intent: Intent): string[] {
  // A name cannot end the comment, whatever it holds.
  const host = intent.host.replaceAll(/[^A-Za-z0-9._:-]/g, '?')
  return [`# portcullis: ${host}, generation ${intent.generation}, ${intent.mode}, refusal by ${intent.refusal}`, '']
}

/** A table's own comment cannot be changed once it is loaded, so the generation stands in a rule that no packet meets. */
function about(intent: Intent, rulesDigest: string): string[] {
  const comment = `schema ${SET_SCHEMA} generation ${intent.generation} ${intent.mode} rules ${rulesDigest}`
  return block(chain('about', [`return comment "${comment}"`]))
}

const chain = (name: string, rules: readonly string[]): string[] => [
  `\tchain ${name} {`,
  ...rules.map((rule) => `\t\t${rule}`),
  '\t}',
]

/** Base chains are declared with the same hook at every load, so that a replace never unhooks them. */
const HOOKS = {
  early: 'type filter hook prerouting priority -300; policy accept;',
  // After connection tracking (-200), before destination NAT (-100): published ports and NodePorts are still what the client asked for.
  gate: 'type filter hook prerouting priority -150; policy accept;',
  closing_out: 'type filter hook output priority -150; policy accept;',
  closing_forward: 'type filter hook forward priority -150; policy accept;',
} as const

/** A base chain that a mode does without: an unused hook costs every packet. Added first, because only what is there can be deleted. */
const REMOVE_EARLY = [
  `add chain inet portcullis early { ${HOOKS.early} }`,
  'add chain inet portcullis early_syn',
  'delete chain inet portcullis early',
  'delete chain inet portcullis early_syn',
]

const FLOW4 = 'ipv4_addr . inet_proto . inet_service'
const FLOW6 = 'ipv6_addr . inet_proto . inet_service'
const ENDPOINT = 'inet_proto . inet_service'

/** How many sources times endpoints are counted each by itself; what does not fit is still counted by port, and as lost. */
const FLOWS_COUNTED_MAX = 65_536
/** One scan of all ports fills any room, and each element has a counter for each processor: what was denied gets less. */
const DENIED_FLOWS_COUNTED_MAX = 16_384
/** Room for every port of TCP and of UDP. */
const ENDPOINTS_COUNTED_MAX = 131_072

/** Sets that a replace leaves alone: what was opened, blocked, cut or counted since. `SET_SCHEMA` counts their types. */
/**
 * No element of these ends, yet the kernel walks every set that rules fill once a second to look for such (nft_set_hash.c): a
 * scan of all ports would cost a tenth of a processor for as long as the host runs. Only a set with timeouts takes an interval.
 */
const COUNTED = ['flags dynamic,timeout', 'gc-interval 1d'] as const

const KEPT_SETS: Readonly<Record<string, readonly string[]>> = {
  lease4: [`type ${FLOW4}`, 'flags interval,timeout'],
  lease6: [`type ${FLOW6}`, 'flags interval,timeout'],
  lease_any: [`type ${ENDPOINT}`, 'flags timeout'],
  // The ports that the three above are about: one lookup for every new flow where there is no lease.
  lease_ports: [`type ${ENDPOINT}`, 'flags timeout'],
  block4: ['type ipv4_addr', 'flags interval,timeout'],
  block6: ['type ipv6_addr', 'flags interval,timeout'],
  closing4: [`type ${FLOW4}`, 'flags interval,timeout'],
  closing6: [`type ${FLOW6}`, 'flags interval,timeout'],
  // The families in which anything is blocked or closing, and in which anything is closing. With intervals, because the kernel
  // tells an empty set of such from its root alone (nft_set_rbtree.c), and every packet asks.
  watch_in: ['type nf_proto', 'flags interval,timeout'],
  watch_out: ['type nf_proto', 'flags interval,timeout'],
  seen4: [`type ${FLOW4}`, `size ${FLOWS_COUNTED_MAX}`, ...COUNTED],
  seen6: [`type ${FLOW6}`, `size ${FLOWS_COUNTED_MAX}`, ...COUNTED],
  denied4: [`type ${FLOW4}`, `size ${DENIED_FLOWS_COUNTED_MAX}`, ...COUNTED],
  denied6: [`type ${FLOW6}`, `size ${DENIED_FLOWS_COUNTED_MAX}`, ...COUNTED],
  accepted_ports: [`type ${ENDPOINT}`, `size ${ENDPOINTS_COUNTED_MAX}`, ...COUNTED],
  denied_ports: [`type ${ENDPOINT}`, `size ${ENDPOINTS_COUNTED_MAX}`, ...COUNTED],
}

const COUNTERS = ['seen_lost', 'denied_lost', 'denied_stray', 'blocked'] as const

const declareKept = ([name, properties]: [string, readonly string[]]): string => declarationOf({ kind: 'set', name, properties })

/** A set, or a map from a key to a verdict. */
interface Container {
  readonly kind: 'set' | 'map'
  readonly name: string
  readonly properties: readonly string[]
  readonly elements: readonly string[]
}

const PORT_INTERVALS = ['type inet_service', 'flags interval'] as const

const SCOPES = ['', '4', '6'] as const

/** Whole openings, in the order in which they are asked. */
const OPENING_SETS = [
  ...SCOPES.map((scope) => ({ name: `open${scope}`, properties: [`type ${ENDPOINT}`] }) as const),
  { name: 'hosts4', properties: [`type ${FLOW4}`] },
  { name: 'hosts6', properties: [`type ${FLOW6}`] },
  ...SCOPES.flatMap((scope) => TRANSPORT_PROTOCOLS.map((protocol) => ({ name: `open${scope}_${protocol}`, properties: PORT_INTERVALS }) as const)),
] as const

function containersOf({ layout, reachable, management }: Parts, own: Own): Container[] {
  const { sets, sources, ports } = layout
  return [
    ...management.flatMap(({ lists }) => lists).filter(isSeveral).map(listContainer),
    ...OPENING_SETS.map(({ name, properties }) => ({ kind: 'set', name, properties, elements: sets.get(name) ?? [] }) as const),
    ...sources.flatMap((prefixes, index) => listsOf(prefixes, sourceChain(index))).map(listContainer),
    ...[...ports].map(([protocol, spans]) => portMap(protocol, spans.map((span) => `${formatPortRange(span.ports)} : goto ${own(sourceChain(span.source))}`))),
    ...reachableContainers(reachable),
  ].map((container) => ({ ...container, name: own(container.name) }))
}

const portMap = (protocol: string, elements: readonly string[]): Container => ({
  kind: 'map',
  name: portMapName(protocol),
  properties: ['type inet_service : verdict', 'flags interval'],
  elements,
})

const portMapName = (protocol: string): string => `from_${protocol}`

const sourceChain = (index: number): string => `from_${index + 1}`

/** Networks of one family. */
interface NetworkList {
  readonly name: string
  readonly family: Family
  readonly prefixes: readonly Prefix[]
}

/** One list for each family that has any. */
const listsOf = (prefixes: readonly Prefix[], name: string): NetworkList[] =>
  FAMILIES.map((family) => ({ name, family, prefixes: prefixes.filter((prefix) => prefix.family === family) })).filter((list) => list.prefixes.length > 0)

const listSet = ({ name, family }: NetworkList): string => `${name}_ipv${family}`

const listContainer = (list: NetworkList): Container => ({
  kind: 'set',
  name: listSet(list),
  properties: [`type ipv${list.family}_addr`, 'flags interval'],
  elements: list.prefixes.map(formatPrefix),
})

function reachableContainers(reachable: readonly PortRange[]): Container[] {
  const [single, ranges] = [true, false].map((isSingle) => reachable.filter((ports) => isSinglePort(ports) === isSingle).map(formatPortRange))
  return [
    // One field of 16 bits: the kernel keeps it as a bitmap (nft_set_bitmap.c), the cheapest lookup there is.
    { kind: 'set', name: 'reachable', properties: ['type inet_service'], elements: single ?? [] },
    { kind: 'set', name: 'reachable_ranges', properties: PORT_INTERVALS, elements: ranges ?? [] },
  ]
}

const declarationOf = ({ kind, name, properties }: Omit<Container, 'elements'>): string => `\t${kind} ${name} { ${properties.join('; ')}; }`

/** Lines of a bounded length, for whoever reads or compares the file with line-wise tools. */
const ELEMENTS_PER_LINE_MAX = 50

function addElements({ name, elements }: Container): string[] {
  const text: string[] = []
  for (let at = 0; at < elements.length; at += ELEMENTS_PER_LINE_MAX) {
    text.push(`add element inet portcullis ${name} { ${elements.slice(at, at + ELEMENTS_PER_LINE_MAX).join(', ')} }`)
  }
  return text
}

function chains(intent: Intent, { layout, reachable, management }: Parts, own: Own): string[] {
  return [
    ...(dropsEarly(intent) ? early(reachable, own) : []),
    ...chain('gate', gate(intent.mode)),
    ...chain('watched', watched()),
    ...chain('blocked', blocked(management, own)),
    ...closing(),
    ...chain('fixed', fixed(intent.ping, management, own)),
    ...chain('lease', lease()),
    ...chain('open', open(layout, own)),
    ...layout.sources.flatMap((prefixes, index) => chain(own(sourceChain(index)), sourceRules(prefixes, index, own))),
    ...chain('accepted', accepted()),
    ...chain('deny', deny()),
    ...chain('stray', [`counter name denied_stray ${LAST_VERDICT[intent.mode]}`]),
    ...chain('denied', denied(ENDPOINT_KEY, intent)),
    ...chain('denied_portless', denied(PORTLESS_KEY, intent)),
    // Also where nobody goes there: a chain that comes and goes with the mode would stay behind in a replacement.
    ...chain('refuse', answers(intent) ? REFUSE : [LAST_VERDICT[intent.mode]]),
  ]
}

/** The first packet of a TCP connection, and nothing else (RFC 9293 section 3.5). */
const IS_SYN = 'tcp flags & (fin | syn | rst | ack) == syn'
const FAMILIES = [4, 6] as const
const SADDR = { 4: 'ip saddr', 6: 'ip6 saddr' } as const
const FAMILY_KEY = 'meta nfproto'
const ENDPOINT_KEY = 'meta l4proto . th dport'
/** What ICMP, GRE or VRRP hold where others hold a port would fill the counters with noise. */
const PORTLESS_KEY = 'meta l4proto . 0'
/** Without fragments to think of: connection tracking puts them together before any chain of ours (priority -400). */
const FLOW_KEY = { 4: `${SADDR[4]} . ${ENDPOINT_KEY}`, 6: `${SADDR[6]} . ${ENDPOINT_KEY}` } as const

/** A SYN to a port that nobody at all may reach is dropped before it costs a connection tracking entry. */
function early(reachable: readonly PortRange[], own: Own): string[] {
  const isOutside = reachableContainers(reachable).filter(({ elements }) => elements.length > 0).map(({ name }) => ` tcp dport != @${own(name)}`)
  return [
    ...chain('early', [HOOKS.early, `${IS_SYN} tcp dport != ${formatPortRange(EPHEMERAL_PORTS)}${isOutside.join('')} jump early_syn`]),
    ...chain('early_syn', [
      'iif "lo" return',
      'fib daddr type unicast return',
      `${ENDPOINT_KEY} @lease_ports return`,
      'goto denied',
    ]),
  ]
}

function gate(mode: Mode): string[] {
  return [
    HOOKS.gate,
    // Nearly every packet belongs to a known flow: whatever stands before the next rule is paid by all of them.
    `${FAMILY_KEY} @watch_in jump watched`,
    'ct state established,related accept',
    'iif "lo" accept',
    // To be forwarded, not for this host. Every other type (local, broadcast, multicast, anycast, and IPv6 multicast, which fib calls unspec) is judged.
    'fib daddr type unicast accept',
    'jump fixed',
    'jump open',
    `${ENDPOINT_KEY} @lease_ports jump lease`,
    'jump deny',
    // `deny` has the last word already; this rule stands here so that nobody has to read it to know that. Never a chain
    // policy: a replace that relies on one lets packets through for some microseconds.
    LAST_VERDICT[mode],
  ]
}

const LAST_VERDICT: Readonly<Record<Mode, string>> = { enforce: 'drop', observe: 'accept' }

/** What may end flows that are known. */
const watched = (): string[] => [
  'iif "lo" return',
  'ip saddr @block4 jump blocked',
  'ip6 saddr @block6 jump blocked',
  `${FLOW_KEY[4]} @closing4 jump closing_in`,
  `${FLOW_KEY[6]} @closing6 jump closing_in`,
]

/** A block ends established flows too, but never the way back to the host: an automatic block of one's own controller is the classic lock-out. */
const blocked = (management: readonly ManagementPath[], own: Own): string[] => [
  ...managementRules(management, own),
  'counter name blocked drop',
]

/**
 * While a source and a port stand in `closing4` or `closing6`, no such flow lives: its packets are
 * answered with a reset, both ways. Replies are known by the port that the client asked for, because a published port's
 * still carry the container's; they need a chain where they leave the host and one where it forwards them.
 */
function closing(): string[] {
  return [
    ...chain('closing_in', [
      'ct direction reply return',
      'fib daddr type unicast return',
      'meta l4proto tcp reject with tcp reset',
      'reject with icmpx port-unreachable',
    ]),
    ...chain('closing_out', [HOOKS.closing_out, `${FAMILY_KEY} @watch_out ct direction reply oif != "lo" jump closing_back`]),
    ...chain('closing_forward', [HOOKS.closing_forward, `${FAMILY_KEY} @watch_out ct status dnat ct direction reply jump closing_back`]),
    ...chain('closing_back', ['tcp', 'udp'].flatMap(closingBack)),
    ...chain('closing_reply', [
      // The reset that `closing_in` has just sent to the other end passes here too.
      'tcp flags & rst == rst return',
      'meta l4proto tcp reject with tcp reset',
      'reject with icmpx port-unreachable',
    ]),
  ]
}

function closingBack(protocol: string): string[] {
  // nft 1.0.6 knows how wide `ct original proto-dst` is only beside the protocol.
  const endpoint = 'meta l4proto . ct original proto-dst'
  return [
    `meta l4proto ${protocol} ip daddr . ${endpoint} @closing4 goto closing_reply`,
    `meta l4proto ${protocol} ip6 daddr . ${endpoint} @closing6 goto closing_reply`,
  ]
}

/** No policy edits this chain. Ordered so that TCP and UDP, nearly all there is, leave it soonest. */
function fixed(ping: boolean, management: readonly ManagementPath[], own: Own): string[] {
  const allowances = ping ? [...FIXED_ALLOWANCES, ...PING_ALLOWANCES] : FIXED_ALLOWANCES
  const rulesOf = (isUdp: boolean): string[] =>
    allowances.filter(({ protocol }) => (protocol === 'udp') === isUdp).map(allowanceRule)
  return [
    ...managementRules(management, own),
    'meta l4proto tcp return',
    ...rulesOf(true),
    'meta l4proto udp return',
    ...rulesOf(false),
  ]
}

/** Ports by which a host is managed, and from where. */
interface ManagementPath {
  readonly match: string
  /** None: from anywhere. */
  readonly lists: readonly NetworkList[]
}

function managementPaths(management: readonly Opening[]): ManagementPath[] {
  const sources = new Map<string, (Prefix | 'any')[]>()
  for (const { protocol, ports, from } of management) {
    const match = `${protocol} dport ${formatPortRange(ports)}`
    sources.set(match, [...(sources.get(match) ?? []), from])
  }
  return [...sources].map(([match, from], index) => ({ match, lists: from.includes('any') ? [] : listsOf(from as Prefix[], `management_${index + 1}`) }))
}

function managementRules(paths: readonly ManagementPath[], own: Own): string[] {
  return paths.flatMap(({ match, lists }) => {
    const sources = lists.length === 0 ? [''] : lists.map((list) => managementSource(list, own))
    return sources.map((source) => `${source}${match} goto accepted comment "management"`)
  })
}

function managementSource(list: NetworkList, own: Own): string {
  const [first] = list.prefixes
  if (first?.length === 0) return `meta nfproto ipv${list.family} `
  // Not a set without a name: it would come with the rules.
  return `${SADDR[list.family]} ${first && !isSeveral(list) ? formatPrefix(first) : `@${own(listSet(list))}`} `
}

const isSeveral = ({ prefixes }: NetworkList): boolean => prefixes.length > 1

const oneOf = (values: readonly string[]): string => (values.length === 1 ? `${values[0]}` : `{ ${values.join(', ')} }`)

function allowanceRule(allowance: FixedAllowance): string {
  const { family, protocol, from, hopLimit, icmpTypes, sourcePort, destinationPort } = allowance
  return [
    ...(from ? [`${SADDR[family]} ${formatPrefix(from)}`] : []),
    ...(from === undefined && sourcePort !== undefined ? [`meta nfproto ipv${family}`] : []),
    ...(sourcePort === undefined ? [] : [`${protocol} sport ${sourcePort}`]),
    ...(destinationPort === undefined ? [] : [`${protocol} dport ${destinationPort}`]),
    ...(hopLimit === undefined ? [] : [`ip6 hoplimit ${hopLimit}`]),
    // `icmp type` and `icmpv6 type` ask for their own family and protocol (nft(8), ICMP HEADER EXPRESSION).
    ...(icmpTypes ? [`${protocol} type ${oneOf(icmpTypes.map(String))}`] : []),
    ...(icmpTypes || sourcePort !== undefined ? [] : [`ip protocol ${protocol}`]),
    `accept comment "${allowance.name}"`,
  ].join(' ')
}

const lease = (): string[] => [
  `${ENDPOINT_KEY} @lease_any goto accepted`,
  `${FLOW_KEY[4]} @lease4 goto accepted`,
  `${FLOW_KEY[6]} @lease6 goto accepted`,
]

/** One lookup for each set that holds anything, whatever it holds: cost does not grow with the number of open ports. */
function open({ sets, ports }: Layout, own: Own): string[] {
  return [
    ...OPENING_SETS.filter(({ name }) => sets.has(name)).map(({ name }) => `${keyOf(name)} @${own(name)} goto accepted`),
    ...[...ports.keys()].map((protocol) => `${protocol} dport vmap @${own(portMapName(protocol))}`),
  ]
}

function keyOf(name: (typeof OPENING_SETS)[number]['name']): string {
  if (name === 'hosts4') return FLOW_KEY[4]
  if (name === 'hosts6') return FLOW_KEY[6]
  const [scope = '', protocol] = name.split('_')
  const family = scope.endsWith('4') ? 'meta nfproto ipv4 ' : scope.endsWith('6') ? 'meta nfproto ipv6 ' : ''
  return `${family}${protocol === undefined ? ENDPOINT_KEY : `${protocol} dport`}`
}

const sourceRules = (prefixes: readonly Prefix[], index: number, own: Own): string[] =>
  listsOf(prefixes, sourceChain(index)).map((list) => `${SADDR[list.family]} @${own(listSet(list))} goto accepted`)

/**
 * Counts what is new, by port and by source and port. A set that is full breaks off the rule (nft_dynset.c), so that
 * the next line counts the loss: what the sets hold and what was lost always add up to what came.
 * A one-way UDP flow stays new, and so counts packets; were it counted once, a flow older than its counter would never show.
 */
const accepted = (): string[] => [
  'ct state != new accept',
  ...FAMILIES.map((family) => `${countFlow(family, ENDPOINT_KEY, 'accepted')} accept`),
  'counter name seen_lost accept',
]

const FLOWS_COUNTED = { accepted: 'seen', denied: 'denied' } as const

function countFlow(family: Family, endpointKey: string, verdict: 'accepted' | 'denied'): string {
  const byPort = `update @${verdict}_ports { ${endpointKey} counter }`
  return `meta nfproto ipv${family} ${byPort} update @${FLOWS_COUNTED[verdict]}${family} { ${SADDR[family]} . ${endpointKey} counter }`
}

/**
 * What asks for no connection (the late segment of an ended flow, a reply that took a way that connection tracking did
 * not see) is denied as well but never answered: a reset would end a flow that only tracking has lost.
 */
const deny = (): string[] => [
  'ct state != new goto stray',
  'meta l4proto != { tcp, udp, dccp, sctp, udplite } goto denied_portless',
  'goto denied',
]

const answers = ({ mode, refusal }: Intent): boolean => mode === 'enforce' && refusal === 'reject'

function denied(endpointKey: string, intent: Intent): string[] {
  const end = answers(intent) ? 'goto refuse' : LAST_VERDICT[intent.mode]
  return [...FAMILIES.map((family) => `${countFlow(family, endpointKey, 'denied')} ${end}`), `counter name denied_lost ${end}`]
}

const REFUSE = [`${IS_SYN} reject with tcp reset`, 'meta l4proto tcp drop', 'reject with icmpx port-unreachable'] as const
