import type { Text } from '@portcullis/core/fault/fault.ts'
import type { RolloutOutcome, RolloutPhase, RolloutState } from '@portcullis/core/rollout/rollout.ts'
import type { TaskRecord } from '@portcullis/lab/clients/workload.ts'
import { isTaskOf } from '@portcullis/lab/demo/uses.ts'
import type { ReceivedAlert } from '@portcullis/lab/rollout/receiver.ts'
import { RECEIVER } from './alertPost.ts'
import { round } from './progress.ts'
import type { SecondAct } from './secondAct.ts'

/** The second act in figures. */
export interface DemoRollouts {
  /** The need that the first policy leaves out. */
  readonly forgotten: string
  readonly first: PutBackRollout
  readonly alert: ToldAlert
  readonly second: DoneRollout
  /** Tripped, put back and told as it has to be; then completed, core hosts last and after a person's word. */
  readonly asPromised: boolean
}

export interface PutBackRollout {
  readonly id: string
  readonly outcome?: RolloutOutcome
  readonly canary: readonly string[]
  /** Why it tripped. */
  readonly because: readonly Text[]
  /** From the beginning of the change to the gate's verdict. */
  readonly tripSeconds: number
  /** From the verdict to the last host that has its old rules again. */
  readonly putBackSeconds: number
  readonly hostsPutBack: number
  /** For how long clients could not use the forgotten service: the longest. */
  readonly interruptedSeconds: number
  readonly seconds: number
}

export interface ToldAlert {
  readonly receiver: string
  readonly title: Text
  readonly isSigned: boolean
  /** How often it came; once is right. */
  readonly times: number
  /** From the verdict. */
  readonly seconds: number
}

export interface DoneRollout {
  readonly id: string
  readonly outcome?: RolloutOutcome
  readonly waves: RolloutState['waves']
  readonly coreApprovedBy?: string
  readonly hostsChanged: number
  readonly seconds: number
}

export function summariseRollouts(act: SecondAct, records: readonly TaskRecord[]): DemoRollouts {
  const told = { forgotten: act.forgotten.id, first: putBack(act, records), alert: alertOf(act), second: done(act.second) }
  return { ...told, asPromised: isAsPromised(told) }
}

function isAsPromised({ first, alert, second }: Omit<DemoRollouts, 'asPromised'>): boolean {
  const isPutBack = first.outcome === 'reverted' && first.because.length > 0 && first.hostsPutBack === first.canary.length
  const isTold = alert.isSigned && alert.times === 1
  const isDone = second.outcome === 'completed' && second.waves.at(-1)?.kind === 'core' && second.coreApprovedBy !== undefined
  return isPutBack && isTold && isDone && second.hostsChanged === second.waves.flatMap(({ hosts }) => hosts).length
}

function putBack(act: SecondAct, records: readonly TaskRecord[]): PutBackRollout {
  const { first } = act
  const { trip, begun, ended = begun } = first
  const lost = records.flatMap((record) => interruptionsIn(act, record)).map(({ startedAt, endedAt }) => endedAt - startedAt)
  return {
    id: first.id,
    ...(first.outcome ? { outcome: first.outcome } : {}),
    canary: first.waves[0]?.hosts ?? [],
    because: trip?.because ?? [],
    tripSeconds: trip ? inSeconds(trip.at - (stageOf(first, 'applying')?.from ?? begun)) : 0,
    putBackSeconds: trip ? inSeconds((stageOf(first, 'reverting')?.until ?? ended) - trip.at) : 0,
    hostsPutBack: Object.values(first.hosts).filter(({ phase }) => phase === 'reverted').length,
    interruptedSeconds: inSeconds(Math.max(0, ...lost)),
    seconds: inSeconds(ended - begun),
  }
}

const stageOf = ({ stages }: RolloutState, phase: RolloutPhase): RolloutState['stages'][number] | undefined => stages.find((stage) => stage.phase === phase)

function alertOf({ first, alerts }: SecondAct): ToldAlert {
  const ours = alerts.filter(({ id }) => id === `${first.id}/tripped`)
  const title = ours[0]?.title ?? { en: 'nothing came', zh: '未收到' }
  const seconds = ours[0] && first.trip ? inSeconds(ours[0].at - first.trip.at) : 0
  return { receiver: RECEIVER, title, isSigned: ours.length > 0 && ours.every((one: ReceivedAlert) => one.isSigned), times: ours.length, seconds }
}

const done = ({ id, outcome, waves, coreApproval, hosts, begun, ended = begun }: RolloutState): DoneRollout => ({
  id,
  ...(outcome ? { outcome } : {}),
  waves,
  ...(coreApproval ? { coreApprovedBy: coreApproval.by } : {}),
  hostsChanged: Object.values(hosts).filter(({ phase }) => phase === 'changed').length,
  seconds: inSeconds(ended - begun),
})

const inSeconds = (ms: number): number => round(ms / 1000)

/**
 * Interruptions that the first rollout was to bring: of the forgotten service, while that rollout went on. A client comes
 * every few seconds, and waits for a handshake that was dropped until TCP tries again.
 */
export function interruptionsIn({ forgotten, first }: SecondAct, record: TaskRecord): TaskRecord['interruptions'] {
  if (!isTaskOf(forgotten, record)) return []
  const [from, until] = [first.begun - CLIENT_MS_MAX, (first.ended ?? first.begun) + CLIENT_MS_MAX]
  return record.interruptions.filter(({ startedAt, endedAt }) => startedAt >= from && endedAt <= until)
}

const CLIENT_MS_MAX = 20_000
