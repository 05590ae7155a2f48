import type { Result } from '@portcullis/core/fault/fault.ts'
import type { Host } from '@portcullis/core/policy/policy.ts'
import { hostSession, type HostSession } from './hostSession.ts'
import type { Cancellation, HostLink, Hosts } from './ports.ts'

/** A link for questions that do not ask whether the way still lets new connections in. */
export const reachHost = (hosts: Hosts, host: Host, signal?: Cancellation): Promise<Result<HostLink>> =>
  hosts.reach ? hosts.reach(host, signal) : hosts.connect(host, signal)

/** What is asked over one link, which is closed whatever comes. Throws what the link throws. */
export async function overLink<T>(opening: Promise<Result<HostLink>>, task: (session: HostSession) => Promise<Result<T>>): Promise<Result<T>> {
  const link = await opening
  if (!link.ok) return link
  try {
    return await task(hostSession(link.value))
  } finally {
    await link.value.close().catch(() => undefined)
  }
}
