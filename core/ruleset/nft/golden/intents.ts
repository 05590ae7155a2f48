import { parsePortRange } from '../../../net/port.ts'
import { ANY_IPV4, ANY_IPV6, parsePrefix, type Prefix } from '../../../net/prefix.ts'
import { isTransportProtocol } from '../../../net/protocol.ts'
import type { Result } from '../../../fault/fault.ts'
import type { Grant, Intent } from '../../../policy/intent.ts'

/** The intents whose text is kept beside this file and read by eye, and the shorthand that tests write intents in. */
export const GOLDEN_INTENTS: Readonly<Record<string, Intent>> = {
  // Nothing but the way back.
  'management-only': intentOf({}),
  'any-only': intentOf({ grants: ['tcp 80 any', 'tcp 443 any', 'udp 443 any', 'udp 53 0.0.0.0/0', 'tcp 853 ::/0'] }),
  mixed: intentOf({
    ping: true,
    grants: ['tcp 443 any', 'tcp 5432 10.1.0.7', 'tcp 5432 10.2.0.0/16', 'tcp 5432 fd00::7', 'sctp 3868 10.3.0.9', 'udp 514 fd00:1::/64'],
  }),
  reject: intentOf({ refusal: 'reject', ping: true, grants: ['tcp 22 any'] }),
  observe: intentOf({ mode: 'observe', ping: true, grants: ['tcp 22 any', 'udp 123 10.0.0.0/8'] }),
  // Overlaps in both dimensions, neighbours that join, a whole network beside a part of it, more than a line of elements.
  'ranges-and-prefixes': intentOf({
    management: ['tcp 22 10.0.0.0/25', 'tcp 22 10.0.0.128/25', 'tcp 2222-2223 fd00:ff::/64', 'tcp 22 192.0.2.1'],
    grants: [
      'udp 60000-61000 any',
      'tcp 8000-8100 10.0.0.0/8',
      'tcp 8050-8200 10.64.0.0/10',
      'tcp 8080 any',
      'tcp 30000-32767 fd00::/48',
      'tcp 9000 10.0.0.0/25',
      'tcp 9000 10.0.0.128/25',
      'tcp 9001 10.0.0.0/24',
      ...Array.from({ length: 60 }, (_, index) => `udp 161 10.${index}.0.1`),
    ],
  }),
}

export interface IntentShorthand extends Partial<Omit<Intent, 'grants' | 'management'>> {
  /** `tcp 443 any`, `udp 60000-61000 10.0.0.0/8`: protocol, ports, source. */
  readonly grants?: readonly string[]
  readonly management?: readonly string[]
}

/** Throws for a shorthand that does not parse. */
export function intentOf({ grants = [], management = ['tcp 22 10.0.0.0/24', 'tcp 22 fd00::/64'], ...rest }: IntentShorthand): Intent {
  return {
    host: 'web-1',
    generation: 7,
    mode: 'enforce',
    refusal: 'drop',
    ping: false,
    ...rest,
    grants: grants.flatMap(grantsOf),
    management: management.flatMap(grantsOf),
  }
}

function grantsOf(text: string): Grant[] {
  const [protocol = '', ports = '', source = ''] = text.split(' ')
  if (!isTransportProtocol(protocol)) throw new Error(`${text}: no such protocol`)
  const range = valid(parsePortRange(ports))
  return sourcesOf(source).map((from) => ({ protocol, ports: range, from, needs: [text] }))
}

function sourcesOf(text: string): Prefix[] {
  return text === 'any' ? [ANY_IPV4, ANY_IPV6] : [valid(parsePrefix(text))]
}

function valid<T>(result: Result<T>): T {
  if (!result.ok) throw new Error(result.faults.map((fault) => fault.what.en).join('; '))
  return result.value
}
