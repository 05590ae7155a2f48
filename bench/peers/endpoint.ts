import { createHash } from 'node:crypto'
import { ANY_IPV4, parsePrefix, type Prefix } from '@portcullis/core/net/prefix.ts'
import type { Grant, Intent } from '@portcullis/core/policy/intent.ts'
import { renderNft, type NftRuleset } from '@portcullis/core/ruleset/nft/render.ts'

/** One port that is open: what each firewall is told in its own words. */
export interface Endpoint {
  readonly protocol: 'tcp' | 'udp'
  readonly port: number
  /** An IPv4 prefix, or `any`. */
  readonly from: string
}

export const MANAGEMENT_PORT = 22

/** Every firewall's rules for these endpoints can be compared: IPv4 alone, because iptables would need a second list for IPv6. */
export const intentFor = (endpoints: readonly Endpoint[], generation = 1): Intent => ({
  host: 'bench',
  generation,
  mode: 'enforce',
  refusal: 'drop',
  ping: true,
  management: [{ protocol: 'tcp', ports: { first: MANAGEMENT_PORT, last: MANAGEMENT_PORT }, from: ANY_IPV4, needs: [] }],
  grants: endpoints.map(grantOf),
})

export const rulesetFor = (endpoints: readonly Endpoint[], generation = 1): NftRuleset => renderNft(intentFor(endpoints, generation), { digestOf })

const digestOf = (text: string): string => createHash('sha256').update(text).digest('hex')

const grantOf = ({ protocol, port, from }: Endpoint): Grant => ({
  protocol,
  ports: { first: port, last: port },
  from: prefixOf(from),
  needs: ['bench'],
})

const prefixes = new Map<string, Prefix>([['any', ANY_IPV4]])

function prefixOf(text: string): Prefix {
  const known = prefixes.get(text)
  if (known) return known
  const parsed = parsePrefix(text)
  if (!parsed.ok) throw new Error(parsed.faults[0]?.what.en)
  prefixes.set(text, parsed.value)
  return parsed.value
}
