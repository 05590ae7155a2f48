import type { Mode } from '@portcullis/core/policy/policy.ts'
import type { DemoNeed } from '@portcullis/lab/demo/needs.ts'
import { DEMO_WORLD } from '@portcullis/lab/demo/world.ts'
import type { Lab } from '@portcullis/lab/start.ts'
import { writeFileSync } from 'node:fs'
import type { CommandOptions, Controller } from './controller.ts'
import { policyText } from './policy.ts'

/** Who writes the policy and types the commands. */
export interface Operator {
  readonly lab: Lab
  readonly controller: Controller
  readonly policyFile: string
  readonly now: () => number
}

export function writePolicy({ lab, policyFile, now }: Operator, needs: readonly DemoNeed[], mode: Mode): void {
  writeFileSync(policyFile, policyText({ world: lab.world, ssh: lab.ssh, needs, mode, now: now() }))
}

/** A command on the policy's fleet. */
export const command = <Answer>({ controller, policyFile }: Operator, argv: readonly string[], how?: CommandOptions): Promise<Answer> =>
  controller.command<Answer>([...argv, '--policy', policyFile, '--concurrency', HOSTS_AT_ONCE], how)

/** All: each waits longer, for connection tracking to warm and for what must stay silent, than it works. */
const HOSTS_AT_ONCE = String(DEMO_WORLD.hosts.length)
