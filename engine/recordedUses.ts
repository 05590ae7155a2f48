import type { BusinessCalendar } from '@portcullis/core/inventory/businessCalendar.ts'
import type { Instant } from '@portcullis/core/inventory/observation.ts'
import { Scanners, triedOf } from '@portcullis/core/inventory/scanner.ts'
import { foldRecordedUsage, type HostUsage } from '@portcullis/core/inventory/usageDays.ts'
import type { Host } from '@portcullis/core/policy/policy.ts'
import type { Store } from './store.ts'

/**
 * Reads the hosts one after the other; what stays of each is its days of use, in the order of the hosts.
 * Scanners are told by what they tried on all hosts, so nothing is judged before the last one is read.
 */
export async function readRecordedUses(store: Pick<Store, 'usage'>, hosts: readonly Host[], { since, calendar }: { readonly since: Instant; readonly calendar: BusinessCalendar }): Promise<{ readonly usages: readonly HostUsage[]; readonly scanners: Scanners }> {
  const usages: HostUsage[] = []
  const scanners = new Scanners()
  for await (const recorded of store.usage(hosts.map(({ name }) => name), { since, utcOffsetMinutes: calendar.utcOffsetMinutes })) {
    const usage = foldRecordedUsage(recorded, calendar)
    scanners.noteHost(triedOf(usage))
    usages.push(usage)
  }
  return { usages, scanners }
}
