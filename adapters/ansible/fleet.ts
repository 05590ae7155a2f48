import { fail, succeed, type Fault, type Result, type Text } from '@portcullis/core/fault/fault.ts'
import { parseAddress } from '@portcullis/core/net/address.ts'
import type { PolicyFragment } from '../policyfile/fragment.ts'
import type { HostEntry } from '../policyfile/schema.ts'
import { parseIniInventory } from './iniInventory.ts'
import { flattenInventory, type FlatHost, type Variables } from './inventory.ts'
import { splitWords } from './words.ts'
import { parseYamlInventory } from './yamlInventory.ts'

/** The addresses of a name, as text; empty where it has none. The caller asks the resolver. */
export type LookUp = (name: string) => Promise<readonly string[]>

export interface FleetImport {
  /** For `renderPolicyFile`. */
  readonly fragment: Result<PolicyFragment>
  /** Hosts that were left out, and what could not be taken over. */
  readonly warnings: readonly Fault[]
}

const BYTES_MAX = 8 * 1024 * 1024

/**
 * The fleet that an Ansible inventory describes: each group becomes a label of the value true, connection variables the transport.
 * `group_vars/`, `host_vars/` and templates are not read. Faults: ANSIBLE_*, YAML_*.
 */
export async function importInventory(text: string, file: string, lookUp: LookUp): Promise<FleetImport> {
  if (Buffer.byteLength(text) > BYTES_MAX) return { fragment: fail(tooLarge(file)), warnings: [] }
  const inventory = isYaml(text, file) ? parseYamlInventory(text, file) : parseIniInventory(text, file)
  const flat = inventory.ok ? flattenInventory(inventory.value, file) : inventory
  if (!flat.ok) return { fragment: flat, warnings: [] }
  const hosts: Record<string, HostEntry> = {}
  const warnings: Fault[] = []
  for (const host of flat.value) {
    const entry = await hostEntry(host, lookUp, warnings)
    if (entry) hosts[host.name] = entry
  }
  return { fragment: succeed({ fleet: { hosts } }), warnings }
}

function isYaml(text: string, file: string): boolean {
  if (/\.ya?ml$/i.test(file)) return true
  if (/\.(?:ini|cfg)$/i.test(file)) return false
  return /^(?:---\s*$|[A-Za-z_][A-Za-z0-9_-]*:\s*$)/m.test(text) && !/^\[[^\]]+\]/m.test(text)
}

async function hostEntry(host: FlatHost, lookUp: LookUp, warnings: Fault[]): Promise<HostEntry | undefined> {
  const warn = (code: string, what: Text, next: Text): undefined => void warnings.push({ code, place: host.place, what, next })
  const connection = host.variables.get('ansible_connection') ?? 'ssh'
  if (!['ssh', 'smart', 'paramiko', 'paramiko_ssh', 'local'].includes(connection)) {
    const what = { en: `${host.name} is reached by "${connection}" and was left out`, zh: `${host.name} 的连接方式为“${connection}”，已略过` }
    return warn('ANSIBLE_CONNECTION', what, { en: 'only ssh and local hosts can be managed', zh: '只能管理 ssh 或 local 主机' })
  }
  const templated = [...host.variables].find(([key, value]) => CONNECTION_VARIABLES.has(key) && value.includes('{{'))
  if (templated) {
    const what = { en: `${host.name}: ${templated[0]} is a template, which is not evaluated; the host was left out`, zh: `${host.name}：${templated[0]} 是模板，无法求值，已略过该主机` }
    return warn('ANSIBLE_TEMPLATE', what, { en: 'write the value in the inventory, or the host in the policy', zh: '请在清单中写出实际值，或直接在策略中写该主机' })
  }
  const target = host.variables.get('ansible_host') ?? host.name
  const addresses = parseAddress(target).ok ? [target] : await lookUp(target)
  if (addresses.length === 0) {
    const what = { en: `${host.name}: "${target}" has no address; the host was left out`, zh: `${host.name}：“${target}”无法解析出地址，已略过该主机` }
    return warn('ANSIBLE_NO_ADDRESS', what, { en: 'set ansible_host to its address', zh: '请将 ansible_host 设为其地址' })
  }
  const transport = connection === 'local' ? 'local' : sshOf(host, target)
  const labels = Object.fromEntries(host.groups.map((group) => [labelOf(group), true]))
  return { addresses: [...addresses], ...(host.groups.length > 0 && { labels }), ...(transport && { transport }) }
}

const CONNECTION_VARIABLES = new Set([
  'ansible_host',
  'ansible_port',
  'ansible_ssh_port',
  'ansible_user',
  'ansible_ssh_user',
  'ansible_private_key_file',
  'ansible_ssh_private_key_file',
  'ansible_ssh_common_args',
  'ansible_ssh_extra_args',
  'ansible_become',
])

function sshOf({ name, variables }: FlatHost, target: string): HostEntry['transport'] {
  const first = (...keys: readonly string[]): string | undefined => keys.map((key) => variables.get(key)).find((value) => value !== undefined && value !== '')
  const port = Number(first('ansible_port', 'ansible_ssh_port') ?? 22)
  const user = first('ansible_user', 'ansible_ssh_user')
  const identityFile = first('ansible_ssh_private_key_file', 'ansible_private_key_file')
  const { jump, knownHostsFile } = argumentsOf(variables)
  const become = first('ansible_become')
  const isDefaultSudo = become === undefined || /^(?:true|yes|on|1)$/i.test(become) === (user !== undefined && user !== 'root')
  const ssh = {
    ...(target !== name && { destination: target }),
    ...(port !== 22 && { port }),
    ...(user !== undefined && { user }),
    ...(identityFile !== undefined && { identityFile }),
    ...(knownHostsFile !== undefined && { knownHostsFile }),
    ...(jump !== undefined && { jump }),
    ...(!isDefaultSudo && { sudo: /^(?:true|yes|on|1)$/i.test(become) }),
  }
  return Object.keys(ssh).length > 0 ? { ssh } : undefined
}

/** `-J bastion`, `-o ProxyJump=bastion`, `-oProxyJump=bastion`, and the file of known hosts in the same forms. */
function argumentsOf(variables: Variables): { readonly jump?: string; readonly knownHostsFile?: string } {
  const text = `${variables.get('ansible_ssh_common_args') ?? ''} ${variables.get('ansible_ssh_extra_args') ?? ''}`
  const words = (splitWords(text, 'no comments') ?? []).map((word) => word.text)
  const option = (name: string): string | undefined =>
    words
      .flatMap((word, index) => [word === '-o' ? (words[index + 1] ?? '') : word.startsWith('-o') ? word.slice(2) : ''])
      .map((setting) => new RegExp(`^${name}[= ](.+)$`, 'i').exec(setting)?.[1])
      .find((value) => value !== undefined)
  const flag = words.flatMap((word, index) => (word === '-J' ? [words[index + 1] ?? ''] : word.startsWith('-J') ? [word.slice(2)] : []))[0]
  const jump = flag ?? option('ProxyJump')
  const knownHostsFile = option('UserKnownHostsFile')
  return { ...(jump !== undefined && { jump }), ...(knownHostsFile !== undefined && { knownHostsFile }) }
}

/** Group names that are not label names lose what is not allowed. */
function labelOf(group: string): string {
  const cleaned = group.replaceAll(/[^A-Za-z0-9._-]/g, '-').slice(0, 56)
  return /^[A-Za-z]/.test(cleaned) ? cleaned : `group-${cleaned}`
}

const tooLarge = (file: string): Fault => ({
  code: 'ANSIBLE_TOO_LARGE',
  place: { file, line: 1, column: 1 },
  what: { en: 'the inventory is larger than 8 MiB', zh: '清单文件超过 8 MiB' },
})
