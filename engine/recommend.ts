import { dayOf, type BusinessCalendar } from '@portcullis/core/inventory/businessCalendar.ts'
import type { Instant } from '@portcullis/core/inventory/observation.ts'
import { sourceKey, type Scanners } from '@portcullis/core/inventory/scanner.ts'
import type { HostUsage } from '@portcullis/core/inventory/usageDays.ts'
import { compareAddresses, formatAddress, type Address } from '@portcullis/core/net/address.ts'
import type { Host, Policy } from '@portcullis/core/policy/policy.ts'
import { draftNeeds, needsOpening, type DraftNeed } from '@portcullis/core/policy/recommend/draftNeeds.ts'
import { judgeHost } from '@portcullis/core/policy/recommend/judge.ts'
import type { Profile } from '@portcullis/core/policy/recommend/profile.ts'
import type { Recommendation } from '@portcullis/core/policy/recommend/recommendation.ts'
import { readRecordedUses } from './recordedUses.ts'
import type { Store } from './store.ts'

export interface RecommendOptions {
  readonly now: Instant
  readonly since: Instant
  readonly calendar: BusinessCalendar
  readonly unseenShare: number
  readonly profiles: readonly Profile[]
  readonly reviewDays: number
}

export interface RecommendReport {
  /** Sorted by host as given, then protocol and port. */
  readonly recommendations: readonly Recommendation[]
  readonly needs: readonly DraftNeed[]
  /** What of each host was watched. */
  readonly watches: readonly HostWatch[]
  /** Sources that were taken for scanners. */
  readonly scanners: readonly string[]
}

export interface HostWatch {
  readonly host: string
  /** 0 where nothing was counted: then everything of it is a question. */
  readonly days: number
  readonly lost: readonly string[]
}

/** The verdicts come after the last host is read. */
export async function recommend(store: Pick<Store, 'usage'>, policy: Policy, hosts: readonly Host[], options: RecommendOptions): Promise<RecommendReport> {
  const { usages, scanners } = await readRecordedUses(store, hosts, options)
  const judge = {
    calendar: options.calendar,
    zones: policy.zones,
    services: policy.services,
    unseenShare: options.unseenShare,
    profiles: options.profiles,
    isNoise: ({ source }: { readonly source: Address }) => scanners.has(source),
  }
  const judged = hosts.flatMap((host, index) => {
    const usage = usages[index]
    return usage ? judgeHost(host, usage, judge) : []
  })
  const recommendations = judged.map((each) => ({ ...each, needs: needsOpening(each, policy.needs) }))
  return {
    recommendations,
    needs: draftNeeds(recommendations, policy, { today: dayOf(options.calendar, options.now), reviewDays: options.reviewDays }),
    watches: usages.map(({ host, watch }) => ({ host, days: watch.watched.days().length, lost: watch.lost })),
    scanners: scannersOf(usages, scanners),
  }
}

function scannersOf(usages: readonly HostUsage[], scanners: Scanners): string[] {
  const found = new Map<number | bigint, Address>()
  for (const { endpoints } of usages) {
    for (const { sources } of endpoints) for (const { source } of sources) if (scanners.has(source)) found.set(sourceKey(source), source)
  }
  return [...found.values()].toSorted(compareAddresses).map(formatAddress)
}
