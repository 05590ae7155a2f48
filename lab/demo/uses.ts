import { join } from 'node:path'
import type { Family } from '@portcullis/core/net/address.ts'
import { listensOf } from '../daemons/spec.ts'
import { POSTGRES_PASSWORD } from '../daemons/postgres.ts'
import { SYSLOG_FILE } from '../daemons/syslog.ts'
import { authorityFile } from '../certificate.ts'
import type { Use } from '../clients/use.ts'
import type { Task, TaskRecord } from '../clients/workload.ts'
import type { Lab } from '../start.ts'
import { addressOf, hostNamed } from '../world.ts'
import { DEMO_NEEDS, type DemoNeed } from './needs.ts'

/** A need's service, used for real by one client on one address. */
export interface NeedUse {
  readonly need: DemoNeed
  readonly client: string
  readonly host: string
  readonly family: Family
  readonly use: Use
}

/** Every use that the needs promise: each client, host and family, DNS over both UDP and TCP. */
export function needUses(lab: Lab, needs: readonly DemoNeed[] = DEMO_NEEDS): NeedUse[] {
  return needs.flatMap((need) =>
    need.usedBy.flatMap((client) =>
      need.hosts.flatMap((host) =>
        familiesOf(lab, need, host).flatMap((family) =>
          usesOf(lab, need, host, family).map((use) => ({ need, client, host, family, use })),
        ),
      ),
    ),
  )
}

/** Lets every client use its services until `stop`, which tells each interruption under its need. */
export function startDemoWorkload(lab: Lab): { stop(): Promise<TaskRecord[]> } {
  const uses = needUses(lab)
  const clients = [...new Set(uses.map((use) => use.client))]
  const workloads = clients.map((client) =>
    lab.vantage(client).startWorkload(uses.filter((use) => use.client === client).map(taskOf)),
  )
  return {
    async stop() {
      return (await Promise.all(workloads.map((workload) => workload.stop()))).flat()
    },
  }
}

/** Whether the record of a workload is of a use of this need. */
export const isTaskOf = ({ service, hosts }: DemoNeed, { name }: Pick<TaskRecord, 'name'>): boolean => hosts.some((host) => name.includes(` → ${service} on ${host}, `))

const taskOf = ({ need, client, host, family, use }: NeedUse): Task => ({
  name: `${client} → ${need.service} on ${host}, IPv${family}, ${use.kind}`,
  use,
  everyMs: PAUSE_MS[use.kind] ?? 300,
  isHeld: use.kind === 'feed',
})

/** Those that start a program (a handshake, a process) come less often, so that clients do not fill the machine. */
const PAUSE_MS: Partial<Record<Use['kind'], number>> = { https: 1_000, http: 1_000, dnsTcp: 500, syslog: 500, sql: 2_500, dicom: 3_000, ssh: 3_000, sftp: 2_500 }

function familiesOf(lab: Lab, need: DemoNeed, host: string): readonly Family[] {
  const listens = hostNamed(lab.world, host).services.flatMap(listensOf)
  const isDicom = need.service === 'dicom'
  return ([4, 6] as const).filter((family) => !isDicom || listens.some(({ port, families }) => port === 11_112 && families.includes(family)))
}

function usesOf(lab: Lab, need: DemoNeed, host: string, family: Family): Use[] {
  const address = addressOf(hostNamed(lab.world, host), family)
  switch (need.service) {
    case 'https':
      return [{ kind: 'https', address, port: 443, serverName: host, authorityFile: authorityFile(lab.directory) }]
    case 'http-alt':
      return [{ kind: 'http', address, port: 8080 }]
    case 'postgresql':
      return [{ kind: 'sql', address, port: 5432, password: POSTGRES_PASSWORD }]
    case 'redis':
      return [{ kind: 'redis', address, port: 6379 }]
    case 'dns':
      return [
        { kind: 'dnsUdp', address, port: 53, name: `${host}.lab` },
        { kind: 'dnsTcp', address, port: 53, name: `${host}.lab` },
      ]
    case 'dicom':
      return [{ kind: 'dicom', address, port: 11_112 }]
    case 'market-data':
      return [{ kind: 'feed', address, port: 5133, ticks: 3 }]
    case 'rtls-location':
      return [{ kind: 'datagram', address, port: 12_091, text: 'TAG bed-7', reply: 'ACK TAG bed-7' }]
    case 'sftp':
      return [{ kind: 'sftp', address, port: 22, identityFile: lab.ssh.batchIdentityFile, knownHostsFile: lab.ssh.knownHostsFile }]
    case 'syslog':
      return [{ kind: 'syslog', address, port: 514, arrivesIn: join(lab.host(host).folder, SYSLOG_FILE) }]
    default:
      throw new Error(`no client knows how to use ${need.service}`)
  }
}
