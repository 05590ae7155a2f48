import { expect, test } from 'vitest'
import type { FlowObservation } from '../../inventory/observation.ts'
import { deniedSample, deniedServed } from './deniedServed.ts'

const flow = (source: number, verdict: FlowObservation['verdict'], connections: number, more: Partial<FlowObservation> = {}): FlowObservation => ({
  kind: 'flow',
  host: 'web-1',
  sensor: 'nft-counters',
  at: 1,
  source: { family: 4, value: BigInt(0x0a00_0000 + source) },
  protocol: 'tcp',
  port: 443,
  connections,
  tally: 'running',
  lastSeen: 1,
  verdict,
  ...more,
})

const cases: readonly [what: string, before: FlowObservation[], after: FlowObservation[], denied: string[]][] = [
  ['nothing before, nothing after', [], [], []],
  ['served before and after', [flow(1, 'accepted', 5)], [flow(1, 'accepted', 9)], []],
  ['served before, denied now', [flow(1, 'accepted', 5)], [flow(1, 'denied', 2)], ['10.0.0.1 443 2']],
  ['never served, denied now', [flow(1, 'accepted', 5)], [flow(2, 'denied', 2)], []],
  ['served on another port', [flow(1, 'accepted', 5, { port: 80 })], [flow(1, 'denied', 2)], []],
  ['served over another protocol', [flow(1, 'accepted', 5, { protocol: 'udp' })], [flow(1, 'denied', 2)], []],
  ['served by another host', [flow(1, 'accepted', 5, { host: 'web-2' })], [flow(1, 'denied', 2)], []],
  ['let through while observing, denied now', [flow(1, 'denied', 5, { isLetThrough: true })], [flow(1, 'denied', 6)], ['10.0.0.1 443 6']],
  ['denied as often as before', [flow(1, 'accepted', 5), flow(1, 'denied', 3)], [flow(1, 'denied', 3)], []],
  ['denied more often than before', [flow(1, 'accepted', 5), flow(1, 'denied', 3)], [flow(1, 'denied', 7)], ['10.0.0.1 443 4']],
  ['the counters began again', [flow(1, 'accepted', 5), flow(1, 'denied', 9)], [flow(1, 'denied', 1)], ['10.0.0.1 443 1']],
  ['would be denied, but is let through', [flow(1, 'accepted', 5)], [flow(1, 'denied', 2, { isLetThrough: true })], []],
  ['a counter that stands at zero was not served', [flow(1, 'accepted', 0)], [flow(1, 'denied', 2)], []],
  ['two of them, sorted', [flow(2, 'accepted', 1), flow(1, 'accepted', 1)], [flow(2, 'denied', 1), flow(1, 'denied', 1)], ['10.0.0.1 443 1', '10.0.0.2 443 1']],
]
test.each(cases)('%s', (_, before, after, denied) => {
  const found = deniedServed(before, after)
  expect(found.map(({ source, port, connections }) => `${source} ${port} ${connections}`)).toEqual(denied)
  expect(deniedSample('web-1', 5, found)).toMatchObject({ host: 'web-1', at: 5, isGood: denied.length === 0, value: denied.length })
})
