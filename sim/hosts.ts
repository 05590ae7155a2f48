import { fail, succeed, type Fault, type Result } from '@portcullis/core/fault/fault.ts'
import type { Host } from '@portcullis/core/policy/policy.ts'
import type { HostCall, HostLink, HostReply, Hosts, HostVerb } from '@portcullis/engine/ports.ts'
import type { SimHost } from './host.ts'

/**
 * What goes wrong with one call: `lost` before it is done, `unanswered` after it is done, `gone` for good from before
 * it, `gone-after` for good from after it, or the exit code of a refusal.
 */
export type Mishap = 'lost' | 'unanswered' | 'gone' | 'gone-after' | number

export interface SimHosts extends Hosts {
  /** Strikes the nth call of the verb on the host from now, once; `connect` stands for opening a connection. */
  strike(host: string, verb: HostVerb | 'connect', mishap: Mishap, nth?: number): void
  readonly calls: readonly string[]
}

export function simHosts(hosts: readonly SimHost[]): SimHosts {
  const strikes = new Map<string, { mishap: Mishap; inCalls: number }>()
  const gone = new Set<string>()
  const calls: string[] = []
  const take = (host: string, verb: string): Mishap | undefined => {
    const strike = strikes.get(`${host} ${verb}`)
    if (!strike || --strike.inCalls > 0) return undefined
    strikes.delete(`${host} ${verb}`)
    if (strike.mishap === 'gone') gone.add(host)
    return strike.mishap
  }
  const call = async (host: Host, asked: HostCall): Promise<Result<HostReply>> => {
    calls.push(`${host.name} ${asked.verb}`)
    const mishap = take(host.name, asked.verb)
    if (gone.has(host.name) || mishap === 'lost') return fail(unreachable(host.name))
    if (typeof mishap === 'number') return succeed({ exitCode: mishap, stdout: '', stderr: 'struck\n', durationMs: 1 })
    const reply = simOf(hosts, host).answer(asked)
    if (mishap === 'gone-after') gone.add(host.name)
    return mishap === undefined ? succeed(reply) : fail(unreachable(host.name))
  }
  const linkTo = (host: Host): HostLink => ({ host, call: (asked: HostCall) => call(host, asked), close: async () => undefined })
  return {
    calls,
    strike: (host, verb, mishap, nth = 1) => void strikes.set(`${host} ${verb}`, { mishap, inCalls: nth }),
    connect: async (host) => {
      const mishap = take(host.name, 'connect')
      return mishap !== undefined || gone.has(host.name) ? fail(unreachable(host.name)) : succeed(linkTo(host))
    },
    install: async () => succeed({ path: '/usr/local/sbin/portcullis-host', version: '0.1.0' }),
    close: async () => undefined,
  }
}

function simOf(hosts: readonly SimHost[], host: Host): SimHost {
  const found = hosts.find((candidate) => candidate.name === host.name)
  if (!found) throw new RangeError(`no simulated host ${host.name}`)
  return found
}

const unreachable = (host: string): Fault => ({
  code: 'HOST_UNREACHABLE',
  what: { en: `${host} does not answer`, zh: `${host} 无应答` },
})
