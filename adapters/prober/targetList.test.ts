import { formatAddress } from '@portcullis/core/net/address.ts'
import { expect, test } from 'vitest'
import { parsePortList } from './portList.ts'
import { readRoutes } from './route.ts'
import { readScanSpec } from './scanSpec.ts'
import { formatTarget, parseTargets } from './targetList.ts'

test.each<[string[], string[] | string]>([
  [['192.0.2.7'], ['192.0.2.7']],
  [['192.0.2.0/30'], ['192.0.2.0', '192.0.2.1', '192.0.2.2', '192.0.2.3']],
  [['192.0.2.1-3', '192.0.2.2'], ['192.0.2.1', '192.0.2.2', '192.0.2.3']],
  [['192.0.2.254-192.0.3.1'], ['192.0.2.254', '192.0.2.255', '192.0.3.0', '192.0.3.1']],
  [['2001:db8::1-2001:db8::2'], ['2001:db8::1', '2001:db8::2']],
  [['192.0.2.9-3'], 'PROBER_RANGE'],
  [['192.0.2.1-2001:db8::1'], 'PROBER_RANGE'],
  [['192.0.2.1/24'], 'NET_PREFIX_HOST_BITS'],
  [['host.example'], 'PROBER_NAME'],
  [['web-1'], 'PROBER_NAME'],
  [['10.98.0.300'], 'NET_ADDRESS'],
  [['fe80::1%eth0', 'fe80::1%eth1', 'fe80::1%eth0'], ['fe80::1%eth0', 'fe80::1%eth1']],
  [['fe80::1'], 'PROBER_NO_ZONE'],
  [['fe80::1%'], 'PROBER_NO_ZONE'],
  [['fe80::1%eth0 oif eth1'], 'PROBER_NO_ZONE'],
  [['fe80::1%eth0\nlink del eth0'], 'NET_ADDRESS'],
  [['2001:db8::1%eth0'], 'PROBER_ZONE'],
  [['192.0.2.1%eth0'], 'PROBER_ZONE'],
  [['0.0.0.0'], 'PROBER_NOT_ONE_HOST'],
  [['::'], 'PROBER_NOT_ONE_HOST'],
  [['224.0.0.1'], 'PROBER_NOT_ONE_HOST'],
  [['ff02::1'], 'PROBER_NOT_ONE_HOST'],
  [['255.255.255.255'], 'PROBER_NOT_ONE_HOST'],
  [['223.255.255.254-224.0.0.1'], 'PROBER_NOT_ONE_HOST'],
  [['10.0.0.0/8'], 'PROBER_TOO_MANY_TARGETS'],
  [['2001:db8::/64'], 'PROBER_TOO_MANY_TARGETS'],
  [[], 'PROBER_NO_TARGET'],
])('targets %j', (inputs, expected) => {
  const parsed = parseTargets(inputs)
  expect(parsed.ok ? parsed.value.map(formatTarget) : parsed.faults[0]?.code).toEqual(expected)
})

test.each<[string, number[] | string]>([
  ['22', [22]],
  ['80, 22,79-81', [22, 79, 80, 81]],
  ['', []],
  ['0', 'NET_PORT'],
  ['1-65536', 'NET_PORT'],
  ['ssh', 'NET_PORT'],
])('ports %j', (input, expected) => {
  const parsed = parsePortList(input)
  expect(parsed.ok ? [...parsed.value] : parsed.faults[0]?.code).toEqual(expected)
})

test.each([
  [{ targets: ['192.0.2.1'], prots: '22' }, 'PROBER_SPEC'],
  [{ targets: ['192.0.2.1'], rate: 0 }, 'PROBER_SPEC'],
  [{ targets: ['192.0.2.1'], ports: '' }, 'PROBER_NO_PORT'],
  [{ targets: ['192.0.2.1'], resume: { digest: 'x', cells: {} } }, 'PROBER_FOREIGN_STATE'],
  [null, 'PROBER_SPEC'],
])('spec %j is refused', (spec, code) => {
  const read = readScanSpec(spec)
  expect(read.ok ? 'read' : read.faults[0]?.code).toBe(code)
})

test('routes as ip -json prints them', () => {
  const line =
    '[{"dst":"192.0.2.9","gateway":"10.0.0.254","dev":"eth0","prefsrc":"10.0.0.1","flags":[],"uid":0,"cache":[]},' +
    '{"type":"local","dst":"10.0.0.1","dev":"lo","prefsrc":"10.0.0.1"},{"dst":"192.0.2.10","dev":"eth0"}]'
  const routes = new Map(readRoutes(line))
  expect([...routes.keys()]).toEqual(['192.0.2.9', '10.0.0.1'])
  expect(formatAddress(routes.get('192.0.2.9')?.nextHop ?? { family: 4, value: 0n })).toBe('10.0.0.254')
  expect(routes.get('10.0.0.1')?.isLocal).toBe(true)
  expect(readRoutes('Error: something')).toEqual([])
})
