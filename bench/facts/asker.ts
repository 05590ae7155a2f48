import { join } from 'node:path'
import { Controller, hostWith } from '@portcullis/adapters/transport/lab/fleet.ts'
import type { HostsOptions } from '@portcullis/adapters/transport/hosts.ts'
import type { Transport } from '@portcullis/core/policy/policy.ts'
import { startCommand } from '@portcullis/lab/command.ts'
import { spawned } from '@portcullis/lab/netns.ts'
import type { Lab } from '@portcullis/lab/start.ts'
import { addressOf, hostNamed } from '@portcullis/lab/world.ts'
import { COMMANDS } from './commands.ts'

/** A way to learn what a host is like. Everything that can be kept open between two questions is. */
export interface Asker {
  readonly name: string
  /** Milliseconds from the question to the whole answer. */
  ask(): Promise<number>
  close(): Promise<void>
}

export const SERVER = 'server'
export const CONTROLLER = 'ops'
export const OWN_NAME = 'portcullis, ssh'
const TIMEOUT_MS = 300_000

export async function openAskers(lab: Lab, hasAnsible: boolean): Promise<Asker[]> {
  const ssh: Transport = { kind: 'ssh', destination: addressOf(hostNamed(lab.world, SERVER), 4), port: 22, user: 'root', ...lab.ssh, sudo: false }
  const askers = [
    await openLink(lab, OWN_NAME, ssh),
    await openLink(lab, 'portcullis, ssh, a process each time', ssh, { mode: 'call' }),
    await openLink(lab, 'portcullis, network namespace', { kind: 'netns', namespace: lab.host(SERVER).netns }),
    ...(await openCommands(lab)),
  ]
  return hasAnsible ? [...askers, openAnsible(lab)] : askers
}

async function openLink(lab: Lab, name: string, transport: Transport, options: HostsOptions = {}): Promise<Asker> {
  const start =
    transport.kind === 'ssh' ? (argv: readonly string[]) => lab.host(CONTROLLER).spawn(argv) : (argv: readonly string[]) => spawned(startCommand(argv, {}, 'pipe'))
  const controller = new Controller(start, hostWith(SERVER, transport), options)
  if (transport.kind === 'ssh') {
    const installed = await controller.order({ kind: 'install' })
    if (!installed.ok) throw new Error(installed.faults[0]?.what.en)
  }
  return {
    name,
    async ask() {
      const { exitCode, stderr, durationMs } = await controller.call('facts')
      if (exitCode !== 0) throw new Error(`${name}: ${stderr}`)
      return durationMs
    },
    close: () => controller.close(),
  }
}

/** One ssh(1) for each of the commands, one after the other: over one connection that is kept, and each over its own. */
async function openCommands(lab: Lab): Promise<Asker[]> {
  const { identityFile, knownHostsFile } = lab.ssh
  const base = ['ssh', '-oBatchMode=yes', '-oLogLevel=ERROR', `-oIdentityFile=${identityFile}`, `-oUserKnownHostsFile=${knownHostsFile}`]
  const target = `root@${addressOf(hostNamed(lab.world, SERVER), 4)}`
  const shared = [...base, `-oControlPath=${join('/run', 'bench-ssh')}`]
  const ops = lab.host(CONTROLLER)
  await ops.must([...shared, '-oControlMaster=yes', '-oControlPersist=yes', '-fN', target])
  const asker = (name: string, argv: readonly string[]): Asker => ({
    name,
    async ask() {
      const script = COMMANDS.map((command) => `${[...argv, target].join(' ')} '${command}' </dev/null >/dev/null`).join(' && ')
      const { exitCode, stderr, durationMs } = await ops.run(['sh', '-c', script], { timeoutMs: TIMEOUT_MS })
      if (exitCode !== 0) throw new Error(`${name}: ${stderr}`)
      return durationMs
    },
    close: () => Promise.resolve(),
  })
  return [asker(`${COMMANDS.length} × ssh, one connection kept`, shared), asker(`${COMMANDS.length} × ssh, a connection each`, base)]
}

/** With the connection kept, which is its default, and pipelining, which is not: its fastest. */
function openAnsible(lab: Lab): Asker {
  const { identityFile, knownHostsFile } = lab.ssh
  const env = {
    ANSIBLE_PIPELINING: 'True',
    ANSIBLE_SSH_ARGS: `-oControlMaster=auto -oControlPersist=60s -oUserKnownHostsFile=${knownHostsFile}`,
    ANSIBLE_PYTHON_INTERPRETER: '/usr/bin/python3',
    ANSIBLE_LOCAL_TEMP: '/root/ansible',
  }
  const argv = ['ansible', '-i', `${addressOf(hostNamed(lab.world, SERVER), 4)},`, '-u', 'root', '--private-key', identityFile, '-m', 'setup', 'all']
  return {
    name: 'ansible -m setup, pipelining',
    async ask() {
      const { exitCode, stderr, stdout, durationMs } = await lab.host(CONTROLLER).run(argv, { env, timeoutMs: TIMEOUT_MS })
      if (exitCode !== 0) throw new Error(`ansible: ${stderr}${stdout}`)
      return durationMs
    },
    close: () => Promise.resolve(),
  }
}
