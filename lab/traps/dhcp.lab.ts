import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Spawned } from '../netns.ts'
import { load, openTrap, OUTSIDE, textOf, until, type Trap } from './trap.ts'

/**
 * Trap: the answer to a DHCP request need not come from where the request went. DHCPv6 asks by multicast, and a DHCPv4
 * server with a standby may answer from another address. Neither answer belongs to an established flow, and the lease is lost hours later.
 */
let trap: Trap
let folder: string

beforeEach(async () => {
  trap = await openTrap('dhcp')
  folder = mkdtempSync(join(tmpdir(), 'rt-dhcp-'))
  await startServer()
  await until(async () => (await trap.host.must(['ip', '-6', 'address', 'show', 'tentative'])) === '')
})
afterEach(async () => {
  await trap[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true })
})

describe('DHCPv6', () => {
  const client = () => trap.host.spawn(['dhclient', '-6', '-1', '-d', '-sf', '/bin/true', '-lf', join(folder, 'v6'), '-pf', join(folder, 'pid'), 'eth0'])

  test('gets its lease', async () => {
    await load(trap.host, textOf({}))
    expect(await says(client(), /Bound to lease/)).toBe(true)
  })

  test('without the cure, no answer comes', async () => {
    await load(trap.host, textOf({}).replaceAll(/^.*DHCPv6 client.*$/gm, ''))
    expect(await says(client(), /RCV/)).toBe(false)
  })
})

describe('DHCPv4', () => {
  test('renews its lease, whichever of its addresses the server answers from', async () => {
    expect(await renews(textOf({}))).toBe(true)
  })

  test('without the cure, the answer is not heard', async () => {
    expect(await renews(textOf({}).replaceAll(/^.*DHCP client.*$/gm, ''))).toBe(false)
  })

  async function renews(text: string): Promise<boolean> {
    const script = join(folder, 'bound')
    writeFileSync(script, '#!/bin/sh\n[ "$1" != bound ] || exec ip address replace "$ip/24" dev "$interface"\n')
    chmodSync(script, 0o700)
    const client = trap.host.spawn(['busybox', 'udhcpc', '-f', '-i', 'eth0', '-s', script, '-t', '1', '-T', '1'])
    expect(await says(client, /lease of \S+ obtained/)).toBe(true)
    await load(trap.outside, `table ip failover {
      chain output { type filter hook output priority 0; udp sport 67 ip saddr set ${OUTSIDE.other}; }
    }`)
    await load(trap.host, text)
    client.process.kill('SIGUSR1')
    // Only the answer to the unicast request counts: for a broadcast one this client listens on a packet socket, which no firewall sees.
    return await says(client, /sending renew to server \S+\s+udhcpc: lease of \S+ obtained/)
  }
})

async function startServer(): Promise<void> {
  const files = ['--conf-file=/dev/null', `--pid-file=${folder}/dnsmasq.pid`, `--dhcp-leasefile=${folder}/leases`]
  const ranges = ['--dhcp-range=10.61.0.100,10.61.0.120,2m', '--dhcp-range=fd61::100,fd61::120,2m']
  const options = ['--keep-in-foreground', '--user=root', '--port=0', '--interface=eth0', '--bind-interfaces', '--no-ping', '--dhcp-authoritative']
  trap.outside.spawn(['dnsmasq', ...options, ...files, ...ranges])
  await until(async () => /:67 [^]*:547 /.test(await trap.outside.must(['ss', '-Hlnu'])))
}

/** Whether a process says something within 6 s. */
async function says({ process }: Spawned, what: RegExp): Promise<boolean> {
  let text = ''
  const note = (chunk: Buffer) => (text += chunk.toString())
  for (const stream of [process.stdout, process.stderr]) stream?.on('data', note)
  try {
    await until(async () => what.test(text), 6_000)
    return true
  } catch {
    return false
  }
}
