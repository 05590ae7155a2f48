import { formatAddress, parseAddress, type Address } from '@portcullis/core/net/address.ts'
import type { World } from './world.ts'

/** The address with which packets to another one leave us. Undefined where there is no route, or nobody can tell. */
export async function ownAddress({ probe }: Pick<World, 'probe'>, towards: Address): Promise<Address | undefined> {
  const text = await probe.sourceTowards?.(formatAddress(towards))
  const address = text === undefined ? undefined : parseAddress(text)
  return address?.ok ? address.value : undefined
}
