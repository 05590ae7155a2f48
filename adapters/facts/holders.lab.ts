import type { Observation } from '@portcullis/core/inventory/observation.ts'
import { foldMatrix } from '@portcullis/core/inventory/matrix.ts'
import { formatAddress } from '@portcullis/core/net/address.ts'
import { startWorld, type Lab } from '@portcullis/lab/start.ts'
import { interfaceIn, network, server } from '@portcullis/lab/world.ts'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readHolders } from './holders.ts'
import { readFacts } from './reading.ts'

/** Real daemons of Debian, a web server in a namespace of its own behind destination NAT, and rpcbind with a program registered. */
const SCRIPT = join(import.meta.dirname, '../../host/portcullis-host')
const net = network('servers', '10.79.10.0/24', 'fd79:10::/64')
let lab: Lab
let observations: readonly Observation[]

beforeAll(async () => {
  lab = await startWorld(
    {
      networks: [net],
      hosts: [server('web-1', interfaceIn(net, 10), { services: [{ daemon: 'nginx' }, { daemon: 'redis', scope: 'loopback' }, { daemon: 'rpcbind' }, { daemon: 'container', published: 8080, target: 80 }] })],
    },
    { prefix: `pd-${process.pid}` },
  )
  const host = lab.host('web-1')
  await host.must(['rpcinfo', '-p', '127.0.0.1'])
  await host.must(['install', '-m', '755', SCRIPT, '/usr/local/sbin/portcullis-host'])
  await host.must(['sh', '-c', 'cp /usr/bin/socat /root/own-server'])
  host.start('own', ['/root/own-server', 'TCP4-LISTEN:7777,fork,reuseaddr', 'EXEC:/bin/cat'])
  host.start('replaced', ['sh', '-c', 'cp /usr/bin/socat /root/old && /root/old TCP4-LISTEN:7778,fork,reuseaddr EXEC:/bin/cat & sleep 0.5; rm /root/old; wait'])
  await host.must(['sh', '-c', 'until ss -Hltn | grep -q :7778 && [ ! -e /root/old ] && ss -Hltn | grep -q :7777; do sleep 0.1; done'])
  observations = await observe()
})
afterAll(() => lab?.stop())

async function observe(): Promise<readonly Observation[]> {
  const host = lab.host('web-1')
  const [facts, held] = [await host.must(['/usr/local/sbin/portcullis-host', 'facts']), await host.must(['/usr/local/sbin/portcullis-host', 'holders'])]
  const holders = readHolders('web-1', held)
  if (!holders.ok) throw new Error(holders.faults[0]?.what.en)
  const reading = readFacts('web-1', 1, facts, holders.value)
  if (!reading.ok) throw new Error(reading.faults[0]?.what.en)
  return reading.value.observations
}

const digestOf = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex')

describe('listeners', () => {
  test.each([
    [443, 'nginx', '/usr/sbin/nginx', 'nginx', '0.0.0.0'],
    [6379, 'redis-server', '/usr/bin/redis-check-rdb', 'redis-tools', '127.0.0.1'],
    [111, 'rpcbind', '/usr/sbin/rpcbind', 'rpcbind', '0.0.0.0'],
    [22, 'sshd', '/usr/sbin/sshd', 'openssh-server', '0.0.0.0'],
  ])('on %i: %s of package', (port, process, executable, owner, address) => {
    const found = observations.filter((seen) => seen.kind === 'listener' && seen.protocol === 'tcp' && seen.port === port && formatAddress(seen.address) === address)
    expect(found).toMatchObject([{ process, executable, package: owner, digest: digestOf(executable) }])
    expect(found).not.toMatchObject([{ untold: expect.anything() }])
  })

  const at = (port: number): Observation | undefined => observations.find((seen) => seen.kind === 'listener' && seen.port === port)
  test('a program that no package brought is said to be of none', () => expect(at(7777)).toMatchObject({ executable: '/root/own-server', package: 'none', digest: digestOf('/usr/bin/socat') }))
  test('a program that was deleted while it ran has its digest, and its package is unknown because', () =>
    expect(at(7778)).toMatchObject({ executable: '/root/old (deleted)', digest: digestOf('/usr/bin/socat'), untold: 'package: the program was replaced while it ran' }))
  test('a program of RPC is told by its port', () => expect(at(111)).toMatchObject({ program: 'portmapper' }))
})

describe('the container', () => {
  test('its listener is one of another namespace, and no endpoint of the host', () => {
    expect(observations.filter((seen) => seen.kind === 'inner-listener').map((seen) => (seen.kind === 'inner-listener' ? `${seen.namespace} ${formatAddress(seen.address)} ${seen.port} ${seen.process} ${seen.package}` : ''))).toEqual([
      'container 0.0.0.0 80 nginx nginx',
      'container :: 80 nginx nginx',
    ])
  })

  test('the port that is published says who answers', () => {
    const published = observations.filter((seen) => seen.kind === 'published' && seen.ports.first === 8080)
    expect(published).not.toEqual([])
    for (const each of published) expect(each).toMatchObject({ holder: 'nginx in container' })
  })

  test('in the matrix it stands apart from what the host listens on', () => {
    const rows = [...foldMatrix({ observations, zones: [] })]
    expect(rows.filter((row) => row.port === 80).map(({ addressClass, zone }) => `${addressClass} ${zone}`)).toEqual(['ipv4 elsewhere', 'ipv6 elsewhere', 'namespace itself'])
    expect(rows.filter((row) => row.port === 8080).map((row) => row.published[0]?.holder)).toEqual(['nginx in container', 'nginx in container'])
  })
})

test('a program is read once: the second time its digest is known by the file', async () => {
  const host = lab.host('web-1')
  const before = await host.must(['cat', '/run/portcullis/programs'])
  const [, digest = ''] = before.split('\n').find((line) => line.includes('/usr/sbin/nginx'))?.split('\t') ?? []
  expect(digest).toMatch(/^[0-9a-f]{64}$/)
  await host.must(['sh', '-c', `sed -i 's/${digest}/${'0'.repeat(64)}/' /run/portcullis/programs`])
  expect(await observe()).toContainEqual(expect.objectContaining({ port: 443, digest: '0'.repeat(64) }))
})

test('who is not root is refused', async () => {
  const { exitCode, stderr } = await lab.host('web-1').run(['setpriv', '--reuid', '65534', '--clear-groups', '/usr/local/sbin/portcullis-host', 'holders'])
  expect([exitCode, stderr]).toEqual([10, expect.stringContaining('needs root')])
})
