import { execFileSync } from 'node:child_process'
import { afterAll, beforeAll, expect, test } from 'vitest'

// A process cannot move all its threads into a namespace (setns(2) moves one), so each check runs as its own process there.
const NAMESPACES = ['pb-raw-a', 'pb-raw-b'] as const

const ip = (...args: string[]): string => execFileSync('ip', args, { encoding: 'utf8' })
const inside = (namespace: string, ...argv: string[]): string =>
  execFileSync('ip', ['netns', 'exec', namespace, ...argv], { encoding: 'utf8', timeout: 30_000 })

beforeAll(() => {
  for (const namespace of NAMESPACES) {
    ip('netns', 'add', namespace)
    ip('-n', namespace, 'link', 'set', 'lo', 'up')
  }
  ip('link', 'add', 'pb-raw0', 'netns', 'pb-raw-a', 'type', 'veth', 'peer', 'name', 'pb-raw1', 'netns', 'pb-raw-b')
  ip('-n', 'pb-raw-a', 'addr', 'add', '10.99.1.1/24', 'dev', 'pb-raw0')
  ip('-n', 'pb-raw-b', 'addr', 'add', '10.99.1.2/24', 'dev', 'pb-raw1')
  ip('-n', 'pb-raw-a', 'link', 'set', 'pb-raw0', 'up')
  ip('-n', 'pb-raw-b', 'link', 'set', 'pb-raw1', 'up')
})

afterAll(() => {
  for (const namespace of NAMESPACES) ip('netns', 'del', namespace)
})

const script = (body: string): string[] => [process.execPath, '--input-type=module-typescript', '-e', body]
const here = new URL('.', import.meta.url).href

test('frames sent by one socket reach another, through its filter only', () => {
  const out = inside(
    'pb-raw-a',
    ...script(`
      import { openPacketSocket } from '${here}packetSocket.ts'
      import { assemble } from '${here}packetFilter.ts'
      const opened = await openPacketSocket('pb-raw0')
      if (!opened.ok) throw new Error(JSON.stringify(opened))
      const socket = opened.value
      socket.attachFilter(assemble([
        { load: 'half', at: 12 }, { test: '==', value: 0x0806, ifYes: 'arp' }, { give: 0 }, { label: 'arp' }, { give: 262144 },
      ]))
      const batch = socket.newSendBatch({ capacity: 3, slotBytes: 64 })
      const arp = Buffer.concat([Buffer.alloc(6, 255), socket.hardwareAddress, Buffer.from('08060001080006040001', 'hex'),
        socket.hardwareAddress, Buffer.from([10, 99, 1, 1]), Buffer.alloc(6), Buffer.from([10, 99, 1, 2])])
      for (let i = 0; i < 3; i++) { arp.copy(batch.slot(i)); batch.setLength(i, arp.length) }
      const sent = socket.sendFrames(batch, 3)
      let answers = 0
      while (answers < 3 && await socket.waitReadable(1000)) answers += socket.receiveFrames()
      const reply = socket.inbox.received(0)
      console.log(JSON.stringify({ sent, answers, operation: reply.readUInt16BE(20), from: [...reply.subarray(28, 32)], lost: socket.takeLost() }))
      socket.close()
      try { socket.inbox.received(0); console.log('reachable') } catch { console.log('gone') }
    `),
  )
  expect(out.trim().split('\n')).toEqual([
    JSON.stringify({ sent: 3, answers: 3, operation: 2, from: [10, 99, 1, 2], lost: 0 }),
    'gone',
  ])
})

test('packets logged to a group arrive with hook, interface and the first bytes', () => {
  inside('pb-raw-b', 'nft', 'add table ip t; add chain ip t c { type filter hook input priority 0; }; add rule ip t c icmp type echo-request log group 7 prefix "probe" snaplen 80 drop')
  const out = inside(
    'pb-raw-b',
    ...script(`
      import { spawn } from 'node:child_process'
      import { openNflog } from '${here}nflog.ts'
      const opened = await openNflog(7)
      if (!opened.ok) throw new Error(JSON.stringify(opened))
      const second = await openNflog(7)
      spawn('ip', ['netns', 'exec', 'pb-raw-a', 'ping', '-c', '5', '-i', '0.01', '-W', '1', '10.99.1.2'], { stdio: 'ignore' })
      const seen = []
      while (seen.length < 5 && await opened.value.waitReadable(3000)) {
        opened.value.receive((p) => seen.push([p.hook, p.etherType, p.prefix, p.payload.length, p.payload[9], p.inputInterface > 0]))
      }
      console.log(JSON.stringify({ seen, overruns: opened.value.takeOverruns(), second: second.ok ? 'opened' : second.faults[0].code }))
      opened.value.close()
    `),
  )
  expect(JSON.parse(out)).toEqual({
    seen: Array.from({ length: 5 }, () => [1, 0x0800, 'probe', 80, 1, true]),
    overruns: 0,
    second: 'NFLOG_GROUP_TAKEN',
  })
})

test('what is missing is told, not thrown', () => {
  const open = (user: string[], name: string): string =>
    inside('pb-raw-a', ...user, ...script(`
      import { openPacketSocket } from '${here}packetSocket.ts'
      const opened = await openPacketSocket('${name}')
      console.log(opened.ok ? 'opened' : opened.faults[0].code)
    `)).trim()
  expect(open([], 'pb-none')).toBe('RAWSOCKET_NO_INTERFACE')
  expect(open([], 'lo')).toBe('RAWSOCKET_NOT_ETHERNET')
  expect(open(['setpriv', '--bounding-set', '-net_raw', '--inh-caps', '-net_raw'], 'pb-raw0')).toBe('RAWSOCKET_NO_CAPABILITY')
})

test('root of a user namespace has a socket, with smaller buffers', () => {
  const open = `
    import { openPacketSocket } from '${here}packetSocket.ts'
    const opened = await openPacketSocket('pb-user0')
    console.log(opened.ok ? 'opened' : opened.faults[0].code)
  `
  const shell = 'ip link add pb-user0 type veth peer name pb-user1 && ip link set pb-user0 up && exec "$@"'
  expect(inside('pb-raw-a', 'unshare', '-Urn', 'sh', '-c', shell, 'sh', ...script(open)).trim()).toBe('opened')
})
