import type { LabHost } from '@portcullis/lab/host.ts'
import { ALLOWED_PORT, FORBIDDEN_PORT } from './ports.ts'

export interface Packets {
  readonly allowed: number
  readonly forbidden: number
}

export interface Metered {
  readonly arrived: Packets
  readonly passed: Packets
}

/**
 * Counts in the kernel, before and behind everything else that looks at a packet. What passes ends there: nobody answers, so
 * that every packet is the first of its flow for the firewall between the two.
 */
export const layMeters = (host: LabHost): Promise<string> => host.must(['nft', '-f', '-'], { input: RULES })

export const resetMeters = (host: LabHost): Promise<string> => host.must(['nft', 'reset', 'counters', 'table', 'inet', 'gauge'])

export async function readMeters(host: LabHost): Promise<Metered> {
  const listing = await host.must(['nft', 'list', 'counters', 'table', 'inet', 'gauge'])
  const of = (name: string): number => Number(new RegExp(`counter ${name} \\{\\s*packets (\\d+)`).exec(listing)?.[1])
  return {
    arrived: { allowed: of('arrived_allowed'), forbidden: of('arrived_forbidden') },
    passed: { allowed: of('passed_allowed'), forbidden: of('passed_forbidden') },
  }
}

const RULES = `table inet gauge {
	counter arrived_allowed { }
	counter arrived_forbidden { }
	counter passed_allowed { }
	counter passed_forbidden { }
	chain arrived {
		type filter hook prerouting priority -450; policy accept;
		udp dport ${ALLOWED_PORT} counter name arrived_allowed
		udp dport ${FORBIDDEN_PORT} counter name arrived_forbidden
	}
	chain passed {
		type filter hook input priority 300; policy accept;
		udp dport ${ALLOWED_PORT} counter name passed_allowed drop
		udp dport ${FORBIDDEN_PORT} counter name passed_forbidden drop
	}
}
`
