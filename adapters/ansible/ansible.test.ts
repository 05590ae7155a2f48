import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { parsePolicyFile } from '../policyfile/parse.ts'
import { renderPolicyFile } from '../policyfile/render.ts'
import type { HostEntry } from '../policyfile/schema.ts'
import { importInventory } from './fleet.ts'
import { expandHostPattern } from './hostPattern.ts'
import { flattenInventory, type FlatHost } from './inventory.ts'
import { parseIniInventory } from './iniInventory.ts'
import { splitWords } from './words.ts'
import { parseYamlInventory } from './yamlInventory.ts'

const testdata = (name: string): string => readFileSync(new URL(`testdata/${name}`, import.meta.url), 'utf8')

describe('host patterns', () => {
  test.each<[string, string[], string?]>([
    ['web', ['web']],
    ['web[1:3]', ['web1', 'web2', 'web3']],
    ['web[01:03].example.org', ['web01.example.org', 'web02.example.org', 'web03.example.org']],
    ['db-[a:c]', ['db-a', 'db-b', 'db-c']],
    ['n[0:10:5]', ['n0', 'n5', 'n10']],
    ['r[1:2]-n[08:10]', ['r1-n08', 'r1-n09', 'r1-n10', 'r2-n08', 'r2-n09', 'r2-n10']],
    ['web:2222', ['web'], '2222'],
    ['web[1:2]:2222', ['web1', 'web2'], '2222'],
    ['192.0.2.7', ['192.0.2.7']],
    ['2001:db8::7', ['2001:db8::7']],
  ])('%s', (pattern, names, port) => {
    expect(expandHostPattern(pattern, 100)).toEqual(port === undefined ? { names } : { names, port })
  })

  test.each(['', 'web[1:', 'web[3:1]', 'web[01:100]', 'web[a:3]', 'web[1:2:0]', 'web[1]', 'web]', 'we b', 'n[0:1000]', 'n[0:20]-[0:20]', 'n[0:99999999999999999999]'])('%j is refused', (pattern) => {
    expect(expandHostPattern(pattern, 100)).toBeUndefined()
  })
})

test.each<[string, string[] | undefined]>([
  [`a "b c" d='e f' g\\ h`, ['a', 'b c', 'd=e f', 'g h']],
  ['a # b', ['a']],
  ['a=x#y b', ['a=x']],
  ['a="x # y"', ['a=x # y']],
  ['""', ['']],
  ['a "b', undefined],
  ['   ', []],
])('words of %j', (text, words) => {
  expect(splitWords(text, 'comments')?.map((word) => word.text)).toEqual(words)
})

/** Group lists and variables as `ansible-inventory --list` of ansible-core 2.14 gives them for the same two files. */
const EXPECTED: Record<string, [groups: string[], variables: Record<string, string>]> = {
  bastion: [[], { ansible_host: '192.0.2.1', ansible_user: 'ops', ansible_ssh_private_key_file: '~/.ssh/fleet' }],
  'web01.example.org': [['web'], { ansible_user: 'deploy', ansible_ssh_private_key_file: '~/.ssh/fleet' }],
  'web02.example.org': [['web'], { ansible_user: 'deploy', ansible_ssh_private_key_file: '~/.ssh/fleet' }],
  'web03.example.org': [['web'], { ansible_user: 'deploy', ansible_ssh_private_key_file: '~/.ssh/fleet' }],
  '192.0.2.40': [['web'], { ansible_port: '2222', ansible_ssh_private_key_file: '~/.ssh/fleet' }],
  'pacs-1': [
    ['hospital', 'pacs'],
    { ansible_host: '192.0.2.61', ansible_port: '2200', ansible_user: 'clinic', ansible_ssh_common_args: '-o ProxyJump=ops@bastion -o StrictHostKeyChecking=yes', ansible_ssh_private_key_file: '~/.ssh/fleet' },
  ],
  'db-a': [
    ['db', 'hospital'],
    { ansible_host: '192.0.2.51', ansible_user: 'postgres', ansible_become: 'true', ansible_ssh_private_key_file: '~/.ssh/db key', ansible_ssh_common_args: '-o ProxyJump=ops@bastion -o StrictHostKeyChecking=yes' },
  ],
  'db-b': [
    ['db', 'hospital'],
    { ansible_host: '2001:db8::52', ansible_user: 'postgres', ansible_become: 'true', ansible_ssh_private_key_file: '~/.ssh/db key', ansible_ssh_common_args: '-o ProxyJump=ops@bastion -o StrictHostKeyChecking=yes' },
  ],
}

test.each([['hosts.ini', parseIniInventory] as const, ['hosts.yaml', parseYamlInventory] as const])('%s says what Ansible reads in it', (name, parse) => {
  const inventory = parse(testdata(name), name)
  const flat = inventory.ok ? flattenInventory(inventory.value, name) : inventory
  const hosts: readonly FlatHost[] = flat.ok ? flat.value : []
  expect(Object.fromEntries(hosts.map((host) => [host.name, [host.groups, Object.fromEntries(host.variables)]]))).toEqual(EXPECTED)
})

describe('faults of an inventory', () => {
  const faultsOf = async (text: string, file: string): Promise<string[]> => {
    const { fragment } = await importInventory(text, file, async () => [])
    return fragment.ok ? [] : fragment.faults.map(({ place, code, next }) => `${place?.line}:${place?.column} ${code}${/"(.*)"\?$/.exec(next?.en ?? '')?.[1] ?? ''}`)
  }

  test.each<[string, string, string[]]>([
    ['x.ini', 'a\n[web\nb\n', ['2:1 ANSIBLE_HOST']],
    ['x.ini', '[web:child]\na\n', ['1:1 ANSIBLE_SECTION']],
    ['x.ini', '[web]\na b\n', ['2:3 ANSIBLE_VARIABLE']],
    ['x.ini', '[web]\na x="1\n', ['2:1 ANSIBLE_HOST']],
    ['x.ini', '[web]\n  w[3:1]\n', ['2:3 ANSIBLE_HOST']],
    ['x.ini', '[web]\na\n[all:children]\nwbe\n', ['4:1 ANSIBLE_UNKNOWN_GROUPweb']],
    ['x.ini', '[webs:vars]\na=b\n[web]\na\n', ['1:1 ANSIBLE_UNKNOWN_GROUPweb']],
    ['x.ini', '[web:vars]\nnothing\n[web]\na', ['2:1 ANSIBLE_VARIABLE']],
    ['x.ini', '[a:children]\nb\n[b:children]\na\n', ['1:1 ANSIBLE_GROUP_CIRCLE']],
    ['x.ini', 'n[0:9999999]\n', ['1:1 ANSIBLE_HOST']],
    ['x.yaml', 'web:\n  host:\n    a:\n', ['2:3 ANSIBLE_UNKNOWN_KEYhosts']],
    ['x.yaml', 'web:\n  hosts: [a]\n', ['2:10 ANSIBLE_SHAPE']],
    ['x.yaml', 'web: [a]\n', ['1:6 ANSIBLE_SHAPE']],
    ['x.yaml', 'web:\n  hosts:\n    w[3:1]:\n', ['3:5 ANSIBLE_HOST']],
    ['x.yaml', 'web: [', ['1:7 YAML_SYNTAX']],
  ])('%s %j', async (file, text, expected) => {
    expect(await faultsOf(text, file)).toEqual(expected)
  })
})

describe('an imported fleet', () => {
  const hostsOf = async (text: string, addresses: Record<string, string[]> = {}): Promise<Record<string, HostEntry>> => {
    const { fragment } = await importInventory(text, 'hosts.ini', async (name) => addresses[name] ?? [])
    return fragment.ok ? (fragment.value.fleet?.hosts ?? {}) : {}
  }

  test('has the transports that Ansible would take, and its groups as labels', async () => {
    const hosts = await hostsOf(testdata('hosts.ini'), { 'web01.example.org': ['192.0.2.31', '2001:db8::31'] })
    expect(hosts['web01.example.org']).toEqual({ addresses: ['192.0.2.31', '2001:db8::31'], labels: { web: true }, transport: { ssh: { user: 'deploy', identityFile: '~/.ssh/fleet' } } })
    expect(hosts['192.0.2.40']?.transport).toEqual({ ssh: { port: 2222, identityFile: '~/.ssh/fleet' } })
    expect(hosts['pacs-1']).toEqual({
      addresses: ['192.0.2.61'],
      labels: { hospital: true, pacs: true },
      transport: { ssh: { destination: '192.0.2.61', port: 2200, user: 'clinic', identityFile: '~/.ssh/fleet', jump: 'ops@bastion' } },
    })
  })

  test.each<[string, HostEntry['transport']]>([
    ['a ansible_host=192.0.2.1 ansible_connection=local', 'local'],
    ['192.0.2.1', undefined],
    ['192.0.2.1 ansible_user=root', { ssh: { user: 'root' } }],
    ['192.0.2.1 ansible_user=root ansible_become=yes', { ssh: { user: 'root', sudo: true } }],
    ['192.0.2.1 ansible_user=ops ansible_become=no', { ssh: { user: 'ops', sudo: false } }],
    [`192.0.2.1 ansible_ssh_common_args='-J a,b'`, { ssh: { jump: 'a,b' } }],
    [`192.0.2.1 ansible_ssh_extra_args='-oProxyJump=a -o UserKnownHostsFile=/k'`, { ssh: { knownHostsFile: '/k', jump: 'a' } }],
  ])('%s', async (line, transport) => {
    expect(Object.values(await hostsOf(line))[0]?.transport).toEqual(transport)
  })

  test('leaves out, and names, what cannot be managed', async () => {
    const text = 'win ansible_host=192.0.2.1 ansible_connection=winrm\nnowhere\nlater ansible_host="{{ ip }}"\n'
    const { fragment, warnings } = await importInventory(text, 'hosts.ini', async () => [])
    expect(fragment).toEqual({ ok: true, value: { fleet: { hosts: {} } } })
    expect(warnings.map(({ place, code }) => `${place?.line} ${code}`)).toEqual(['1 ANSIBLE_CONNECTION', '2 ANSIBLE_NO_ADDRESS', '3 ANSIBLE_TEMPLATE'])
  })

  test('becomes a policy file, and joins an existing one', async () => {
    const { fragment } = await importInventory(testdata('hosts.yaml'), 'hosts.yaml', async (name) => [`198.51.100.${Number(/[0-9]+/.exec(name)?.[0])}`])
    if (!fragment.ok) throw new Error('not imported')
    const existing = 'version: 1\ndefaults: {management: {from: 10.0.0.0/8, ports: [22, 2200, 2222]}}\n# What we run.\nfleet:\n  hosts:\n    db-a: # the first\n      addresses: 203.0.113.9\n      tier: core\n'
    const text = renderPolicyFile(fragment.value, existing)
    const { policy } = parsePolicyFile(text.ok ? text.value : '', 'portcullis.yaml', 0)
    // db-b has an IPv6 address only, and nobody manages from IPv6 in this file.
    expect(policy.ok ? [] : policy.faults.map((fault) => fault.code)).toEqual(['POLICY_MANAGEMENT_FAMILY'])
    expect(text.ok && text.value).toContain('# What we run.')
    expect(text.ok && text.value).toContain('# the first')
    expect(text.ok && text.value).toContain('tier: core')
    expect(text.ok && text.value).not.toContain('203.0.113.9')
  })
})
