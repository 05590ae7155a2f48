import { fail, succeed, type Result } from '../fault/fault.ts'
import { formatPortRange, parsePortRange } from '../net/port.ts'
import { formatPrefix, parsePrefix } from '../net/prefix.ts'
import type { TransportProtocol } from '../net/protocol.ts'
import type { Endings, Grant, Intent } from '../policy/intent.ts'
import type { Mode, Refusal } from '../policy/policy.ts'

/** An intent in the words that people write, free of big numbers: what a plan seals, a store keeps and `--json` prints. */
export interface IntentText {
  readonly host: string
  readonly generation: number
  readonly mode: Mode
  readonly refusal: Refusal
  readonly ping: boolean
  readonly management: readonly GrantText[]
  readonly grants: readonly GrantText[]
  readonly endings?: Endings
}

export interface GrantText {
  readonly protocol: TransportProtocol
  /** `443` or `60000-61000`. */
  readonly ports: string
  /** `192.0.2.0/24`, a lone address, `0.0.0.0/0`. */
  readonly from: string
  readonly needs: readonly string[]
}

export const writeIntent = (intent: Intent): IntentText => ({
  host: intent.host,
  generation: intent.generation,
  mode: intent.mode,
  refusal: intent.refusal,
  ping: intent.ping,
  management: intent.management.map(writeGrant),
  grants: intent.grants.map(writeGrant),
  ...(intent.endings ? { endings: intent.endings } : {}),
})

/** `readIntent(writeIntent(x))` is x. Faults: NET_PORT, NET_ADDRESS, NET_PREFIX_*. */
export function readIntent(text: IntentText): Result<Intent> {
  const management = readGrants(text.management)
  const grants = readGrants(text.grants)
  if (!management.ok) return management
  if (!grants.ok) return grants
  return succeed({ ...text, management: management.value, grants: grants.value })
}

const writeGrant = (grant: Grant): GrantText => ({
  protocol: grant.protocol,
  ports: formatPortRange(grant.ports),
  from: formatPrefix(grant.from),
  needs: grant.needs,
})

function readGrants(texts: readonly GrantText[]): Result<readonly Grant[]> {
  const grants: Grant[] = []
  for (const text of texts) {
    const ports = parsePortRange(text.ports)
    const from = parsePrefix(text.from)
    if (!ports.ok) return fail(...ports.faults)
    if (!from.ok) return fail(...from.faults)
    grants.push({ protocol: text.protocol, ports: ports.value, from: from.value, needs: text.needs })
  }
  return succeed(grants)
}
