import type { Result } from '@portcullis/core/fault/fault.ts'
import type { Host } from '@portcullis/core/policy/policy.ts'
import type { Cancellation, HostLink, Hosts } from './ports.ts'

/** A link for questions that do not ask whether the way still lets new connections in. */
export const reachHost = (hosts: Hosts, host: Host, signal?: Cancellation): Promise<Result<HostLink>> =>
  hosts.reach ? hosts.reach(host, signal) : hosts.connect(host, signal)
