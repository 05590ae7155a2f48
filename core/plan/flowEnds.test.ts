import { describe, expect, test } from 'vitest'
import type { FlowObservation } from '../inventory/observation.ts'
import { parseAddress } from '../net/address.ts'
import { parsePortRange } from '../net/port.ts'
import { parsePrefix } from '../net/prefix.ts'
import type { Endings, Grant, Intent } from '../policy/intent.ts'
import { cutSteps, endingsBetween, isCutBy, sortFlows } from './flowEnds.ts'
import { writeIntent } from './intentText.ts'
import type { HostPlan } from './plan.ts'

const value = <T>(result: { ok: true; value: T } | { ok: false }): T => {
  if (!result.ok) throw new Error('malformed test')
  return result.value
}

/** `tcp 443 10.0.0.0/8 need need, udp …` */
const grantsOf = (text: string): Grant[] =>
  text.split(', ').filter(Boolean).map((part) => {
    const [protocol = '', ports = '', from = '', ...needs] = part.split(' ')
    return { protocol: protocol as Grant['protocol'], ports: value(parsePortRange(ports)), from: value(parsePrefix(from)), needs }
  })

/** `*cut-now shop=drain` */
function endingsOf(text: string): Endings | undefined {
  if (text === '') return undefined
  const words = text.split(' ').map((word) => word.split('='))
  return { otherwise: (words[0]?.[0] ?? '').slice(1) as Endings['otherwise'], needs: Object.fromEntries(words.slice(1)) as Endings['needs'], warnSeconds: 60 }
}

const intentOf = (grants: string, endings: string, mode: Intent['mode'] = 'enforce'): Intent => {
  const written = endingsOf(endings)
  return { host: 'h', generation: 2, mode, refusal: 'drop', ping: true, management: grantsOf('tcp 22 10.9.0.0/16'), grants: grantsOf(grants), ...(written ? { endings: written } : {}) }
}

const planOf = (before: Intent | undefined, after: Intent): HostPlan => {
  const endings = endingsBetween(before, after)
  return { host: 'h', intent: writeIntent(after), ...(endings ? { endings } : {}) } as unknown as HostPlan
}

const FLOW: FlowObservation = { kind: 'flow', host: 'h', sensor: 'conntrack', at: 1, source: value(parseAddress('10.1.1.1')), protocol: 'tcp', port: 443, connections: 3, tally: 'snapshot', lastSeen: 1, verdict: 'accepted' }

describe('what becomes of a flow from 10.1.1.1 to tcp/443', () => {
  type Row = readonly [what: string, before: readonly [grants: string, endings: string] | undefined, after: readonly [grants: string, endings: string, mode?: Intent['mode']], end: string, steps: string]
  const SHOP = 'tcp 443 10.0.0.0/8 shop'
  const rows: readonly Row[] = [
    ['let in', [SHOP, '*cut-now'], [SHOP, '*cut-now'], 'stays', 'now'],
    ['nothing is said: it drains', [SHOP, ''], ['', ''], 'drains', ''],
    ['a need that is gone is remembered', [SHOP, '*drain shop=cut-now'], ['', ''], 'cut now', 'now'],
    ['a need that is narrowed has its new word', [SHOP, '*drain shop=cut-now'], ['tcp 443 10.2.0.0/16 shop', '*drain shop=warn-then-cut'], 'cut warned', 'warned'],
    ['two needs: the gentler one counts', ['tcp 443 10.0.0.0/8 shop, tcp 443 10.1.0.0/16 pay', '*drain shop=cut-now pay=warn-then-cut'], ['', ''], 'cut warned', 'now warned'],
    ['one need of a shared grant drains', ['tcp 443 10.0.0.0/8 pay shop', '*drain shop=cut-now'], ['', ''], 'drains', ''],
    ['of no need: the default', undefined, ['', '*cut-now'], 'cut now', 'now'],
    ['a draining need where the default cuts', [SHOP, '*cut-now shop=drain'], ['', '*cut-now'], 'drains', 'now'],
    ['another port of the need does not count', ['tcp 444 10.0.0.0/8 shop', '*drain shop=cut-now'], ['', ''], 'drains', 'now'],
    ['nothing is cut where nothing is denied', [SHOP, '*cut-now'], ['', '*cut-now', 'observe'], 'stays', ''],
  ]
  test.each(rows)('%s', (_, before, after, end, steps) => {
    const plan = planOf(before && intentOf(...before), intentOf(...after))
    const told = (['now', 'warned'] as const).map((step) => sortFlows(plan, step, [FLOW]))
    const [now, warned] = told.map(({ ending, draining }) => (ending.length > 0 ? 'cut' : draining.length > 0 ? 'drains' : 'stays'))
    expect(now === 'cut' ? 'cut now' : warned === 'cut' ? 'cut warned' : now).toBe(end)
    expect(cutSteps(plan).join(' ')).toBe(steps)
    expect(isCutBy(plan)(FLOW)).toBe(end.startsWith('cut'))
  })

  test.each<[what: string, flow: Partial<FlowObservation>]>([
    ['what the host says to itself', { source: value(parseAddress('127.0.0.1')) }],
    ['what was refused', { verdict: 'denied' }],
    ['what is remembered and not alive', { tally: 'running' }],
    ['the way back in', { port: 22, source: value(parseAddress('10.9.0.1')) }],
  ])('%s is never cut', (_, flow) => {
    expect(sortFlows(planOf(undefined, intentOf('', '*cut-now')), 'now', [{ ...FLOW, ...flow }])).toEqual({ ending: [], draining: [] })
  })
})
