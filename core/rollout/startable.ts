import type { Instant } from '../inventory/observation.ts'
import type { Rollout } from './rollout.ts'

/**
 * Hosts of the present wave that may begin now: no more than the limit at a time, and of one application one after the
 * other, so that no service loses two replicas at once. O(log n) for each host that is busy, and that for each that begins.
 */
export function startable({ hosts, wave, options }: Rollout, at: Instant): readonly string[] {
  if (hosts.busy >= options.concurrencyMax) return []
  const apps = hosts.busyApps()
  const begun: string[] = []
  while (hosts.busy + begun.length < options.concurrencyMax) {
    const name = hosts.firstWaiting(wave, apps, at)
    if (name === undefined) break
    apps.add(hosts.get(name)?.app ?? name)
    begun.push(name)
  }
  return begun
}
