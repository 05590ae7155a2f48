import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startWorld, type Lab } from '@portcullis/lab/start.ts'
import { CONTROLLER, fleetOf, worldOf } from '../apply/fleet.ts'
import type { Stand } from './command.ts'

export const SHOP_PORT = 8080

/** Hosts with sshd and a shop, and the files of two policies: one that lets the shop's clients in, and one that forgets them. */
export interface Stage extends AsyncDisposable {
  readonly lab: Lab
  readonly stand: Stand
  readonly addresses: readonly string[]
}

export type PolicyName = 'whole' | 'forgetful'
export const policyFile = (name: PolicyName): string[] => ['--policy', `${name}.yaml`]
export const GATES = ['--gates', 'gates.yaml']

export async function openStage(hosts: number): Promise<Stage> {
  const lab = await startWorld(worldOf(hosts), { prefix: `bn-${process.pid}` })
  const folder = await mkdtemp(join(tmpdir(), 'bn-rollout-'))
  const close = async (): Promise<void> => {
    await lab.stop()
    await rm(folder, { recursive: true, force: true })
  }
  try {
    for (const host of lab.hosts) if (host.name !== CONTROLLER) host.start('shop', ['socat', '-u', `TCP4-LISTEN:${SHOP_PORT},reuseaddr,fork`, 'OPEN:/dev/null'])
    await writeFile(join(folder, 'whole.yaml'), policyText(lab, true))
    await writeFile(join(folder, 'forgetful.yaml'), policyText(lab, false))
    await writeFile(join(folder, 'gates.yaml'), `version: 1\ngates:\n  - { name: shop, service: shop, critical: true, probe: tcp, with: { port: ${SHOP_PORT}, worse: none } }\n`)
  } catch (error) {
    await close()
    throw error
  }
  const fleet = fleetOf(lab.world)
  return { lab, stand: { namespace: lab.switchNamespace, folder }, addresses: fleet.map(({ address }) => address), [Symbol.asyncDispose]: close }
}

function policyText({ world, ssh }: Lab, isWhole: boolean): string {
  const transport = (address: string): string => `{ ssh: { destination: ${address}, user: root, identityFile: ${ssh.identityFile}, knownHostsFile: ${ssh.knownHostsFile} } }`
  const need = (service: string): string => `  - { service: ${service}, to: all, from: [10.94.0.0/16], owner: lab, because: the benchmark, review: 2099-01-01 }\n`
  return `version: 1
defaults:
  mode: enforce
  management: { from: [10.94.0.0/16], ports: [22] }
services:
  shop: { ports: [${SHOP_PORT}/tcp] }
  metrics: { ports: [9100/tcp] }
fleet:
  hosts:
${fleetOf(world).map(({ name, address }) => `    ${name}: { addresses: [${address}], transport: ${transport(address)} }\n`).join('')}needs:
${need('metrics')}${isWhole ? need('shop') : ''}`
}
