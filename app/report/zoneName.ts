import type { Text } from '@portcullis/core/fault/fault.ts'
import { ELSEWHERE } from '@portcullis/core/inventory/zone.ts'
import { both, escape } from './markup.ts'

/** A zone is called as the policy calls it; the place that is none of them has a name of its own in each language. */
export const zoneName = (zone: string): Text => (zone === ELSEWHERE ? { en: zone, zh: '其他来源' } : { en: zone, zh: zone })

export const zoneMarkup = (zone: string): string => (zone === ELSEWHERE ? both(zoneName(zone)) : escape(zone))

/** The place that is no zone comes last. */
export const byZone = (a: string, b: string): number => Number(a === ELSEWHERE) - Number(b === ELSEWHERE) || (a < b ? -1 : 1)
