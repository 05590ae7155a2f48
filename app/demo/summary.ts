import type { Family } from '@portcullis/core/net/address.ts'
import type { TaskRecord } from '@portcullis/lab/clients/workload.ts'
import { isLetIn, needsOf, openAfter } from '@portcullis/lab/demo/expectations.ts'
import { DEMO_NEEDS, LATER_NEED, type DemoNeed } from '@portcullis/lab/demo/needs.ts'
import { hostNamed, type World } from '@portcullis/lab/world.ts'
import { join } from 'node:path'
import { AFTER, BEFORE, TCP_ALL, TCP_KNOWN } from './drills.ts'
import { exposures, zoneExposures, type ZoneExposure } from './exposure.ts'
import { judge, type Expectations, type Surprise } from './judge.ts'
import { serversOf } from './policy.ts'
import { round, type Progress } from './progress.ts'
import { interruptionsIn, summariseRollouts, type DemoRollouts } from './rollouts.ts'
import type { Evidence } from './run.ts'
import type { SecondAct } from './secondAct.ts'
import { planned } from './steps.ts'

/** What `portcullis demo --json` prints; `schemas/demo.schema.json` describes it. */
export interface DemoSummary extends Judged {
  readonly format: 'portcullis-demo'
  readonly version: 1
  /** Every expectation holds. */
  readonly ok: boolean
  /** From the first host to the last check, without taking down. */
  readonly seconds: number
  /** Exposures: an endpoint (address, protocol, port) that can be reached from a zone counts once for each zone. */
  readonly exposedBefore: number
  readonly exposedAfter: number
  readonly zones: readonly ZoneExposure[]
  readonly checked: Checked
  readonly surprises: readonly Surprise[]
  readonly failedUses: readonly FailedUse[]
  readonly interruptions: readonly InterruptedTask[]
  /** The second act; absent where needs were left out of the policy. */
  readonly rollouts?: DemoRollouts
  readonly plan: { readonly id: string; readonly closes: number; readonly narrows: number }
  readonly phases: Progress['phases']
  /** Absolute paths. */
  readonly files: DemoFiles
}

/** The figures that decide. */
export interface Judged {
  /** Managed hosts. */
  readonly hosts: number
  /** Hosts whose kernel enforces exactly the intent, by the comparison for every packet. */
  readonly hostsEqualToIntent: number
  /** Clients' uses of a service, over and over, of which at least one failed; without those that the second act is about. */
  readonly servicesInterrupted: number
  readonly unexpectedlyOpen: number
  readonly unexpectedlyClosed: number
  /** Addresses of which a scan could say nothing. */
  readonly undecided: number
}

export type DemoFiles = Readonly<Record<'matrixBefore' | 'matrixAfter' | 'policy' | 'plan' | 'report', string>>

/** What was asked, so that a reader knows what "closed" stands on. */
export interface Checked {
  /** IPv4 and IPv6 addresses of the managed hosts. */
  readonly addresses: number
  readonly tcpBefore: string
  readonly udpBefore: string
  /** From the clients' zones and from outside; from servers' own zones it is `tcpBefore`. */
  readonly tcpAfter: string
  readonly udpAfter: string
  readonly probes: number
  readonly needs: number
  /** What clients use over and over: each client, need, host and family. */
  readonly services: number
  readonly uses: number
}

export interface FailedUse {
  readonly need: string
  readonly client: string
  readonly host: string
  readonly family: Family
  readonly kind: string
  readonly because: string
}

export type InterruptedTask = Pick<TaskRecord, 'name' | 'uses' | 'failures' | 'interruptions'>

/** Judges what was seen against what the world and its needs promise: nothing in it comes from the policy or the hosts. */
export function summarise(evidence: Evidence, phases: Progress['phases'], folder: string): DemoSummary {
  const { lab, before, after, drifts, failedUses, plan, act } = evidence
  const surprises = judge(expectations(evidence), after.lines)
  const records = evidence.records.map((record) => (act ? withoutTheActs(act, record) : record))
  const interrupted = records.filter((record) => record.interruptions.length > 0)
  const rollouts = act ? summariseRollouts(act, evidence.records) : undefined
  const judged: Judged = {
    hosts: serversOf(lab.world).length,
    hostsEqualToIntent: drifts.filter(({ kind }) => kind === 'same').length,
    servicesInterrupted: interrupted.length,
    unexpectedlyOpen: surprises.filter(({ kind }) => kind === 'open').length,
    unexpectedlyClosed: surprises.filter(({ kind }) => kind === 'closed').length + failedUses.length,
    undecided: surprises.filter(({ kind }) => kind === 'unknown').length,
  }
  return {
    format: 'portcullis-demo',
    version: 1,
    ok: isAsPromised(judged) && rollouts?.asPromised !== false,
    seconds: round(evidence.seconds),
    ...judged,
    exposedBefore: exposures(before.lines),
    exposedAfter: exposures(after.lines),
    zones: zoneExposures(before.lines, after.lines),
    checked: checkedOf(evidence),
    surprises,
    failedUses,
    interruptions: interrupted.map(({ name, uses, failures, interruptions }) => ({ name, uses, failures, interruptions })),
    ...(rollouts ? { rollouts } : {}),
    plan: { id: plan.id, ...planned(plan) },
    phases,
    files: filesIn(folder),
  }
}

const withoutTheActs = (act: SecondAct, record: TaskRecord): TaskRecord => ({ ...record, interruptions: record.interruptions.filter((one) => !interruptionsIn(act, record).includes(one)) })

/** Whether nothing at all contradicts what was promised. */
export const isAsPromised = (judged: Judged): boolean =>
  judged.unexpectedlyOpen + judged.unexpectedlyClosed + judged.undecided + judged.servicesInterrupted === 0 &&
  judged.hosts > 0 &&
  judged.hostsEqualToIntent === judged.hosts

const expectations = ({ lab: { world }, act }: Evidence): Expectations => expectationsOf(world, act ? [...DEMO_NEEDS, LATER_NEED] : DEMO_NEEDS)

const expectationsOf = (world: World, needs: readonly DemoNeed[]): Expectations => ({
  lines: openAfter(world, needs),
  isLetIn: (host, port, vantage) => isLetIn(world, needs, host, port, vantage),
  needsOf: (host, port, vantage) => needsOf(needs, hostNamed(world, host), port, hostNamed(world, vantage)).map(({ id }) => id),
})

const checkedOf = ({ lab, before, after, records }: Evidence): Checked => ({
  addresses: serversOf(lab.world).length * 2,
  tcpBefore: TCP_KNOWN,
  udpBefore: BEFORE.udp,
  tcpAfter: TCP_ALL,
  udpAfter: AFTER.udp,
  probes: before.probes + after.probes,
  needs: DEMO_NEEDS.length,
  services: records.length,
  uses: records.reduce((sum, { uses }) => sum + uses, 0),
})

export const filesIn = (folder: string): DemoFiles => ({
  matrixBefore: join(folder, 'matrix-before.json'),
  matrixAfter: join(folder, 'matrix-after.json'),
  policy: join(folder, 'portcullis.yaml'),
  plan: join(folder, 'plan.json'),
  report: join(folder, 'report.html'),
})
