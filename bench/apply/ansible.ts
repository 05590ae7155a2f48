import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { LabHost } from '@portcullis/lab/host.ts'
import type { SshAccess } from '@portcullis/lab/machine.ts'
import type { FleetHost } from './fleet.ts'

/** Debian's ansible-playbook with a playbook that pushes one nft file and loads it. */
export interface AnsibleWay {
  readonly name: string
  readonly playbook: string
  readonly env: Readonly<Record<string, string>>
  /** Run once before, so that its connections stand. */
  readonly isWarm: boolean
}

/** As installed: facts are gathered, five hosts at a time, and each task is copied there and then run. */
const DEFAULT: AnsibleWay = { name: 'ansible, as installed', playbook: 'default.yml', env: {}, isWarm: false }
const WITHOUT_FACTS: AnsibleWay = { name: 'ansible, no facts', playbook: 'noFacts.yml', env: {}, isWarm: false }
const tuned = (forks: number): AnsibleWay => ({
  name: `ansible, tuned, ${forks} forks, warm`,
  playbook: 'tuned.yml',
  env: { ANSIBLE_PIPELINING: 'True', ANSIBLE_FORKS: String(forks), ANSIBLE_PYTHON_INTERPRETER: '/usr/bin/python3', ANSIBLE_GATHERING: 'explicit' },
  isWarm: true,
})

export const ANSIBLE_WAYS: readonly AnsibleWay[] = [DEFAULT, WITHOUT_FACTS, tuned(20), tuned(50)]

const RULES_FILE = 'rules.nft'
const TIMEOUT_MS = 1_800_000

const twoTasks = (facts: boolean): string => `- hosts: all
  gather_facts: ${facts}
  tasks:
    - copy: { src: ${RULES_FILE}, dest: /root/rules.nft }
    - command: nft -f /root/rules.nft
`
/** One task, over standard input: with pipelining nothing is copied first. */
const ONE_TASK = `- hosts: all
  gather_facts: false
  tasks:
    - command: { cmd: nft -f -, stdin: "{{ lookup('file', '${RULES_FILE}') }}" }
`

export interface Ansible {
  push(way: AnsibleWay): Promise<number>
}

/** Writes what Ansible needs into a folder of the controller's host, and runs it there. */
export async function openAnsible(at: LabHost, directory: string, fleet: readonly FleetHost[], ssh: SshAccess, text: string): Promise<Ansible> {
  await mkdir(directory, { recursive: true })
  const lines = fleet.map(({ name, address }) => `${name} ansible_host=${address}`)
  const file = (name: string, content: string): Promise<void> => writeFile(join(directory, name), content)
  await file('inventory', `${lines.join('\n')}\n`)
  await file(RULES_FILE, text)
  await file('default.yml', twoTasks(true))
  await file('noFacts.yml', twoTasks(false))
  await file('tuned.yml', ONE_TASK)
  const run = async ({ name, playbook, env }: AnsibleWay): Promise<number> => {
    const argv = ['ansible-playbook', '-i', join(directory, 'inventory'), '-u', 'root', '--private-key', ssh.identityFile, join(directory, playbook)]
    const { exitCode, stdout, stderr, durationMs } = await at.run(argv, { timeoutMs: TIMEOUT_MS, env: { ...environment(ssh, directory), ...env } })
    if (exitCode !== 0) throw new Error(`${name}: ${stderr}${stdout.slice(-2_000)}`)
    return durationMs
  }
  return {
    async push(way) {
      // As installed, a connection is kept for 60 s, under a name that tells its host and user: what an earlier way left would make this one warm.
      await at.run(['sh', '-c', 'for socket in /root/cp/*; do ssh -O exit -oControlPath="$socket" none; done'])
      if (way.isWarm) await run(way)
      return run(way)
    },
  }
}

/** All that is not how it works but where it works: the keys of the lab, folders of our own. */
const environment = ({ knownHostsFile }: SshAccess, directory: string): Record<string, string> => ({
  ANSIBLE_HOME: directory,
  ANSIBLE_LOCAL_TEMP: join(directory, 'local'),
  ANSIBLE_SSH_CONTROL_PATH_DIR: '/root/cp',
  ANSIBLE_SSH_COMMON_ARGS: `-oUserKnownHostsFile=${knownHostsFile}`,
  ANSIBLE_NOCOWS: '1',
})
