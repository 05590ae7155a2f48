import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Observation } from '@portcullis/core/inventory/observation.ts'
import { formatAddress } from '@portcullis/core/net/address.ts'
import { formatPortRange } from '@portcullis/core/net/port.ts'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readCounters } from './counters.ts'
import { readFacts } from './reading.ts'

const AT = 1_795_503_992_500
const FACTS = readFileSync(join(import.meta.dirname, 'testdata/facts.txt'), 'utf8')
const COUNTERS = readFileSync(join(import.meta.dirname, 'testdata/counters.txt'), 'utf8')

/** What `systemctl list-sockets` says on a host whose sockets on 631, 2222 and 9090 are systemd's. */
const SOCKETS = '127.0.0.1:631 cups.socket cups.service\n0.0.0.0:2222 ssh.socket ssh.service\n[::]:9090 cockpit.socket cockpit.service\n'
const WITH_SYSTEMD = FACTS.replace('@section sysctls', `@section sockets ${SOCKETS.length}\n${SOCKETS}\n@section sysctls`)

const read = (text: string) => {
  const reading = readFacts('web-1', AT, text)
  if (!reading.ok) throw new Error(reading.faults[0]?.what.en)
  return reading.value
}

function describeObservation(each: Observation): string {
  switch (each.kind) {
    case 'listener': {
      const owner = [each.process ?? '-', each.unit ?? '-', each.activatedBy && `by ${each.activatedBy}`, each.user, each.interface && `on ${each.interface}`, each.isLoopback && 'loopback', each.isEphemeral && 'ephemeral']
      return `${each.protocol} ${formatAddress(each.address)} ${each.port}: ${owner.filter(Boolean).join(', ')}`
    }
    case 'published':
      return `${each.sensor}: ${each.protocol} ${each.address ? formatAddress(each.address) : ''} ${formatPortRange(each.ports)} → ${each.target}`
    case 'flow':
      return `${each.protocol} ${each.port} from ${formatAddress(each.source)} x${each.connections}, ${each.bytes} bytes, ${(AT - (each.firstSeen ?? 0)) / 1000} s${each.isAnswered ? '' : ', unanswered'}`
    case 'reading':
      return `${each.sensor} read all ${each.covers}`
    case 'evidence':
      return `${each.sensor} lost ${each.lost}: ${each.because}`
    case 'scan':
      return each.state
    case 'documented':
      return each.name
    case 'use':
    case 'scan-rest':
    case 'inner-listener':
      throw new Error(`facts alone tell no ${each.kind}`)
  }
}

describe('a host with sshd, nginx, redis, dnsmasq, storescp, sockets of systemd and a program with odd ones', () => {
  const { observations, ...facts } = read(WITH_SYSTEMD)
  const told = (...kinds: readonly Observation['kind'][]): string[] => observations.filter((each) => kinds.includes(each.kind)).map(describeObservation)

  test('listeners', () => {
    expect(told('listener').toSorted()).toMatchInlineSnapshot(`
      [
        "tcp 0.0.0.0 11112: storescp, storescp.service, root",
        "tcp 0.0.0.0 2222: -, ssh.service, by ssh.socket, root",
        "tcp 0.0.0.0 22: sshd, ssh.service, root",
        "tcp 0.0.0.0 41000: a"b, odd-name.service, root, ephemeral",
        "tcp 0.0.0.0 80: nginx, nginx.service, root",
        "tcp 0.0.0.0 8443: nginx, nginx.service, root",
        "tcp 0.0.0.0 9090: -, cockpit.service, by cockpit.socket, root",
        "tcp 10.77.0.2 53: dnsmasq, dnsmasq.service, root",
        "tcp 10.77.0.2 7001: a"b, odd-name.service, root",
        "tcp 127.0.0.1 53: dnsmasq, dnsmasq.service, root, loopback",
        "tcp 127.0.0.1 631: -, cups.service, by cups.socket, root, loopback",
        "tcp 127.0.0.1 6379: redis-server, redis-server.service, uid 65534, loopback",
        "tcp :: 22: sshd, ssh.service, root",
        "tcp :: 80: nginx, nginx.service, root",
        "tcp :: 8443: nginx, nginx.service, root",
        "tcp :: 9090: -, cockpit.service, by cockpit.socket, root",
        "tcp ::1 6379: redis-server, redis-server.service, uid 65534, loopback",
        "udp 0.0.0.0 5353: a"b, odd-name.service, root",
        "udp 0.0.0.0 68: a"b, odd-name.service, root, on eth0",
        "udp 10.77.0.2 53: dnsmasq, dnsmasq.service, root",
        "udp 127.0.0.1 53: dnsmasq, dnsmasq.service, root, loopback",
        "udp :: 5353: a"b, odd-name.service, root",
        "udp fe80::f074:d3ff:fe74:cf81 546: a"b, odd-name.service, root, on eth0",
      ]
    `)
  })

  test('published ports and live flows', () => {
    expect(told('published', 'flow')).toMatchInlineSnapshot(`
      [
        "nft: tcp 0.0.0.0 8080 → 172.17.0.2:80",
        "nft: tcp 0.0.0.0 31000-31005 → this host:80",
        "nft: tcp 0.0.0.0 32000 → 10.0.0.9:443",
        "nft: tcp 0.0.0.0 33000 → 10.0.0.1",
        "nft: tcp 0.0.0.0 33001 → 10.0.0.2",
        "nft: udp 10.77.0.2 5000-5005 → 172.17.0.3",
        "iptables-legacy: tcp 0.0.0.0 5000 → 172.17.0.4:5000",
        "iptables-legacy: tcp 10.77.0.2 9081 → this host:80",
        "iptables-legacy: tcp 10.77.0.2 9090-9095 → this host:80",
        "tcp 22 from 10.77.0.9 x1, 317 bytes, 1 s",
        "udp 5353 from 10.77.0.9 x1, 29 bytes, 0 s, unanswered",
        "tcp 53 from 10.77.0.9 x1, 172 bytes, 1 s",
        "tcp 80 from 10.77.0.9 x2, 344 bytes, 1 s",
        "tcp 80 from 2001:db8:77::9 x1, 232 bytes, 1 s",
      ]
    `)
  })

  test('what was read completely', () => {
    expect(told('reading', 'evidence')).toEqual(['ss read all listeners', 'nft read all published', 'iptables-legacy read all published'])
  })

  test('the host itself', () => {
    expect(facts).toMatchObject({
      script: { version: '0.1.0' }, nftVersion: '1.0.6', clock: 1_795_503_992_015, conntrack: { count: 6, countMax: 262_144 },
      osName: 'Debian GNU/Linux 12 (bookworm)', hasSystemd: false, missingTools: [], failures: [],
      topology: { isForwarding: { 4: false, 6: false }, unmodelled: [], interfaces: [{ index: 1, name: 'lo', type: 772 }, { index: 2, name: 'eth0', type: 1 }] },
    })
    expect(facts.confirmed).toBeUndefined()
    expect(facts.sysctls.get('net/ipv4/tcp_syncookies')).toBe('1')
    expect([...facts.runtimes.keys()]).toEqual(['ufw'])
  })
})

/** The answer with one section's text exchanged, or left out. */
function exchange(name: string, text: string | undefined): string {
  const section = new RegExp(`@section ${name} [0-9]+\\n[\\s\\S]*?\\n(?=@section |@end)`)
  return FACTS.replace(section, () => (text === undefined ? '' : `@section ${name} ${Buffer.byteLength(text)}\n${text}\n`))
}

describe('what a host cannot tell is unknown', () => {
  test.each<[string, string, string[]]>([
    ['no listeners', exchange('listeners', undefined), ['nft read all published', 'iptables-legacy read all published']],
    ['a line that ss did not write', exchange('listeners', 'tcp LISTEN 0 5 0.0.0.0:22 0.0.0.0:*\nwhat?\n'), ['ss lost 1: listeners not understood, the first in line 63 of the answer', 'nft read all published', 'iptables-legacy read all published']],
    ['rules that are not nft’s', exchange('nft', '{"nftables": 1}'), ['ss read all listeners', 'iptables-legacy read all published']],
    ['more flows than are listed', exchange('flows', '# truncated\n'), ['conntrack lost 1: connection tracking: more flows than are listed']],
    ['a tool that failed', exchange('failed', 'flows 1 conntrack is not installed\n'), ['facts lost 1: flows could not be read: exit code 1: conntrack is not installed']],
  ])('%s', (_, text, expected) => {
    expect(read(text).observations.map(describeObservation)).toEqual(expect.arrayContaining(expected))
  })

  test('a broken section of ip is refused with its place', () => {
    const reading = readFacts('web-1', AT, exchange('addr', '[{"ifindex": "one"}]\n'))
    expect(reading).toMatchObject({ ok: false, faults: [{ code: 'FACTS_SECTION', place: { file: 'facts of web-1', line: 47, column: 1 } }] })
  })
})

describe('a hostile host', () => {
  const mutation = fc.record({ at: fc.nat(), remove: fc.nat(40), insert: fc.oneof(fc.string({ maxLength: 12 }), fc.constantFrom('\n', '"', '))', '@end\n', '@section a 1\n', '\u0000', '{', ']', ' uid:', '%')) })
  const mutate = (text: string, changes: readonly { at: number; remove: number; insert: string }[]): string =>
    changes.reduce((changed, { at, remove, insert }) => {
      const start = at % changed.length
      return changed.slice(0, start) + insert + changed.slice(start + remove)
    }, text)
  /** The lengths made right again, so that a change reaches the reader behind the frame. */
  const reframe = (text: string): string =>
    text.replaceAll(/@section ([a-z0-9_-]+) [0-9]+\n([\s\S]*?)\n(?=@section |@end)/g, (_, name: string, content: string) => `@section ${name} ${Buffer.byteLength(content)}\n${content}\n`)

  test.each([
    ['facts', FACTS, (text: string) => readFacts('web-1', AT, text)],
    ['counters', COUNTERS, (text: string) => readCounters('web-1', AT, text)],
  ])('changed %s are read or refused with a place, never a crash', (_, text, reader) => {
    fc.assert(
      fc.property(fc.array(mutation, { minLength: 1, maxLength: 6 }), fc.boolean(), (changes, isFramed) => {
        const changed = mutate(text, changes)
        const result = reader(isFramed ? reframe(changed) : changed)
        if (!result.ok) expect(result.faults.every((fault) => fault.code.startsWith('FACTS_') && fault.place !== undefined)).toBe(true)
      }),
      { numRuns: 300 },
    )
  })
})
