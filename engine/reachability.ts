import type { Fault } from '@portcullis/core/fault/fault.ts'
import { formatAddress, type Address } from '@portcullis/core/net/address.ts'
import { grantedTo, hasSource } from '@portcullis/core/plan/sources.ts'
import type { EndpointChange } from '@portcullis/core/plan/plan.ts'
import type { Intent } from '@portcullis/core/policy/intent.ts'
import type { Host } from '@portcullis/core/policy/policy.ts'
import { fanOut } from './fanOut.ts'
import { ownAddress } from './ownAddress.ts'
import type { Cancellation } from './ports.ts'
import type { World } from './world.ts'

/** One TCP port of the host that answered us before the swap, and what the intent says it must do to us afterwards. */
export interface Expectation {
  readonly address: Address
  readonly port: number
  readonly must: 'answer' | 'not-answer'
}

/** A LAN answers within 1 ms and the far side of the earth within 300 ms; a lost SYN is sent again after 1 s (RFC 6298 section 2.1). */
const PROBE_MS_MAX = 1500
const PROBES_AT_ONCE = 16
/** So that a host with thousands of doors does not turn the probe into a scan. */
const PROBES_MAX = 64

/**
 * What answers us now, from where we stand, and what it is to do after the swap. A port that does not answer now tells
 * nothing later and is left out. On the host itself nothing can be probed: loopback is always let in.
 */
export async function expectationsOf(
  world: World,
  host: Host,
  intent: Intent,
  changes: readonly EndpointChange[],
  signal?: Cancellation,
): Promise<readonly Expectation[]> {
  if (host.transport.kind === 'local') return []
  const found = await Promise.all(
    host.addresses.map(async (address) => {
      // At the same time: behind a gate that is silent the control port costs the whole wait.
      const [isOwn, answering] = await Promise.all([isOwnWord(world, address, changes, signal), answeringAt(world, address, intent, changes, signal)])
      return isOwn ? answering : []
    }),
  )
  return found.flat()
}

async function answeringAt(world: World, address: Address, intent: Intent, changes: readonly EndpointChange[], signal?: Cancellation): Promise<Expectation[]> {
  const candidates = await candidatesAt(world, address, intent, changes)
  const answering = await fanOut(candidates.slice(0, PROBES_MAX), PROBES_AT_ONCE, (candidate) => answers(world, candidate, signal))
  return candidates.filter((_, index) => answering[index] === true)
}

/** Faults: PROBE_LOST where something we may use no longer answers, PROBE_STILL_OPEN where something closed to us still does. */
export async function disappointments(
  world: World,
  host: string,
  expectations: readonly Expectation[],
  signal?: Cancellation,
): Promise<readonly Fault[]> {
  const answering = await fanOut(expectations, PROBES_AT_ONCE, (expectation) => answers(world, expectation, signal))
  return expectations.flatMap((expectation, index) => {
    const isMet = (expectation.must === 'answer') === answering[index]
    return isMet ? [] : [disappointment(host, expectation)]
  })
}

/** Ports of old services that hardly a host has: echo, discard, daytime, tcpmux (RFC 862, 863, 867, 1078). */
const CONTROL_PORTS = [1, 7, 9, 13]

/**
 * A transparent proxy on the way answers for every port in the host's name, and then a probe tells nothing about the
 * host. A port that nobody listens on gives it away.
 */
async function isOwnWord(world: World, address: Address, changes: readonly EndpointChange[], signal?: Cancellation): Promise<boolean> {
  const port = CONTROL_PORTS.find((control) => !changes.some((change) => change.ports === String(control)))
  if (port === undefined) return false
  return !(await answers(world, { address, port, must: 'not-answer' }, signal))
}

async function candidatesAt(world: World, address: Address, intent: Intent, changes: readonly EndpointChange[]): Promise<Expectation[]> {
  const source = await ownAddress(world, address)
  if (!source) return []
  const managed = intent.management.filter((grant) => grant.protocol === 'tcp').map((grant) => grant.ports.first)
  const touched = changes.filter((change) => change.protocol === 'tcp' && change.listener !== undefined)
  const ports = new Set([...managed, ...touched.map((change) => Number.parseInt(change.ports, 10))])
  return [...ports].flatMap((port): Expectation[] => {
    const isGranted = hasSource(grantedTo(intent, 'tcp', port), source)
    if (isGranted) return [{ address, port, must: 'answer' }]
    return intent.mode === 'enforce' ? [{ address, port, must: 'not-answer' }] : []
  })
}

async function answers(world: World, { address, port }: Expectation, signal?: Cancellation): Promise<boolean> {
  const outcome = await world.probe.connect({ address: formatAddress(address), port, timeoutMs: PROBE_MS_MAX }, signal)
  return outcome.kind === 'answered'
}

function disappointment(host: string, { address, port, must }: Expectation): Fault {
  const at = `${formatAddress(address)} tcp/${port}`
  return must === 'answer'
    ? {
        code: 'PROBE_LOST',
        what: { en: `${host}: ${at} answered before the swap and is to stay open to us, but no longer answers`, zh: `${host}：${at} 切换前可达且应继续对我们开放，切换后无应答` },
      }
    : {
        code: 'PROBE_STILL_OPEN',
        what: { en: `${host}: ${at} is closed to us by the intent, but still answers`, zh: `${host}：${at} 按意图应对我们关闭，但仍有应答` },
      }
}
