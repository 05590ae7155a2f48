import type { Text } from '../fault/fault.ts'
import type { Instant } from '../inventory/observation.ts'
import { heldBy } from './promotion.ts'
import type { HostProgress, Rollout, RolloutAlert, RolloutOutcome } from './rollout.ts'

/** Adds what is to be told because of a change. An id names the event and nothing of how it came about, so that it is told once whatever crashes in between. */
export function alertsOf(before: Rollout, after: Rollout, at: Instant): Rollout {
  const changed = after.hosts.changedFrom(before.hosts).flatMap((name): ChangedHost[] => {
    const host = after.hosts.get(name)
    return host ? [{ name, was: before.hosts.get(name), host }] : []
  })
  const events = EVENTS.flatMap((event) => event(before, after, at, changed)).filter((alert) => !after.alerts[alert.id])
  if (events.length === 0) return after
  const added = events.map((alert) => [alert.id, { alert, attempt: 1, isTold: false }] as const)
  return { ...after, alerts: { ...after.alerts, ...Object.fromEntries(added) } }
}

interface ChangedHost {
  readonly name: string
  readonly was: HostProgress | undefined
  readonly host: HostProgress
}

type Event = (before: Rollout, after: Rollout, at: Instant, changed: readonly ChangedHost[]) => RolloutAlert[]

const tripped: Event = (before, after, at) => {
  if (before.trip || !after.trip) return []
  const { trip } = after
  const hosts = after.hosts.inPhase(['reverting'])
  const title: Text = trip.cause === 'asked' ? { en: 'Rollout is put back, as asked', zh: '按要求回退发布' } : { en: 'Rollout tripped; everything it changed is put back', zh: '发布触发回退，已变更的主机正在恢复' }
  return [{ id: `${after.id}/tripped`, at, severity: trip.cause === 'asked' ? 'warning' : 'critical', title, lines: trip.because, hosts }]
}

const held: Event = (_, after, at) => {
  if (after.phase !== 'baking' || after.watchedMs < after.options.bakeSecondsMax * 1000) return []
  const wave = after.waves[after.wave]
  const title: Text = { en: `Wave ${wave?.name ?? ''} is held: it may not be left`, zh: `批次 ${wave?.name ?? ''} 被暂停：不满足放行条件` }
  return [{ id: `${after.id}/held/${after.wave}`, at, severity: 'warning', title, lines: heldBy(after, at), hosts: wave?.hosts ?? [] }]
}

const awaitsApproval: Event = (before, after, at) => {
  if (before.phase === 'approval' || after.phase !== 'approval') return []
  const hosts = after.waves.filter((wave) => wave.kind === 'core').flatMap((wave) => wave.hosts)
  return [{ id: `${after.id}/approval`, at, severity: 'info', title: { en: 'Core hosts wait for approval', zh: '核心主机等待批准' }, lines: [{ en: 'portcullis rollout promote --core', zh: 'portcullis rollout promote --core' }], hosts }]
}

/** Before the first flow is cut, and as soon as the first host of a wave lets its clients in no more. */
const warned: Event = (before, after, at, changed) => {
  const begun = changed.flatMap(({ was, host }) => (was?.phase !== 'changed' && host.phase === 'changed' && host.cut?.steps.includes('warned') ? [host.wave] : []))
  return [...new Set(begun)].flatMap((index): RolloutAlert[] => {
    const hosts = after.hosts.warned(index)
    if (after.alerts[`${after.id}/warned/${index}`] || hosts.some((name) => before.hosts.get(name)?.phase === 'changed')) return []
    const lines = hosts.map((name): Text => {
      const { warnSeconds = 0, clients = [] } = after.hosts.get(name)?.cut ?? {}
      const [en, zh] = clients.length === 0 ? ['nobody when the plan was made', '制定计划时无人在用'] : [clients.join(', '), clients.join('、')]
      return { en: `${name}: cut ${warnSeconds} s after its new rules: ${en}`, zh: `${name}：新规则生效 ${warnSeconds} 秒后切断：${zh}` }
    })
    return [{ id: `${after.id}/warned/${index}`, at, severity: 'warning', title: { en: `Wave ${after.waves[index]?.name ?? ''}: flows that are no longer let in are going to be cut`, zh: `批次 ${after.waves[index]?.name ?? ''}：不再放行的流即将被切断` }, lines, hosts }]
  })
}

/** Told of each host by itself: somebody has to look whether what is closed is still in use. */
const uncut: Event = (_, after, at, changed) =>
  changed.flatMap(({ name, was, host: { cut } }): RolloutAlert[] => {
    if (!cut || cut.steps.length > 0 || was?.cut?.steps.length === 0 || cut.ended.left === 0) return []
    const title: Text =
      cut.ended.left === undefined
        ? { en: `${name}: whether flows that are no longer let in go on is not known`, zh: `${name}：不再放行的流是否仍在继续，结果未知` }
        : { en: `${name}: ${cut.ended.left} flows that are no longer let in go on`, zh: `${name}：仍有 ${cut.ended.left} 条不再放行的流` }
    return [{ id: `${after.id}/uncut/${name}`, at, severity: 'warning', title, lines: cut.fault ? [cut.fault.what] : [], hosts: [name] }]
  })

const hostLeft: Event = (_, after, at, changed) =>
  changed.flatMap(({ name, was, host }): RolloutAlert[] => {
    if (host.phase !== 'left' || was?.phase === 'left') return []
    const title: Text = { en: `${name} could not be put back, or was changed by somebody else: look at it`, zh: `${name} 无法恢复或已被他人变更，请人工检查` }
    return [{ id: `${after.id}/left/${name}`, at, severity: 'critical', title, lines: host.fault ? [host.fault.what] : [], hosts: [name] }]
  })

/** Told while it is still being tried: somebody may have to walk to the machine. */
const hostLate: Event = (_, after, at, changed) =>
  changed.flatMap(({ name, host }): RolloutAlert[] => {
    if (host.phase !== 'reverting' || host.failures < after.options.attemptsMax) return []
    const title: Text = { en: `${name} cannot be put back yet; it is tried again`, zh: `${name} 暂时无法恢复，正在重试` }
    return [{ id: `${after.id}/late/${name}`, at, severity: 'critical', title, lines: host.fault ? [host.fault.what] : [], hosts: [name] }]
  })

const OUTCOMES: Readonly<Record<RolloutOutcome, readonly [RolloutAlert['severity'], Text]>> = {
  completed: ['info', { en: 'Rollout completed', zh: '发布完成' }],
  reverted: ['warning', { en: 'Rollout ended: put back', zh: '发布结束：已回退' }],
  aborted: ['warning', { en: 'Rollout ended: aborted, changed hosts keep their new rules', zh: '发布中止：已变更的主机保留新规则' }],
  incomplete: ['critical', { en: 'Rollout ended, and hosts are left to look at', zh: '发布结束，仍有主机需要人工检查' }],
}

const over: Event = (before, after, at) => {
  if (before.phase === 'ended' || !after.outcome) return []
  const [severity, title] = OUTCOMES[after.outcome]
  return [{ id: `${after.id}/ended`, at, severity, title, lines: after.trip?.because ?? [], hosts: after.hosts.inPhase(['left']) }]
}

const EVENTS: readonly Event[] = [tripped, held, awaitsApproval, warned, uncut, hostLate, hostLeft, over]
