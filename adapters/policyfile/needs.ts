import { parseDay } from '@portcullis/core/policy/day.ts'
import { deriveNeedId } from '@portcullis/core/policy/needId.ts'
import type { Need, Selector, Service } from '@portcullis/core/policy/policy.ts'
import { parseSchedule } from '@portcullis/core/policy/schedule.ts'
import { formatSelector, selectHosts, type HostIndex } from '@portcullis/core/policy/selector.ts'
import type { Path } from './located.ts'
import { unknownName, type Reading } from './reading.ts'
import type { NeedEntry } from './schema.ts'
import { findService } from './services.ts'
import type { ZoneReader } from './zones.ts'

/** Reads needs against the zones, services and hosts of their file. The same selection is worked out, and kept, once. */
export class NeedReader {
  readonly #zones: ZoneReader
  readonly #services: ReadonlyMap<string, Service>
  readonly #hosts: HostIndex
  readonly #reading: Reading
  readonly #selections = new Map<string, readonly string[]>()

  constructor(zones: ZoneReader, services: ReadonlyMap<string, Service>, hosts: HostIndex, reading: Reading) {
    this.#zones = zones
    this.#services = services
    this.#hosts = hosts
    this.#reading = reading
  }

  /** Nothing where the need has a fault of its own. A selection of no hosts is left for the check of the whole policy. */
  readNeed(entry: NeedEntry, index: number): Need | undefined {
    const path: Path = ['needs', index]
    const before = this.#reading.faults.length
    const service = findService(entry.service, this.#services, [...path, 'service'], this.#reading)
    const from = this.#zones.readSources(entry.from, [...path, 'from'])
    const selector = this.#readSelector(entry.to, [...path, 'to'])
    this.#checkReview(entry.review, [...path, 'review'])
    if (entry.schedule !== undefined) this.#checkSchedule(entry.schedule, [...path, 'schedule'])
    if (!service || !from || this.#reading.faults.length > before) return undefined
    const fromText = typeof entry.from === 'string' ? [entry.from] : entry.from
    const { id = deriveNeedId(entry.service, selector, fromText), owner, because, review, schedule, critical = false, flows } = entry
    const need = { id, selector, hosts: this.#select(selector), service, from, fromText, owner, because, review, critical }
    return { ...need, ...(schedule === undefined ? {} : { schedule }), ...(flows === undefined ? {} : { flows }) }
  }

  #readSelector(to: NeedEntry['to'], path: Path): Selector {
    if (to === 'all') return { kind: 'all' }
    if (typeof to === 'string') return this.#readNames([to], () => path)
    if (Array.isArray(to)) return this.#readNames(to, (index) => [...path, index])
    const labels = Object.entries(to).map(([label, value]) => [label, (Array.isArray(value) ? value : [value]).map(String)] as const)
    return { kind: 'labels', labels: Object.fromEntries(labels) }
  }

  #readNames(names: readonly string[], pathOf: (index: number) => Path): Selector {
    for (const [index, name] of names.entries()) {
      if (this.#hosts.known.has(name) || this.#reading.isBroken('fleet', 'hosts', name)) continue
      const fallback = {
        en: 'add it to the fleet; to select by label, write {label: value}',
        zh: '请将其加入主机清单；若按标签选择，应写成 {标签: 取值}',
      }
      this.#reading.refuse(unknownName('POLICY_UNKNOWN_HOST', { en: 'host', zh: '主机' }, name, this.#hosts.names, fallback), pathOf(index))
    }
    return { kind: 'names', names }
  }

  #select(selector: Selector): readonly string[] {
    const key = `${selector.kind} ${formatSelector(selector)}`
    const before = this.#selections.get(key)
    if (before) return before
    const hosts = selectHosts(selector, this.#hosts)
    this.#selections.set(key, hosts)
    return hosts
  }

  #checkReview(review: string, path: Path): void {
    if (parseDay(review) !== undefined) return
    const what = { en: `"${review}" is not a day of the calendar`, zh: `“${review}”不是有效日期` }
    this.#reading.refuse({ code: 'POLICY_REVIEW_DATE', what, next: { en: 'write a day as 2027-03-31', zh: '应写成日期，例如 2027-03-31' } }, path)
  }

  #checkSchedule(written: string, path: Path): void {
    const schedule = parseSchedule(written)
    if (!schedule.ok) {
      for (const fault of schedule.faults) this.#reading.refuse(fault, path)
      return
    }
    const unknown = schedule.value.windows.map((window) => window.timeZone).find((zone) => !isTimeZone(zone))
    if (unknown === undefined) return
    const zones = { en: 'time zone', zh: '时区' }
    const fallback = { en: 'write UTC or a name such as Asia/Shanghai', zh: '应写成 UTC 或 Asia/Shanghai 这样的名称' }
    this.#reading.refuse(unknownName('POLICY_TIME_ZONE', zones, unknown, Intl.supportedValuesOf('timeZone'), fallback), path)
  }
}

function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== ''
  } catch {
    return false
  }
}
