import type { FlowObservation, Instant, Observation } from '@portcullis/core/inventory/observation.ts'
import { formatAddress } from '@portcullis/core/net/address.ts'
import { readTrackedFlow, type TrackedFlow } from './conntrackLine.ts'
import { printable } from './printable.ts'
import type { Section } from './section.ts'

/**
 * Reads the section `flows`: live flows to the host, one observation for each source, protocol and port. It is a picture of a moment: a flow that it does not hold may have been, so it never says
 * that a port is unused.
 */
export function readTrackedFlows(host: string, at: Instant, section: Section): Observation[] {
  const flows = new Map<string, FlowObservation>()
  const lost: string[] = []
  for (const [index, line] of section.text.split('\n').entries()) {
    if (line === '# truncated') lost.push('more flows than are listed')
    else if (line !== '') {
      const flow = readTrackedFlow(line)
      if (flow === undefined) lost.push(`line ${section.line + index} of the answer is not understood`)
      else if (flow !== 'other' && !flow.isEnded) join(flows, host, at, flow)
    }
  }
  const evidence = lost.length === 0 ? [] : [{ kind: 'evidence' as const, host, sensor: SENSOR, at, lost: lost.length, because: printable(`connection tracking: ${lost[0]}`) }]
  return [...flows.values(), ...evidence]
}

const SENSOR = 'conntrack'

function join(flows: Map<string, FlowObservation>, host: string, at: Instant, flow: TrackedFlow): void {
  const key = `${flow.protocol} ${flow.port} ${formatAddress(flow.source)}`
  const before = flows.get(key)
  const firstSeen = flow.ageSeconds === undefined ? before?.firstSeen : Math.min(before?.firstSeen ?? at, at - flow.ageSeconds * 1000)
  const bytes = flow.bytes === undefined ? before?.bytes : (before?.bytes ?? 0) + flow.bytes
  flows.set(key, {
    kind: 'flow',
    host,
    sensor: SENSOR,
    at,
    source: flow.source,
    protocol: flow.protocol,
    port: flow.port,
    connections: (before?.connections ?? 0) + 1,
    ...(bytes === undefined ? {} : { bytes }),
    ...(firstSeen === undefined ? {} : { firstSeen }),
    tally: 'snapshot',
    isAnswered: flow.isAnswered || before?.isAnswered === true,
    lastSeen: at,
    verdict: 'accepted',
  })
}
