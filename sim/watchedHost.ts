import type { Observation } from '@portcullis/core/inventory/observation.ts'
import type { RecordedUsage } from '@portcullis/core/inventory/usageDays.ts'
import { atHour, between, diceOf, observationsOf, type SimUse } from './usageWorld.ts'

export const FIRST_DAY = 20_700

/** Forty days of a host that restarts, is not read on some days, loses evidence, and whose daemons come and go. */
export function watchedHost(host: string, seed: number): Observation[] {
  const dice = diceOf(seed)
  const uses = Array.from({ length: 300 }, (): SimUse => ({
    at: atHour(FIRST_DAY + between(dice, 0, 39), between(dice, 0, 23)),
    source: dice() < 0.3 ? '2001:db8::7' : `10.0.0.${between(dice, 1, 9)}`,
    protocol: dice() < 0.5 ? 'tcp' : 'udp',
    port: between(dice, 440, 444),
    connections: between(dice, 1, 9),
  }))
  return observationsOf({
    host,
    firstDay: FIRST_DAY,
    days: 40,
    readAtHour: 22,
    listeners: [{ protocol: 'tcp', port: 443, process: 'nginx' }, { protocol: 'udp', port: 444, process: 'old', until: FIRST_DAY + 20 }],
    uses,
    unread: new Set([FIRST_DAY + 9, FIRST_DAY + 10, FIRST_DAY + 30]),
    restarts: new Set([FIRST_DAY + between(dice, 11, 25)]),
    losses: [{ day: FIRST_DAY + 33, protocol: 'tcp', port: 441 }],
  })
}

export async function allOf(usages: AsyncIterable<RecordedUsage>): Promise<RecordedUsage[]> {
  const all: RecordedUsage[] = []
  for await (const usage of usages) all.push(usage)
  return all
}

/** What has no order of its own, in one. */
export const inOneOrder = (usages: readonly RecordedUsage[]): RecordedUsage[] =>
  usages.map(({ host, claims, watches, uses }) => ({ host, claims: byText(claims), watches: byText(watches), uses: byText(uses.map((use) => ({ ...use, days: [...new Set(use.days)].toSorted((a, b) => a - b) }))) }))

const byText = <T>(values: readonly T[]): T[] => values.toSorted((a, b) => (textOf(a) < textOf(b) ? -1 : 1))

const textOf = (value: unknown): string => JSON.stringify(value, (_, part: unknown) => (typeof part === 'bigint' ? String(part) : part))
