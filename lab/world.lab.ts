import { writeFileSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { mustRun } from './command.ts'
import { DEMO_WORLD } from './demo/world.ts'
import { generateOpensshKey } from './opensshKey.ts'
import { client, flatWorld, flawsOf, interfaceIn, network, server, type World } from './world.ts'

const net = network('net', '10.1.0.0/24', 'fd01::/64')
const other = network('other', '10.2.0.0/24', 'fd02::/64')
const world = (...hosts: World['hosts']): World => ({ networks: [net, other], hosts })

test.each<[string, World, string[]]>([
  ['the demo world', DEMO_WORLD, []],
  ['three hundred hosts', flatWorld(300), []],
  ['two networks', world(server('a', interfaceIn(net, 10)), client('b', interfaceIn(other, 10))), []],
  ['a name twice', world(server('a', interfaceIn(net, 10)), server('a', interfaceIn(net, 11))), ['the name a stands twice']],
  ['the name of the switch', world(server('switch', interfaceIn(net, 10))), ['"switch" is not a usable name']],
  ['a name too long for an interface', world(server('a-name-of-15-ch', interfaceIn(net, 10))), ['"a-name-of-15-ch" is not a usable name']],
  [
    'an address twice',
    world(server('a', interfaceIn(net, 10)), server('b', interfaceIn(net, 10))),
    ['the address 10.1.0.10 stands twice', 'the address fd01::a stands twice'],
  ],
  ['a host on the gateway', world(server('a', interfaceIn(net, 1))), ['the address 10.1.0.1 stands twice', 'the address fd01::1 stands twice']],
  [
    'an address of another network',
    world(server('a', { ...interfaceIn(other, 10), network: 'net' })),
    ['a: 10.2.0.10 is not in 10.1.0.0/24', 'a: fd02::a is not in fd01::/64'],
  ],
  ['no such network', world(server('a', { ...interfaceIn(net, 10), network: 'gone' })), ['a is on gone, which the world does not have']],
  ['no interface', world({ ...server('a', interfaceIn(net, 10)), interfaces: [] }), ['a has no interface']],
])('%s', (_name, value, flaws) => {
  expect(flawsOf(value)).toEqual(flaws)
})

test('ssh-keygen reads the keys that are made here, and finds the same public key', async () => {
  const folder = mkdtempSync('/tmp/portcullis-key-')
  try {
    const key = generateOpensshKey('a comment of any length')
    writeFileSync(join(folder, 'key'), key.privateFile, { mode: 0o600 })
    expect((await mustRun(['ssh-keygen', '-y', '-f', join(folder, 'key')])).split(' ').slice(0, 2).join(' ').trim()).toBe(key.publicLine)
  } finally {
    rmSync(folder, { recursive: true })
  }
})
