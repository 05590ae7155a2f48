import type { ChangePlan } from '@portcullis/core/plan/plan.ts'
import type { RolloutState } from '@portcullis/core/rollout/rollout.ts'
import type { HostDrift } from '@portcullis/engine/drift.ts'
import type { RolloutEvent } from '@portcullis/engine/rolloutStore.ts'
import { FORGOTTEN_NEED, LATER_NEED, type DemoNeed } from '@portcullis/lab/demo/needs.ts'
import type { ReceivedAlert } from '@portcullis/lab/rollout/receiver.ts'
import { openAlertPost, type AlertPost } from './alertPost.ts'
import { command, writePolicy, type Operator } from './operator.ts'
import type { Progress } from './progress.ts'
import { STEPS } from './steps.ts'

/** What the second act has seen: a rollout of a policy that forgets a need, and one of the policy put right. */
export interface SecondAct {
  readonly forgotten: DemoNeed
  readonly first: RolloutState
  readonly second: RolloutState
  /** All that the receiver got, in order. */
  readonly alerts: readonly ReceivedAlert[]
  /** Of the hosts that were changed, afterwards. */
  readonly drifts: readonly HostDrift[]
}

/** The hosts that it changes. */
export const SECOND_ACT_HOSTS = LATER_NEED.hosts

/** Where the receiver of alerts stands. */
const WATCHER = 'monitor-1'

/**
 * Operations want metrics of some hosts; whoever writes that into the policy drops the monthly batch, which nobody has seen
 * for weeks. Rolled out, put back by itself and told; then put right and rolled out to the end.
 */
export async function playSecondAct(operator: Operator, needs: readonly DemoNeed[], progress: Progress): Promise<SecondAct> {
  const forgotten = needs.find(({ id }) => id === FORGOTTEN_NEED)
  if (!forgotten) throw new RangeError(`no need ${FORGOTTEN_NEED}`)
  const post = await openAlertPost(operator.lab, WATCHER)
  const wanted = [...needs, LATER_NEED]
  const first = await progress.run(STEPS.forgetful, () => rollOut(operator, post, wanted.filter((need) => need !== forgotten)), (state) => STEPS.forgetful.told(state))
  const second = await progress.run(STEPS.amended, (onShare) => rollOut(operator, post, wanted, onShare), (state) => STEPS.amended.told(state))
  const { hosts: drifts } = await command<{ hosts: readonly HostDrift[] }>(operator, ['drift', '--host', ...SECOND_ACT_HOSTS], { allowed: [0, 1, 3] })
  return { forgotten, first, second, alerts: post.received(), drifts }
}

/**
 * Short enough to look at; in earnest a baseline lasts minutes and a bake hours. A wave is left after some 35 good samples:
 * the more hosts it has, the sooner.
 */
const PACE = ['--baseline', '2', '--bake-min', '2', '--bake-max', '600', '--every', '0.25', '--canary', '100', '--confirm-within', '60', '--outage', '600']

async function rollOut(operator: Operator, { alertsFile }: AlertPost, needs: readonly DemoNeed[], onShare: (share: number) => void = () => undefined): Promise<RolloutState> {
  writePolicy(operator, needs, 'enforce')
  const { plan } = await command<{ plan?: ChangePlan }>(operator, ['plan', '--host', ...SECOND_ACT_HOSTS])
  if (!plan) throw new Error('the plan was not sealed')
  let approved: Promise<unknown> | undefined
  let changed = 0
  const onNote = (line: string): void => {
    const event = JSON.parse(line) as Partial<RolloutEvent>
    if (isChanged(event)) onShare((changed += 1) / SECOND_ACT_HOSTS.length)
    if (asksForApproval(event)) approved ??= command(operator, ['rollout', 'promote', '--core'], { isBeside: true })
  }
  const { rollout } = await command<{ rollout: RolloutState }>(operator, ['rollout', 'start', plan.id, '--yes', '--alerts', alertsFile, ...PACE], { allowed: [0, 1, 3, 4], onNote })
  await approved
  return rollout
}

const isChanged = (event: Partial<RolloutEvent>): boolean => event.kind === 'signal' && event.signal?.kind === 'applied' && event.signal.result === 'changed'

const asksForApproval = (event: Partial<RolloutEvent>): boolean => event.kind === 'action' && event.action?.kind === 'tell' && event.action.alert.id.endsWith('/approval')
