import { fail, succeed, type Fault, type Result } from '@portcullis/core/fault/fault.ts'
import { formatAddress, parseAddress, type Address } from '@portcullis/core/net/address.ts'
import { lastOf, parsePrefix, type Prefix } from '@portcullis/core/net/prefix.ts'

/** A /12 of IPv4. More is a survey of a network, not a scan of a fleet. */
export const TARGETS_MAX = 1_048_576

/** An address to scan. A link-local one only means something together with its interface, the zone (RFC 4007 section 11). */
export interface ScanTarget extends Address {
  readonly zone?: string
}

export const formatTarget = (target: ScanTarget): string => (target.zone === undefined ? formatAddress(target) : `${formatAddress(target)}%${target.zone}`)

/**
 * Reads addresses, link-local ones with their interface (`fe80::1%eth0`), prefixes (`10.0.0.0/24`) and ranges (`10.0.0.1-10.0.0.9`,
 * `10.0.0.1-9`) to distinct addresses, in the order given.
 */
export function parseTargets(inputs: readonly string[]): Result<ScanTarget[]> {
  const faults: Fault[] = []
  const targets = new Map<string, ScanTarget>()
  for (const input of inputs) {
    const range = parseRange(input.trim())
    if (!range.ok) faults.push(...range.faults)
    else if (range.value.last - range.value.first + 1n > BigInt(TARGETS_MAX - targets.size)) return fail(tooMany(input, range.value.family))
    else addRange(range.value, targets)
  }
  if (faults.length > 0) return fail(...faults)
  return targets.size === 0 ? fail(NO_TARGET) : succeed([...targets.values()])
}

interface AddressRange {
  readonly family: 4 | 6
  readonly first: bigint
  readonly last: bigint
  readonly zone?: string
}

function parseRange(input: string): Result<AddressRange> {
  if (NAME.test(input)) return fail(isName(input))
  const zoned = /^([^%]*)%(.*)$/.exec(input)
  const range = zoned ? parseZoned(zoned[1] ?? '', zoned[2] ?? '') : input.includes('-') ? parseFirstAndLast(input) : parseOneOrPrefix(input)
  if (!range.ok) return range
  const { family, first, last, zone } = range.value
  const isSpecial = NOT_ONE_HOST.some((special) => special.family === family && first <= lastOf(special) && last >= special.value)
  if (isSpecial) return fail(notOneHost(input))
  const isLinkLocal = family === 6 && first <= lastOf(LINK_LOCAL) && last >= LINK_LOCAL.value
  return isLinkLocal === (zone !== undefined) ? range : fail(isLinkLocal ? noZone(input) : zoneOfOther(input))
}

/** What looks like a host's name: letters beyond those of a number, and no colon. */
const NAME = /^(?=.*[g-z])[a-z0-9._-]+$/i

/** As the kernel bounds it (IFNAMSIZ); nothing that ip(8) could take for another word. */
const INTERFACE_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,14}$/

function parseZoned(text: string, zone: string): Result<AddressRange> {
  const address = parseAddress(text)
  if (!address.ok) return address
  if (!INTERFACE_NAME.test(zone)) return fail(noZone(text))
  return succeed({ family: address.value.family, first: address.value.value, last: address.value.value, zone })
}

function parseOneOrPrefix(input: string): Result<AddressRange> {
  const prefix = parsePrefix(input)
  return prefix.ok ? succeed({ family: prefix.value.family, first: prefix.value.value, last: lastOf(prefix.value) }) : prefix
}

function parseFirstAndLast(input: string): Result<AddressRange> {
  const [firstText = '', lastText = ''] = input.split('-', 2)
  const first = parseAddress(firstText)
  if (!first.ok) return first
  const last = parseAddress(/^[0-9]{1,3}$/.test(lastText) ? firstText.replace(/[0-9]+$/, lastText) : lastText)
  if (!last.ok) return last
  if (first.value.family !== last.value.family || first.value.value > last.value.value) return fail(badRange(input))
  return succeed({ family: first.value.family, first: first.value.value, last: last.value.value })
}

function addRange({ family, first, last, zone }: AddressRange, targets: Map<string, ScanTarget>): void {
  for (let value = first; value <= last; value++) {
    const target = { family, value, ...(zone === undefined ? {} : { zone }) }
    targets.set(formatTarget(target), target)
  }
}

const LINK_LOCAL: Prefix = { family: 6, value: 0xfe80n << 112n, length: 10 }

/** Unspecified, multicast and limited broadcast addresses (RFC 6890): whoever answers is somebody else, or many. */
const NOT_ONE_HOST: readonly Prefix[] = [
  { family: 4, value: 0n, length: 32 },
  { family: 4, value: 0xe000_0000n, length: 4 },
  { family: 4, value: 0xffff_ffffn, length: 32 },
  { family: 6, value: 0n, length: 128 },
  { family: 6, value: 0xffn << 120n, length: 8 },
]

const NO_TARGET: Fault = {
  code: 'PROBER_NO_TARGET',
  what: { en: 'no address to scan was given', zh: '未给出要扫描的地址' },
}

const isName = (input: string): Fault => ({
  code: 'PROBER_NAME',
  what: { en: `"${input.slice(0, 90)}" is a name; names are not looked up, so that it is certain what is scanned`, zh: `“${input.slice(0, 90)}”是主机名；为确保扫描目标明确，不解析主机名` },
  next: { en: `give its address: getent ahosts ${input.slice(0, 90)}`, zh: `请给出地址：getent ahosts ${input.slice(0, 90)}` },
})

const notOneHost = (input: string): Fault => ({
  code: 'PROBER_NOT_ONE_HOST',
  what: {
    en: `"${input.slice(0, 90)}" holds an address that is no single host's: unspecified, multicast or broadcast`,
    zh: `“${input.slice(0, 90)}”包含不属于单台主机的地址：未指定、组播或广播地址`,
  },
})

const noZone = (input: string): Fault => ({
  code: 'PROBER_NO_ZONE',
  what: { en: `"${input.slice(0, 90)}" is link-local: the same address may stand on every interface`, zh: `“${input.slice(0, 90)}”是链路本地地址：每个接口上都可能有相同的地址` },
  next: { en: 'name the interface of each address: fe80::1%eth0', zh: '请为每个地址指明接口：fe80::1%eth0' },
})

const zoneOfOther = (input: string): Fault => ({
  code: 'PROBER_ZONE',
  what: { en: `"${input.slice(0, 90)}" is not link-local: the routes decide its interface`, zh: `“${input.slice(0, 90)}”不是链路本地地址：其接口由路由决定` },
  next: { en: 'leave out the % and what follows', zh: '请去掉 % 及其后的内容' },
})

const badRange = (input: string): Fault => ({
  code: 'PROBER_RANGE',
  what: { en: `"${input.slice(0, 90)}" is not a range of addresses`, zh: `“${input.slice(0, 90)}”不是地址范围` },
  next: { en: 'write 10.0.0.1-10.0.0.9, first address first', zh: '应写成 10.0.0.1-10.0.0.9，起始地址在前' },
})

const tooMany = (input: string, family: 4 | 6): Fault => ({
  code: 'PROBER_TOO_MANY_TARGETS',
  what: {
    en: `"${input.slice(0, 64)}" makes more than ${TARGETS_MAX} addresses`,
    zh: `“${input.slice(0, 64)}”使地址数超过 ${TARGETS_MAX}`,
  },
  next:
    family === 4
      ? { en: 'name the hosts, or scan the network in parts', zh: '请列出主机，或分段扫描' }
      : { en: 'name the hosts: an IPv6 network is too large to be searched; `ip -6 neighbour` knows those that were heard of', zh: '请列出主机：IPv6 网段过大，无法逐一扫描；ip -6 neighbour 可列出已知邻居' },
})
