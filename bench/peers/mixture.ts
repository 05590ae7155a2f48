import type { Endpoint } from './endpoint.ts'

/** Of ten endpoints two are open to everyone, two to a network, and six to a single address each. */
const EVERYONE_SHARE = 0.2
const NETWORK_SHARE = 0.2
const NETWORKS = 20
/** Ports that each single address may reach. */
const PORTS_PER_ADDRESS = 60
const PORT_FIRST = 1_024
/** Every third port, so that no two are neighbours and become one range. */
const PORT_STEP = 3

/** Any number of endpoints up to 100,000, in proportions as fleets have them: always the same ones. */
export function mixtureOf(count: number): Endpoint[] {
  const everyone = Math.round(count * EVERYONE_SHARE)
  const networks = Math.round(count * NETWORK_SHARE)
  return [
    ...Array.from({ length: everyone }, (_, index) => ({ ...openingAt(index, 0), from: 'any' })),
    ...Array.from({ length: networks }, (_, index) => ({ ...openingAt(index, 1), from: `10.${index % NETWORKS}.0.0/16` })),
    ...Array.from({ length: count - everyone - networks }, (_, index) => ({ ...openingAt(index % PORTS_PER_ADDRESS, 2), from: addressAt(Math.floor(index / PORTS_PER_ADDRESS)) })),
  ]
}

/** TCP and UDP in turn. */
const openingAt = (index: number, offset: number): Pick<Endpoint, 'protocol' | 'port'> => ({
  protocol: index % 2 ? 'udp' : 'tcp',
  port: PORT_FIRST + (index >> 1) * PORT_STEP + offset,
})

/** Odd ones: no two make a prefix. */
const addressAt = (index: number): string => `172.16.${index >> 7}.${(index % 128) * 2 + 1}`
