import { fail, succeed, type Fault, type Result } from '@portcullis/core/fault/fault.ts'
import { guardStart, type StartRules } from '@portcullis/core/plan/approval.ts'
import { canonicalJson, type Json } from '@portcullis/core/plan/canonicalJson.ts'
import { readIntent, writeIntent } from '@portcullis/core/plan/intentText.ts'
import type { ChangeKind, ChangePlan, EndpointChange, HostPlan } from '@portcullis/core/plan/plan.ts'
import { isSealed, vetoed } from '@portcullis/core/plan/seal.ts'
import type { Intent } from '@portcullis/core/policy/intent.ts'
import type { Host } from '@portcullis/core/policy/policy.ts'
import type { Gate } from '@portcullis/core/rollout/gate.ts'
import { beginRollout } from '@portcullis/core/rollout/next.ts'
import type { RolloutOptions } from '@portcullis/core/rollout/rollout.ts'
import { planWaves, type WaveHost, type WaveOptions } from '@portcullis/core/rollout/waves.ts'
import { brokenSeal, hostUnknown } from './planFault.ts'
import type { NewRolloutRecord } from './rolloutStore.ts'
import type { RolloutWorld } from './rolloutWorld.ts'

export interface StartOptions {
  readonly options: RolloutOptions
  readonly waves: WaveOptions
  readonly gates: readonly Gate[]
  readonly by: string
  readonly rules: StartRules
}

/**
 * Makes a rollout of a sealed plan, with the way back of every host sealed beside it, and changes nothing yet.
 * Faults: PLAN_BROKEN_SEAL, PLAN_HOST_UNKNOWN, PLAN_VETO, ROLLOUT_NO_WAY_BACK, ROLLOUT_RUNNING.
 */
export async function startRollout(world: RolloutWorld, plan: ChangePlan, fleet: readonly Host[], start: StartOptions): Promise<Result<NewRolloutRecord>> {
  if (!isSealed(plan, world.digest)) return fail(brokenSeal(plan.id))
  const known = new Map(fleet.map((host) => [host.name, host]))
  const unknown = plan.hosts.filter(({ host }) => !known.has(host))
  if (unknown.length > 0) return fail(...unknown.map(({ host }) => hostUnknown(host)))
  const vetoes = guardStart({ plan, approvals: await world.rollouts.approvals(plan.id), rules: start.rules, now: world.clock.now() })
  if (vetoes.length > 0) return fail(...vetoes.map(vetoed))
  const wayBack = await sealWayBack(world, plan)
  if (!wayBack.ok) return wayBack
  const hosts = plan.hosts.map(({ host }) => waveHost(known.get(host) as Host))
  const at = world.clock.now()
  const id = world.random.uuid()
  const state = beginRollout({ id, plan: plan.id, options: start.options, gates: start.gates, waves: planWaves(hosts, start.waves), hosts, changes: plan.hosts }, at)
  const record = { id, created: at, by: start.by, plan: plan.id, wayBack: wayBack.value, state }
  return (await world.rollouts.create(record)) ? succeed(record) : fail(await running(world))
}

/** Replicas are known by their label `app`, else by `role`; a host without either stands alone. */
const waveHost = ({ name, tier, labels }: Host): WaveHost => ({ name, tier, app: labels.app ?? labels.role ?? name, zone: labels.zone ?? labels.site ?? '' })

/**
 * The plan that takes this one back: each host gets what it had before as the generation after. Before its first
 * generation a host denied nothing: it then gets the same grants in observe mode, which denies nothing either.
 */
export async function sealWayBack(world: RolloutWorld, plan: ChangePlan): Promise<Result<ChangePlan>> {
  const hosts: HostPlan[] = []
  const faults: Fault[] = []
  for (const forward of plan.hosts) {
    const back = await backOf(world, forward)
    if (back.ok) hosts.push(back.value)
    else faults.push(...back.faults)
  }
  if (faults.length > 0) return fail(...faults)
  const cause = { kind: 'rollback' as const, of: plan.id, to: plan.hosts.map(({ host, baseGeneration }) => ({ host, generation: baseGeneration })) }
  const body: Omit<ChangePlan, 'id'> = { format: 1, parent: plan.id, created: world.clock.now(), policy: plan.policy, cause, hosts, unchanged: [], findings: [] }
  return succeed({ ...body, id: world.digest(canonicalJson(body as unknown as Json)) })
}

async function backOf(world: RolloutWorld, forward: HostPlan): Promise<Result<HostPlan>> {
  const earlier = await earlierIntent(world, forward)
  if (!earlier.ok) return earlier
  const intent: Intent = { ...earlier.value, generation: forward.generation + 1 }
  const text = world.rules.render(intent)
  const comparison = world.rules.compare(intent, text)
  if (comparison.kind !== 'equal') return fail(noWayBack(forward.host, { en: 'its earlier rules cannot be rendered any more', zh: '无法再生成其先前的规则' }))
  // What goes back lets its flows in again: none is cut on the way.
  const { endings: _, ...change } = forward
  return succeed({
    ...change,
    baseGeneration: forward.generation,
    generation: forward.generation + 1,
    rulesetDigest: world.digest(text),
    verification: { kind: 'equal', by: comparison.by },
    intent: writeIntent(intent),
    changes: forward.changes.map(inverse),
    flows: [],
    findings: [],
  })
}

async function earlierIntent(world: RolloutWorld, { host, baseGeneration, intent }: HostPlan): Promise<Result<Intent>> {
  if (baseGeneration === 0) return readIntent({ ...intent, mode: 'observe' })
  const kept = (await world.store.generations(host, GENERATIONS_KEPT)).find((one) => one.generation === baseGeneration)
  return kept ? readIntent(kept.intent) : fail(noWayBack(host, { en: `generation ${baseGeneration} was confirmed by another controller`, zh: `第 ${baseGeneration} 代由其他控制端确认` }))
}

const GENERATIONS_KEPT = 100

const INVERSE: Readonly<Record<ChangeKind, ChangeKind>> = { closes: 'opens', opens: 'closes', narrows: 'widens', widens: 'narrows', moves: 'moves', stays: 'stays' }

const inverse = ({ kind, protocol, ports, listener, before, after, needs }: EndpointChange): EndpointChange => ({
  kind: INVERSE[kind],
  protocol,
  ports,
  ...(listener === undefined ? {} : { listener }),
  before: after,
  after: before,
  needs,
})

async function running(world: RolloutWorld): Promise<Fault> {
  const active = await world.rollouts.active()
  const id = active?.id.slice(0, 8) ?? ''
  return {
    code: 'ROLLOUT_RUNNING',
    what: { en: `rollout ${id} is not over yet`, zh: `发布 ${id} 尚未结束` },
    next: { en: 'portcullis rollout status; portcullis rollout resume carries it on', zh: '请查看 portcullis rollout status；用 portcullis rollout resume 继续' },
  }
}

const noWayBack = (host: string, because: Fault['what']): Fault => ({
  code: 'ROLLOUT_NO_WAY_BACK',
  what: { en: `${host} could not be put back: ${because.en}`, zh: `${host} 将无法恢复：${because.zh}` },
  next: { en: 'nothing was begun; apply a plan to this host first', zh: '未开始任何操作；请先对该主机单独应用一个计划' },
})
