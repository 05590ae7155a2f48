import { fail, succeed, type Fault, type Result } from '@portcullis/core/fault/fault.ts'
import { formatAddress, parseAddress, type Address } from '@portcullis/core/net/address.ts'
import { lastOf, parsePrefix } from '@portcullis/core/net/prefix.ts'

/** A /12 of IPv4. More is a survey of a network, not a scan of a fleet. */
export const TARGETS_MAX = 1_048_576

/** Reads addresses, prefixes (`10.0.0.0/24`) and ranges (`10.0.0.1-10.0.0.9`, `10.0.0.1-9`) to distinct addresses, in the order given. */
export function parseTargets(inputs: readonly string[]): Result<Address[]> {
  const faults: Fault[] = []
  const addresses = new Map<string, Address>()
  for (const input of inputs) {
    const range = parseRange(input.trim())
    if (!range.ok) faults.push(...range.faults)
    else if (range.value.last - range.value.first + 1n > BigInt(TARGETS_MAX - addresses.size)) return fail(tooMany(input))
    else addRange(range.value, addresses)
  }
  if (faults.length > 0) return fail(...faults)
  return addresses.size === 0 ? fail(NO_TARGET) : succeed([...addresses.values()])
}

interface AddressRange {
  readonly family: 4 | 6
  readonly first: bigint
  readonly last: bigint
}

function parseRange(input: string): Result<AddressRange> {
  if (!input.includes('-')) {
    const prefix = parsePrefix(input)
    if (!prefix.ok) return prefix
    return succeed({ family: prefix.value.family, first: prefix.value.value, last: lastOf(prefix.value) })
  }
  const [firstText = '', lastText = ''] = input.split('-', 2)
  const first = parseAddress(firstText)
  if (!first.ok) return first
  const last = parseAddress(/^[0-9]{1,3}$/.test(lastText) ? firstText.replace(/[0-9]+$/, lastText) : lastText)
  if (!last.ok) return last
  if (first.value.family !== last.value.family || first.value.value > last.value.value) return fail(badRange(input))
  return succeed({ family: first.value.family, first: first.value.value, last: last.value.value })
}

function addRange(range: AddressRange, addresses: Map<string, Address>): void {
  for (let value = range.first; value <= range.last; value++) {
    const address = { family: range.family, value }
    addresses.set(formatAddress(address), address)
  }
}

const NO_TARGET: Fault = {
  code: 'PROBER_NO_TARGET',
  what: { en: 'no address to scan was given', zh: '未给出要扫描的地址' },
}

const badRange = (input: string): Fault => ({
  code: 'PROBER_RANGE',
  what: { en: `"${input.slice(0, 90)}" is not a range of addresses`, zh: `“${input.slice(0, 90)}”不是地址范围` },
  next: { en: 'write 10.0.0.1-10.0.0.9, first address first', zh: '应写成 10.0.0.1-10.0.0.9，起始地址在前' },
})

const tooMany = (input: string): Fault => ({
  code: 'PROBER_TOO_MANY_TARGETS',
  what: {
    en: `"${input.slice(0, 64)}" makes more than ${TARGETS_MAX} addresses`,
    zh: `“${input.slice(0, 64)}”使地址数超过 ${TARGETS_MAX}`,
  },
  next: { en: 'name the hosts, or scan the network in parts', zh: '请列出主机，或分段扫描' },
})
