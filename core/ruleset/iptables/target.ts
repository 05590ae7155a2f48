import { parseAddress, type Address } from '../../net/address.ts'
import type { PortRange } from '../../net/port.ts'
import type { NatAddress, NatTarget, Step } from '../ruleset.ts'
import type { Word } from './line.ts'
import { notA, readMasked, readNumber, readRange } from './number.ts'

const ALL = 0xffff_ffffn

/** A target and the options that follow it. */
export interface TargetWords {
  readonly name: string
  readonly options: ReadonlyMap<string, Word>
  /** The table's chain in which the rule stands, for targets whose meaning depends on it. */
  readonly chain: string
}

/** The steps that a target extension takes; undefined: not a known target. Names as in iptables-extensions(8). */
export const stepsOfTarget = (target: TargetWords): readonly Step[] | undefined => (Object.hasOwn(TARGETS, target.name) ? TARGETS[target.name]?.(target) : undefined)

type Target = (target: TargetWords) => readonly Step[]

const note = (what: string, isUnmodelled = false): Step => ({ kind: 'note', what, isUnmodelled })
const unmodelled = (what: string): Step => ({ kind: 'unmodelled', what })

const quiet: Target = ({ name }) => [note(name)]
const outside: Target = ({ name }) => [note(name, true)]

const TARGETS: Readonly<Record<string, Target>> = {
  ACCEPT: () => [{ kind: 'accept' }],
  DROP: () => [{ kind: 'drop' }],
  RETURN: () => [{ kind: 'return' }],
  REJECT: ({ options }) => [{ kind: 'reject', with: /tcp-reset|tcp-rst/.test(options.get('--reject-with')?.text ?? '') ? 'tcp-reset' : 'icmp' }],
  QUEUE: () => [{ kind: 'queue', number: 0, isBypass: false }],
  NFQUEUE: ({ options }) => [{ kind: 'queue', number: numberOf(options.get('--queue-num')), isBypass: options.has('--queue-bypass') }],
  MARK: ({ options }) => [markStep(options)],
  CONNMARK: ({ options }) => [connmarkStep(options)],
  NOTRACK: () => [{ kind: 'notrack' }],
  CT: ({ options }) => [options.has('--notrack') ? { kind: 'notrack' } : note('CT', options.has('--zone') || options.has('--zone-orig'))],
  DNAT: ({ options }) => [{ kind: 'nat', change: 'dnat', target: destination(options.get('--to-destination')) }],
  REDIRECT: ({ options }) => [{ kind: 'nat', change: 'redirect', target: portsOnly(options.get('--to-ports')) }],
  SNAT: () => [{ kind: 'nat', change: 'snat', target: { kind: 'none' } }],
  MASQUERADE: () => [{ kind: 'nat', change: 'masquerade', target: { kind: 'none' } }],
  NETMAP: ({ chain }) => [chain === 'POSTROUTING' || chain === 'INPUT' ? { kind: 'nat', change: 'snat', target: { kind: 'none' } } : { kind: 'nat', change: 'dnat', target: { kind: 'unknown', what: 'NETMAP' } }],
  LOG: quiet,
  NFLOG: quiet,
  ULOG: quiet,
  TRACE: quiet,
  AUDIT: quiet,
  TCPMSS: quiet,
  TCPOPTSTRIP: quiet,
  CLASSIFY: quiet,
  CHECKSUM: quiet,
  TOS: quiet,
  DSCP: quiet,
  ECN: quiet,
  TTL: quiet,
  HL: quiet,
  SECMARK: quiet,
  CONNSECMARK: quiet,
  RATEEST: quiet,
  LED: quiet,
  IDLETIMER: quiet,
  SET: outside,
  TEE: outside,
  TPROXY: ({ name }) => [unmodelled(name)],
  SYNPROXY: ({ name }) => [unmodelled(name)],
  CLUSTERIP: ({ name }) => [unmodelled(name)],
}

/** For tests that everything is tried. */
export const TARGET_NAMES: readonly string[] = Object.keys(TARGETS)

const numberOf = (word: Word | undefined): number => (word ? Number(readNumber(word, 65_535)) : 0)

/** The arithmetic is that of xt_mark: new = (old & ~mask) ^ value, with the shorthands of iptables-extensions(8). */
function markStep(options: ReadonlyMap<string, Word>): Step {
  for (const [name, word] of options) {
    const { value, mask } = readMasked(word)
    const bits = MARK_BITS[name]?.(value, mask)
    if (bits) return { kind: 'set-mark', field: 'mark', ...bits }
  }
  return { kind: 'set-mark', field: 'mark', keep: 0n, flip: 0n, isUnknown: true }
}

const MARK_BITS: Readonly<Record<string, (value: bigint, mask: bigint) => { keep: bigint; flip: bigint }>> = {
  '--set-xmark': (value, mask) => ({ keep: ALL & ~mask, flip: value }),
  '--set-mark': (value, mask) => ({ keep: ALL & ~(value | mask), flip: value }),
  '--and-mark': (value) => ({ keep: value, flip: 0n }),
  '--or-mark': (value) => ({ keep: ALL & ~value, flip: value }),
  '--xor-mark': (value) => ({ keep: ALL, flip: value }),
}

/** Saving or restoring under two masks at once mixes both marks and is not expressible: unknown. */
function connmarkStep(options: ReadonlyMap<string, Word>): Step {
  const isSaving = options.has('--save-mark')
  const isRestoring = options.has('--restore-mark')
  if (!isSaving && !isRestoring) return { ...markStep(options), field: 'ctMark' } as Step
  const mask = (name: string): bigint => {
    const word = options.get(name) ?? options.get('--mask')
    return word ? readNumber(word, ALL) : ALL
  }
  const [read, written] = isSaving ? [mask('--nfmask'), mask('--ctmask')] : [mask('--ctmask'), mask('--nfmask')]
  const fields = isSaving ? ({ field: 'ctMark', copyFrom: 'mark' } as const) : ({ field: 'mark', copyFrom: 'ctMark' } as const)
  return { kind: 'set-mark', ...fields, keep: read, flip: 0n, ...(written === ALL ? {} : { isUnknown: true }) }
}

function portsOnly(word: Word | undefined): NatTarget {
  return word ? { kind: 'to', to: { ports: readPorts(word) } } : { kind: 'none' }
}

/** `192.0.2.1`, `192.0.2.1-192.0.2.9:80-90`, `[2001:db8::1]:80`, `:80`; a further `/base` shifts ports and is not modelled. */
function destination(word: Word | undefined): NatTarget {
  if (!word) return { kind: 'unknown', what: 'DNAT' }
  const match = /^(?:\[([^\]]+)\]|([0-9.]+(?:-[0-9.]+)?)|([0-9a-fA-F:]+(?:-[0-9a-fA-F:]+)?))?(?::([0-9-]+(?:\/[0-9]+)?))?$/.exec(word.text)
  if (!match) throw notA(word, 'a destination', '目标地址')
  const addresses = match[1] ?? match[2] ?? match[3]
  if (match[4]?.includes('/')) return { kind: 'unknown', what: `DNAT ${word.text}` }
  const to: NatAddress = {
    ...(addresses ? { addresses: readAddressRange({ ...word, text: addresses }) } : {}),
    ...(match[4] ? { ports: readPorts({ ...word, text: match[4] }) } : {}),
  }
  return { kind: 'to', to }
}

function readPorts(word: Word): PortRange {
  const { first, last } = readRange(word, 65_535, '-')
  return { first: Number(first), last: Number(last) }
}

function readAddressRange(word: Word): { first: Address; last: Address } {
  const [first = '', last = first] = word.text.split('-')
  const [low, high] = [parseAddress(first), parseAddress(last)]
  if (!low.ok || !high.ok || low.value.value > high.value.value) throw notA(word, 'an address or a range of addresses', '地址或地址范围')
  return { first: low.value, last: high.value }
}
