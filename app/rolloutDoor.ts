import { outboxAlerts, deliverDue } from '@portcullis/adapters/alert/outbox.ts'
import { readReceivers, type Receiver } from '@portcullis/adapters/alert/receivers.ts'
import { parseGatesFile, type RolloutFile } from '@portcullis/adapters/gatesfile/parse.ts'
import type { PostgresStore } from '@portcullis/adapters/postgres/postgresStore.ts'
import { probeGates } from '@portcullis/adapters/probe/probeGates.ts'
import { prometheusGates } from '@portcullis/adapters/prometheus/prometheusGates.ts'
import { Vantages } from '@portcullis/adapters/vantage/vantages.ts'
import { succeed, type Result } from '@portcullis/core/fault/fault.ts'
import { START_RULES } from '@portcullis/core/plan/approval.ts'
import type { Host } from '@portcullis/core/policy/policy.ts'
import { judgeGate } from '@portcullis/core/rollout/judgement/judgeGate.ts'
import type { Gates } from '@portcullis/engine/gates.ts'
import { hostGates } from '@portcullis/engine/hostGates.ts'
import type { World } from '@portcullis/engine/world.ts'
import type { OpenedRollouts, RolloutSettings } from './cli/cli.ts'
import { readTextFile } from './textFile.ts'

/** Joins what only rollouts need to the world: the kept rollouts, the gates, the outbox of alerts. */
export async function openRollouts(world: World, store: PostgresStore, settings: RolloutSettings): Promise<Result<OpenedRollouts>> {
  const file = settings.gatesFile === undefined ? succeed<RolloutFile>({ gates: [], rules: START_RULES, vantages: new Map() }) : await fileOf(settings.gatesFile, settings.hosts)
  const receivers = settings.alertsFile === undefined ? succeed<readonly Receiver[]>([]) : await receiversOf(settings.alertsFile)
  if (!file.ok) return file
  if (!receivers.ok) return receivers
  return succeed({
    world: {
      ...world,
      rollouts: store.rollouts,
      gates: hostGates(world, otherGates(new Vantages(file.value.vantages))),
      judge: judgeGate,
      alerts: outboxAlerts(store.outbox, receivers.value),
      canceller: () => new AbortController(),
      reportRollout: settings.report,
    },
    gates: file.value.gates,
    rules: file.value.rules,
    tellDue: async (holder) => void (await deliverDue(store.outbox, receivers.value, holder, () => world.clock.now())),
  })
}

/** Gates that ask neither the hosts nor the controller's own counters. */
export function otherGates(vantages: Vantages): Gates {
  const probes = probeGates(vantages)
  return { sample: (gate, window, signal) => (gate.measure.kind === 'other' && gate.measure.name === 'prometheus' ? prometheusGates : probes).sample(gate, window, signal) }
}

async function fileOf(file: string, hosts: readonly Host[]): Promise<Result<RolloutFile>> {
  const text = await readTextFile(file)
  return text.ok ? parseGatesFile(text.value, file, hosts) : text
}

async function receiversOf(file: string): Promise<Result<readonly Receiver[]>> {
  const text = await readTextFile(file)
  return text.ok ? readReceivers(text.value, file) : text
}
