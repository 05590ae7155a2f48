import { createInterface } from 'node:readline'
import type { Host } from '@portcullis/core/policy/policy.ts'
import type { HostCall, HostLink } from '@portcullis/engine/ports.ts'
import { makeHosts, type HostsOptions } from '../hosts.ts'

/**
 * A controller as a process of its own, so that it can stand inside a lab host and be killed: `relay.ts HOST OPTIONS` (JSON each).
 * A line of standard input is one {@link Order}, a line of standard output its result.
 */
export type Order =
  /** `borrow`: asks a kept link for the version and gives it back. */
  | { readonly kind: 'connect' | 'install' | 'die' | 'borrow' }
  | { readonly kind: 'call'; readonly call: Omit<HostCall, 'signal'> }

const host = JSON.parse(process.argv[2] ?? '') as Host
const hosts = makeHosts(JSON.parse(process.argv[3] ?? '{}') as HostsOptions)
let link: HostLink | undefined

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await obey(JSON.parse(line) as Order))}\n`)
}
await hosts.close()

async function obey(order: Order): Promise<unknown> {
  if (order.kind === 'die') return process.kill(process.pid, 'SIGKILL')
  if (order.kind === 'install') return hosts.install(host)
  if (order.kind === 'borrow') return borrow()
  if (order.kind === 'call' && link) return link.call(order.call)
  const connected = await hosts.connect(host)
  if (!connected.ok) return connected
  link = connected.value
  return order.kind === 'call' ? link.call(order.call) : { ok: true, value: null }
}

async function borrow(): Promise<unknown> {
  const lent = await (hosts.reach?.(host) ?? hosts.connect(host))
  if (!lent.ok) return lent
  const reply = await lent.value.call({ verb: 'version', args: [], timeoutMs: 20_000 })
  await lent.value.close()
  return reply
}
