import type { Text } from '../fault/fault.ts'
import type { Instant } from '../inventory/observation.ts'
import type { TransportProtocol } from '../net/protocol.ts'
import type { FlowEnd, Tier } from '../policy/policy.ts'
import type { IntentText } from './intentText.ts'

/**
 * A sealed change: what it does to every host, decided once and never changed. Execution has no choices left.
 * It holds plain JSON values only, so that its canonical text, and with it its id, is the same everywhere.
 */
export interface ChangePlan {
  readonly format: 1
  /** SHA-256 in hex of the canonical JSON of every other field. */
  readonly id: string
  /** The plan that was newest when this one was made; absent for the first. */
  readonly parent?: string
  readonly created: Instant
  /** SHA-256 in hex of the policy file's text. */
  readonly policy: string
  /** `change` follows the policy; `rollback` brings an earlier intent back as a new generation. */
  readonly cause: PlanCause
  /** Sorted by host name; only hosts that this plan changes. */
  readonly hosts: readonly HostPlan[]
  /** Hosts whose live ruleset already is the intent, sorted. */
  readonly unchanged: readonly string[]
  /** What guards found about the fleet as a whole. */
  readonly findings: readonly Finding[]
}

export type PlanCause =
  | { readonly kind: 'change' }
  | { readonly kind: 'rollback'; readonly of: string; readonly to: readonly { readonly host: string; readonly generation: number }[] }

export interface HostPlan {
  readonly host: string
  /** Absent in plans of earlier versions. */
  readonly tier?: Tier
  /** The generation that the host had confirmed when the plan was made; 0 where there was none. The host must still have it. */
  readonly baseGeneration: number
  /** One more than the newest that the host or the store knows: whoever comes later loses and has to plan again. */
  readonly generation: number
  /** SHA-256 in hex of the rendered ruleset's text. */
  readonly rulesetDigest: string
  /** How the rendered text compares with the intent. A counterexample is never sealed. */
  readonly verification: Verification
  readonly intent: IntentText
  readonly changes: readonly EndpointChange[]
  readonly needs: readonly NeedReport[]
  readonly flows: readonly AffectedFlow[]
  /** Which flows are cut once the host has confirmed; absent where all that are no longer let in drain. */
  readonly endings?: HostEndings
  readonly evidence: Evidence
  readonly findings: readonly Finding[]
}

/** What becomes of flows that the intent does not let in. A flow that several entries are about gets the gentlest. */
export interface HostEndings {
  /** Of flows that no entry is about. */
  readonly otherwise: FlowEnd
  readonly warnSeconds: number
  /** What the host let in before for needs, and does no longer. */
  readonly granted: readonly EndedGrant[]
}

export interface EndedGrant {
  readonly protocol: TransportProtocol
  readonly ports: string
  readonly from: string
  readonly end: FlowEnd
}

export interface Verification {
  readonly kind: 'equal'
  /** What compared the two: the packet-space engine, for instance. */
  readonly by: string
}

export type ChangeKind = 'closes' | 'narrows' | 'opens' | 'widens' | 'moves' | 'stays'

/** What the intent does to one endpoint that something listens on, or that a grant opens. */
export interface EndpointChange {
  readonly kind: ChangeKind
  readonly protocol: TransportProtocol
  /** `443` or `60000-61000`. */
  readonly ports: string
  /** `process`, `process (unit)` or what a published port hands on to; absent when nothing listens. */
  readonly listener?: string
  /** Sources that reach it before and after, aggregated; both families' `0.0.0.0/0` and `::/0` for anyone. */
  readonly before: readonly string[]
  readonly after: readonly string[]
  /** In observe mode, which denies nothing: what the same grants would do if they were enforced. */
  readonly ifEnforced?: { readonly kind: ChangeKind; readonly after: readonly string[] }
  readonly needs: readonly string[]
}

export interface NeedReport {
  readonly need: string
  readonly state: 'served' | 'partly' | 'unserved'
  /** Its interruption puts a rollout back. */
  readonly isCritical?: true
  /** Ports of the need on this host that nothing listens on: `tcp/443`. */
  readonly silentPorts: readonly string[]
}

/** A client that connects today and that the intent, once enforced, no longer lets in. */
export interface AffectedFlow {
  /** Up when the facts were read; else seen by the counters since the evidence begins. */
  readonly isLive: boolean
  readonly source: string
  readonly protocol: TransportProtocol
  readonly port: number
  readonly connections: number
  readonly since: Instant
  readonly lastSeen: Instant
  /** Of both directions, of the connections that are up; absent where the host does not count them (net.netfilter.nf_conntrack_acct). */
  readonly bytes?: number
  /** What becomes of it; absent where the intent only observes. */
  readonly end?: FlowEnd
}

export interface Evidence {
  /** When the host's facts were read, on the controller's clock. */
  readonly factsAt: Instant
  /** Observations that sensors say they lost. */
  readonly lost: number
  readonly because: readonly string[]
  /** Since when flows to this host were watched; absent where they never were before these facts. */
  readonly since?: Instant
}

/** What a guard found. `veto` forbids the change, `warn` asks for a look. */
export interface Finding {
  /** Stable, upper snake case. */
  readonly guard: string
  readonly level: 'veto' | 'warn'
  readonly host?: string
  readonly because: Text
  readonly until?: Text
}
