import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { NGINX_FOLDERS } from '@portcullis/lab/daemons/nginx.ts'
import type { LabHost } from '@portcullis/lab/host.ts'
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

/** One process a host, and none for a connection: what serves must not be what is measured. */
function openShop(host: LabHost): void {
  host.writeFile('/etc/lab/shop.conf', `daemon off; master_process off; pid /run/shop.pid; events { worker_connections 64; } http {\n  access_log off;\n  ${NGINX_FOLDERS}\n  server { listen ${SHOP_PORT}; return 204; }\n}\n`)
  host.start('shop', ['nginx', '-c', '/etc/lab/shop.conf'])
}

export async function openStage(hosts: number): Promise<Stage> {
  const lab = await startWorld(worldOf(hosts), { prefix: `bn-${process.pid}` })
  const folder = await mkdtemp(join(tmpdir(), 'bn-rollout-'))
  const close = async (): Promise<void> => {
    await lab.stop()
    await rm(folder, { recursive: true, force: true })
  }
  try {
    for (const host of lab.hosts) if (host.name !== CONTROLLER) openShop(host)
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
