import { fail, FaultError, succeed, type Fault, type Result } from '@portcullis/core/fault/fault.ts'
import type { FlowsEnded } from '@portcullis/core/plan/flowEnds.ts'
import { readIntent } from '@portcullis/core/plan/intentText.ts'
import type { ChangePlan, HostPlan } from '@portcullis/core/plan/plan.ts'
import type { Intent } from '@portcullis/core/policy/intent.ts'
import type { Host } from '@portcullis/core/policy/policy.ts'
import { lateConfirm, moved, otherApply, otherRuleset, rendersOtherwise, stopped, unequalLive, unknownOutcome, unreverted, writtenFault } from './applyFault.ts'
import { hostSession, type HeldGeneration, type HostSession } from './hostSession.ts'
import type { Journal } from './journal.ts'
import type { Cancellation, HostLink } from './ports.ts'
import { overLink, reachHost } from './reachHost.ts'
import { disappointments, expectationsOf, type Expectation } from './reachability.ts'
import { tablesDetail } from './foreignTables.ts'
import type { ApplyStep, NewJournalEntry } from './store.ts'
import type { WayBack } from './waysBack.ts'
import type { World } from './world.ts'

/**
 * What became of one host. `refused`: it was left as it was. `reverted`: it has its old ruleset again. `reverting`: it
 * does not answer, and puts its old ruleset back by itself. `unknown`: whether the confirmation arrived is not known; the
 * host is in the new ruleset or goes back to the old one by itself.
 */
export interface HostOutcome {
  readonly host: string
  readonly kind: 'confirmed' | 'refused' | 'reverted' | 'reverting' | 'unknown'
  readonly generation: number
  /** The step at which it ended. */
  readonly step: ApplyStep
  readonly faults: readonly Fault[]
  readonly swapUs?: number
  /** What became of flows that are no longer let in, where the plan cuts any. */
  readonly flows?: FlowsEnded
}

export interface ApplyOptions {
  /** The host reverts by itself unless confirmed within this time of arming. */
  readonly confirmWithinSeconds: number
  readonly signal?: Cancellation
  /** Old rules come back, which were confirmed once: nothing is probed before they are in force, for that takes longer than all the rest. */
  readonly wayBack?: Pick<WayBack, 'switched'>
  /** The ruleset was brought to the host earlier: it is asked for nothing but to switch, which it refuses where anything else is staged. */
  readonly isStaged?: boolean
}

/** Confirmed apply of one host: nothing it does can leave the host between the old ruleset and the new one. Never throws. */
export async function confirmedApply(
  world: World,
  journal: Journal,
  host: Host,
  plan: ChangePlan,
  options: ApplyOptions,
): Promise<HostOutcome> {
  const hostPlan = plan.hosts.find((candidate) => candidate.host === host.name)
  if (!hostPlan) throw new RangeError(`plan ${plan.id} does not change ${host.name}`)
  const attempt = newAttempt(world, journal.about({ host: host.name, plan: plan.id, generation: hostPlan.generation }), host, plan, hostPlan, options)
  try {
    return await runAttempt(attempt)
  } finally {
    await attempt.link?.close().catch(ignoreDeadLink)
  }
}

/** All that one attempt has learnt so far; only this file changes it. */
interface Attempt {
  readonly world: World
  readonly journal: Journal
  readonly host: Host
  readonly plan: ChangePlan
  readonly hostPlan: HostPlan
  readonly options: ApplyOptions
  link?: HostLink
  intent?: Intent
  text?: string
  /** An earlier call has brought it. */
  isStaged?: boolean
  /** On our own clock; from before the call, so that it is never later than the host's own. */
  armedUntilMs?: number
  expectations: readonly Expectation[]
  swapUs?: number
  /** Of the step that is being taken, for the journal. */
  detail?: NewJournalEntry['detail']
}

const newAttempt = (world: World, journal: Journal, host: Host, plan: ChangePlan, hostPlan: HostPlan, options: ApplyOptions): Attempt => ({
  world,
  journal,
  host,
  plan,
  hostPlan,
  options,
  expectations: [],
})

type Step = (attempt: Attempt) => Promise<Result<unknown>>

type Steps = readonly (readonly [ApplyStep, Step])[]

const STEPS: Steps = [
  ['connect', connect],
  ['version', checkBase],
  ['stage', stage],
  ['check', check],
  ['arm', arm],
  ['swap', swap],
  ['verify', verify],
  ['probe', probe],
]

/** Of a ruleset that is staged. Each question costs a host that is to be served again as long as the switch does. */
const STAGED_STEPS: Steps = [
  ['connect', connect],
  ['swap', armAndSwap],
  ['verify', verify],
  ['probe', probe],
]

async function runAttempt(attempt: Attempt): Promise<HostOutcome> {
  for (const [name, step] of attempt.options.isStaged ? STAGED_STEPS : STEPS) {
    const done = await take(attempt, name, step)
    if (!done.ok) return putBack(attempt, name, done.faults)
    if (name === 'swap') await attempt.options.wayBack?.switched()
  }
  const confirmed = await take(attempt, 'confirm', confirm)
  return confirmed.ok ? recordConfirmed(attempt) : settleConfirm(attempt, confirmed.faults)
}

/** Journals the action, does it, journals what came of it. Whatever throws on the way is a fault like any other. */
async function take(attempt: Attempt, name: ApplyStep, step: Step): Promise<Result<unknown>> {
  try {
    if (attempt.options.signal?.aborted) return fail(stopped(attempt.host.name, name))
    await attempt.journal.action(name)
    const done = await step(attempt)
    const fault = done.ok ? undefined : done.faults[0]
    await attempt.journal.signal(name, { ...(fault ? { fault } : {}), ...takeDetail(attempt) })
    return done
  } catch (error) {
    if (attempt.options.signal?.aborted) return fail(stopped(attempt.host.name, name))
    return fail(error instanceof FaultError ? error.fault : writtenFault(attempt.host.name, name, error))
  }
}

function takeDetail(attempt: Attempt): Pick<NewJournalEntry, 'detail'> {
  const { detail } = attempt
  delete attempt.detail
  return detail ? { detail } : {}
}

async function connect(attempt: Attempt): Promise<Result<unknown>> {
  const { world, host, options } = attempt
  const written = options.isStaged ? succeed(undefined) : writeText(attempt)
  if (!written.ok) return written
  const link = await reachHost(world.hosts, host, options.signal)
  if (link.ok) attempt.link = link.value
  return link
}

function writeText(attempt: Attempt): Result<unknown> {
  const { world, host, hostPlan } = attempt
  const intent = intentOf(attempt)
  if (!intent.ok) return intent
  attempt.text = world.rules.render(intent.value)
  return world.digest(attempt.text) === hostPlan.rulesetDigest ? intent : fail(rendersOtherwise(host.name))
}

/** Reading a large one takes milliseconds, which a way back has not before it switches. */
function intentOf(attempt: Attempt): Result<Intent> {
  if (attempt.intent) return succeed(attempt.intent)
  const intent = readIntent(attempt.hostPlan.intent)
  if (intent.ok) attempt.intent = intent.value
  return intent
}

/** The host's own generation decides between two controllers. */
async function checkBase(attempt: Attempt): Promise<Result<unknown>> {
  const { hostPlan, host, options } = attempt
  const version = await sessionOf(attempt).version(options.signal)
  if (!version.ok) return version
  if (version.value.armedSeconds !== undefined) return fail(otherApply(host.name, version.value.armedSeconds))
  const { confirmed, staged } = version.value
  attempt.isStaged = staged?.generation === hostPlan.generation && staged.digest === hostPlan.rulesetDigest
  const generation = confirmed?.generation ?? 0
  return generation === hostPlan.baseGeneration ? version : fail(moved(host.name, hostPlan.baseGeneration, generation))
}

/** What lies there already was checked and rehearsed when it came, and is read again before it is loaded. */
async function stage(attempt: Attempt): Promise<Result<unknown>> {
  if (attempt.isStaged) return succeed(undefined)
  return sessionOf(attempt).stage(heldBy(attempt), attempt.text ?? '', attempt.options.signal)
}

/** That what is staged is ours, and what answers us now, so that the probe has something to compare with. */
async function check(attempt: Attempt): Promise<Result<unknown>> {
  const { world, host, hostPlan, intent, options } = attempt
  const [version, expectations] = await Promise.all([
    attempt.isStaged ? undefined : sessionOf(attempt).version(options.signal),
    intent && !options.wayBack ? expectationsOf(world, host, intent, hostPlan.changes, options.signal) : [],
  ])
  attempt.expectations = expectations
  if (version === undefined) return succeed(undefined)
  if (!version.ok) return version
  if (version.value.armedSeconds !== undefined) return fail(otherApply(host.name, version.value.armedSeconds))
  return version.value.staged?.digest === hostPlan.rulesetDigest ? version : fail(otherRuleset(host.name))
}

async function arm(attempt: Attempt): Promise<Result<unknown>> {
  noteArmed(attempt)
  return sessionOf(attempt).arm(attempt.options.confirmWithinSeconds)
}

function noteArmed(attempt: Attempt): void {
  attempt.armedUntilMs = attempt.world.clock.now() + attempt.options.confirmWithinSeconds * 1000
}

async function swap(attempt: Attempt): Promise<Result<unknown>> {
  const swapped = await switchOver(attempt)
  const isForeign = !swapped.ok && swapped.faults.some(({ code }) => code === 'HOST_NOT_SWAPPED')
  return isForeign ? fail(otherRuleset(attempt.host.name)) : swapped
}

async function armAndSwap(attempt: Attempt): Promise<Result<unknown>> {
  noteArmed(attempt)
  const swapped = await switchOver(attempt, attempt.options.confirmWithinSeconds)
  // Refused before anything was armed.
  if (!swapped.ok && isUnstaged(swapped.faults)) delete attempt.armedUntilMs
  return swapped
}

async function switchOver(attempt: Attempt, armSeconds?: number): Promise<Result<unknown>> {
  const swapped = await sessionOf(attempt).swap(heldBy(attempt), armSeconds)
  if (swapped.ok) attempt.swapUs = swapped.value.durationUs
  return swapped
}

/** The host has something else there than was brought to it, or nothing. */
export const isUnstaged = (faults: readonly Fault[]): boolean => faults.some(({ code }) => code === 'HOST_NOTHING_STAGED' || code === 'HOST_NOT_SWAPPED')

/** What the kernel enforces now, read back and compared; undecided is not equal. What stands beside it is written down, to tell later who changed what. */
async function verify(attempt: Attempt): Promise<Result<unknown>> {
  const { world, host, options } = attempt
  const intent = intentOf(attempt)
  if (!intent.ok) return intent
  const startedMs = world.clock.now()
  const facts = await sessionOf(attempt).facts(options.signal)
  if (!facts.ok) return facts
  const at = world.clock.now()
  const snapshot = { host: host.name, at, durationMs: at - startedMs, text: facts.value }
  const comparison = world.rules.compareLive(intent.value, snapshot)
  if (comparison.kind !== 'equal') return fail(unequalLive(host.name, comparison))
  attempt.detail = tablesDetail(world, snapshot)
  return facts
}

/** The management path by a handshake of its own, which has come through when the script at its other end has greeted us, and every endpoint that answered us before. */
async function probe(attempt: Attempt): Promise<Result<unknown>> {
  const { world, host, expectations, options } = attempt
  const link = await world.hosts.connect(host, options.signal)
  if (!link.ok) return link
  await link.value.close().catch(ignoreDeadLink)
  const faults = await disappointments(world, host.name, expectations, options.signal)
  return faults.length === 0 ? succeed(undefined) : fail(...faults)
}

/** The host answers a confirmation that comes too late with a refusal; one that would come in the last moment is not sent. */
const CONFIRM_MARGIN_MS = 500

async function confirm(attempt: Attempt): Promise<Result<unknown>> {
  const leftMs = (attempt.armedUntilMs ?? 0) - attempt.world.clock.now()
  if (leftMs < CONFIRM_MARGIN_MS) return fail(lateConfirm(attempt.host.name, attempt.options.confirmWithinSeconds))
  return sessionOf(attempt).confirm(attempt.hostPlan.generation)
}

async function recordConfirmed(attempt: Attempt): Promise<HostOutcome> {
  const { world, host, hostPlan, plan } = attempt
  const confirmedAt = world.clock.now()
  const record = { host: host.name, generation: hostPlan.generation, rulesetDigest: hostPlan.rulesetDigest, plan: plan.id, intent: hostPlan.intent, confirmedAt }
  try {
    await world.store.addGeneration(record)
    return outcome(attempt, 'confirmed', 'confirm', [])
  } catch (error) {
    // The host has it all the same; the next observation finds the generation in the stored plan.
    return outcome(attempt, 'confirmed', 'confirm', [writtenFault(host.name, 'confirm', error)])
  }
}

/** A confirmation without an answer may have arrived: only the host knows, so it is asked before anything else is done. */
async function settleConfirm(attempt: Attempt, faults: readonly Fault[]): Promise<HostOutcome> {
  const asked = await askUntil(attempt, async (session) => session.version())
  if (!asked.ok) return outcome(attempt, 'unknown', 'confirm', [...faults, unknownOutcome(attempt.host.name, secondsLeft(attempt))])
  const confirmed = asked.value.confirmed
  if (confirmed?.generation === attempt.hostPlan.generation && confirmed.digest === attempt.hostPlan.rulesetDigest) {
    await attempt.journal.signal('confirm', { detail: { found: true } }).catch(ignoreLostStore)
    return recordConfirmed(attempt)
  }
  return putBack(attempt, 'confirm', faults)
}

/** The way out of every step: from `arm` on the host is told to revert; where it cannot be told, it does so by itself. */
async function putBack(attempt: Attempt, step: ApplyStep, faults: readonly Fault[]): Promise<HostOutcome> {
  const isOthers = faults.some((fault) => fault.code === 'HOST_OTHER_RULESET' || fault.code === 'HOST_OTHER_APPLY')
  if (attempt.armedUntilMs === undefined) return outcome(attempt, 'refused', step, faults)
  // What is live is the other controller's: it confirms it, or the armed revert takes it away.
  if (isOthers) return outcome(attempt, 'reverting', step, faults)
  await attempt.journal.action('revert').catch(ignoreLostStore)
  const reverted = await askUntil(attempt, async (session) => session.revert())
  const fault = reverted.ok ? undefined : unreverted(attempt.host.name, secondsLeft(attempt))
  await attempt.journal.signal('revert', fault ? { fault } : {}).catch(ignoreLostStore)
  return fault ? outcome(attempt, 'reverting', step, [...faults, fault]) : outcome(attempt, 'reverted', step, faults)
}

const RETRY_MS = 500

/** Asks over a new connection, again and again until the armed revert has fired by itself anyway. */
async function askUntil<T>(attempt: Attempt, question: (session: HostSession) => Promise<Result<T>>): Promise<Result<T>> {
  const { world, host } = attempt
  const untilMs = attempt.armedUntilMs ?? 0
  for (;;) {
    const answered = await askOnce(world, host, question)
    if (answered.ok || world.clock.now() + RETRY_MS > untilMs) return answered
    await world.clock.sleep(RETRY_MS)
  }
}

async function askOnce<T>(world: World, host: Host, question: (session: HostSession) => Promise<Result<T>>): Promise<Result<T>> {
  try {
    return await overLink(reachHost(world.hosts, host), question)
  } catch (error) {
    return fail(writtenFault(host.name, 'revert', error))
  }
}

function sessionOf(attempt: Attempt): HostSession {
  if (!attempt.link) throw new RangeError('a step before the connection')
  return hostSession(attempt.link)
}

const heldBy = ({ hostPlan }: Attempt): HeldGeneration => ({ generation: hostPlan.generation, digest: hostPlan.rulesetDigest })

const secondsLeft = ({ armedUntilMs, world }: Attempt): number =>
  Math.max(0, Math.ceil(((armedUntilMs ?? 0) - world.clock.now()) / 1000))

const outcome = (attempt: Attempt, kind: HostOutcome['kind'], step: ApplyStep, faults: readonly Fault[]): HostOutcome => ({
  host: attempt.host.name,
  kind,
  generation: attempt.hostPlan.generation,
  step,
  faults,
  ...(attempt.swapUs === undefined ? {} : { swapUs: attempt.swapUs }),
})

/** Closing a link that is gone already fails, and there is nothing left to close. */
const ignoreDeadLink = (): void => undefined

/** On the way back the host comes first: a store that is gone must not keep it from its old ruleset. */
const ignoreLostStore = (): void => undefined

