import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { readTopologyText } from './topologyText.ts'

const ADDR = '[{"ifindex":1,"ifname":"lo","link_type":"loopback","addr_info":[{"local":"127.0.0.1","prefixlen":8}]},{"ifindex":2,"ifname":"eth0 [\\"]","link_type":"ether","addr_info":[{"local":"192.0.2.1","prefixlen":24}]},{}]'
const ROUTES = '[{"dst":"default","gateway":"192.0.2.254","dev":"eth0"},{"type":"local","dst":"192.0.2.1","dev":"eth0","table":"local"},{"dst":"default","gateway":"fe80::1","dev":"eth0","pref":"medium"}]'

test('what ip -j prints, in any order, with a sysctl', () => {
  const read = readTopologyText(`net.ipv4.ip_forward = 0\n${ROUTES}\n${ADDR}\n[{"priority":0,"src":"all","table":"local"}]\n`, 'host.json')
  expect(read).toMatchObject({ ok: true, value: { isForwarding: { 4: false, 6: true }, unmodelled: [] } })
  if (!read.ok) return
  expect(read.value.interfaces.map((link) => link.name)).toEqual(['lo', 'eth0 ["]'])
  expect(read.value.routes.map((route) => `${route.type} ${route.destination.family} ${route.table}`)).toEqual(['unicast 4 main', 'local 4 local', 'unicast 6 main'])
})

test('a saved answer of portcullis-host', () => {
  const read = readTopologyText(readFileSync(new URL('testdata/facts.txt', import.meta.url), 'utf8'), 'facts.txt')
  expect(read.ok && read.value.interfaces.length).toBeGreaterThan(0)
})

test('policy routing is told', () => {
  const read = readTopologyText(`${ADDR}${ROUTES}[{"priority":100,"src":"10.0.0.0","table":"vpn"}]`, 'host.json')
  expect(read.ok && read.value.unmodelled).toEqual(['ip rule 100: from 10.0.0.0 lookup vpn'])
})

test.each([
  ['nothing', '', 'FACTS_INCOMPLETE', 1],
  ['addresses alone', ADDR, 'FACTS_INCOMPLETE', 1],
  ['routes alone', ROUTES, 'FACTS_INCOMPLETE', 1],
  ['a ruleset', `${ADDR}\ntable inet filter {\n`, 'FACTS_FILE', 2],
  ['a list of something else', `${ADDR}\n[{"name":"eth0"}]`, 'FACTS_FILE', 2],
  ['a list without an end', '[{"ifname":"lo"', 'FACTS_FILE', 1],
  ['brackets without an end', '['.repeat(100_000), 'FACTS_FILE', 1],
  ['a string without an end', '["\\', 'FACTS_FILE', 1],
])('refused: %s', (_title, text, code, line) => {
  const read = readTopologyText(text, 'host.json')
  expect(read.ok ? [] : read.faults.map((fault) => [fault.code, fault.place?.line])).toEqual([[code, line]])
})
