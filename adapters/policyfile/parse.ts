import { fail, succeed, type Fault, type Place, type Result } from '@portcullis/core/fault/fault.ts'
import type { Instant } from '@portcullis/core/inventory/observation.ts'
import { mergePortRanges, parsePortRange, singlePort, type PortRange } from '@portcullis/core/net/port.ts'
import { checkPolicy, type PlaceOf, type PolicyItem } from '@portcullis/core/policy/check.ts'
import type { Defaults, Need, Policy } from '@portcullis/core/policy/policy.ts'
import { indexHosts } from '@portcullis/core/policy/selector.ts'
import { readHosts } from './hosts.ts'
import type { Path } from './located.ts'
import { NeedReader } from './needs.ts'
import { Reading } from './reading.ts'
import type { DefaultsEntry, PolicyFile } from './schema.ts'
import { readServices } from './services.ts'
import { readShape, type Shape } from './shape.ts'
import { readYaml } from './yamlReader.ts'
import { ZoneReader } from './zones.ts'

export interface PolicyReading {
  /** The policy, or all that is wrong with the file, sorted by place. */
  readonly policy: Result<Policy>
  /** What is worth a look in a file that can be used: reviews that are due, needs that overlap. Sorted by place. */
  readonly warnings: readonly Fault[]
}

/** A file of another kind altogether has thousands of faults; nobody reads on after these. */
const FAULTS_MAX = 1_000

/**
 * Reads `portcullis.yaml`. `file` stands in the places of faults; `now` decides which reviews are due.
 * Faults: YAML_* (the text), POLICY_* (shape, names, checks), NET_* (addresses, prefixes, ports). Limits: 8 MiB, 100,000 hosts.
 */
export function parsePolicyFile(text: string, file: string, now: Instant): PolicyReading {
  const yaml = readYaml(text.startsWith('\ufeff') ? text.slice(1) : text, file)
  if (!yaml.ok) return { policy: fail(...inOrder(yaml.faults)), warnings: [] }
  const shape = readShape(yaml.value)
  const reading = new Reading(yaml.value, shape.broken)
  reading.faults.push(...shape.faults)
  const read = shape.file && readPolicy(shape.file, shape, reading)
  if (!read) return { policy: fail(...inOrder(reading.faults)), warnings: [] }
  const { errors, warnings } = checkPolicy(read.policy, now, placesOf(read, reading))
  const faults = [...reading.faults, ...errors.filter((fault) => !isAftermath(fault, read, reading))]
  return { policy: faults.length > 0 ? fail(...inOrder(faults)) : succeed(read.policy), warnings: inOrder(warnings) }
}

interface ReadPolicy {
  readonly policy: Policy
  readonly indexOf: ReadonlyMap<Need, number>
  /** False where the management path is written with a fault, so that what it holds is not known. */
  readonly isManagementKnown: boolean
}

function readPolicy(file: PolicyFile, shape: Shape, reading: Reading): ReadPolicy {
  const hosts = readHosts(file.fleet, reading)
  const zoneReader = new ZoneReader(file.zones ?? {}, hosts, reading)
  const zones = zoneReader.readZones()
  const services = readServices(file.services ?? {}, reading)
  const management = readManagement(file.defaults?.management, zoneReader, reading)
  const isManagementKnown = management !== undefined && !reading.hasBroken('defaults')
  const needReader = new NeedReader(zoneReader, services, indexHosts(hosts), reading)
  const indexOf = new Map<Need, number>()
  for (const [position, entry] of (file.needs ?? []).entries()) {
    const index = shape.needIndexes[position] ?? position
    const need = needReader.readNeed(entry, index)
    if (need) indexOf.set(need, index)
  }
  const policy = { hosts, zones, services: [...services.values()], needs: [...indexOf.keys()], defaults: readDefaults(file.defaults, management ?? NO_MANAGEMENT) }
  return { policy, indexOf, isManagementKnown }
}

type Management = Pick<Defaults, 'managementFrom' | 'managementPorts'>

const NO_MANAGEMENT: Management = { managementFrom: [], managementPorts: [] }

/** Nothing where it is written with a fault; empty where it is not written. */
function readManagement(entry: DefaultsEntry['management'], zones: ZoneReader, reading: Reading): Management | undefined {
  if (!entry) return NO_MANAGEMENT
  const path: Path = ['defaults', 'management']
  const managementFrom = zones.readSources(entry.from, [...path, 'from'])
  const ports = entry.ports === undefined ? [singlePort(22)] : readPorts(entry.ports, [...path, 'ports'], reading)
  return managementFrom && ports.length > 0 ? { managementFrom, managementPorts: mergePortRanges(ports) } : undefined
}

function readDefaults(entry: DefaultsEntry | undefined, management: Management): Defaults {
  const { mode = 'observe', refusal = 'drop', ping = true, flows, warnSeconds, approvals } = entry ?? {}
  return { mode, refusal, ping, ...management, ...(flows === undefined ? {} : { flows }), ...(warnSeconds === undefined ? {} : { warnSeconds }), ...(approvals === undefined ? {} : { approvals }) }
}

type PortsEntry = NonNullable<NonNullable<DefaultsEntry['management']>['ports']>

function readPorts(written: PortsEntry, path: Path, reading: Reading): PortRange[] {
  const items = Array.isArray(written) ? written : [written]
  return items.flatMap((item, index) => {
    const range = parsePortRange(String(item))
    if (range.ok) return [range.value]
    for (const fault of range.faults) reading.refuse(fault, Array.isArray(written) ? [...path, index] : path)
    return []
  })
}

function placesOf({ indexOf }: ReadPolicy, reading: Reading): PlaceOf {
  return (item) => reading.placeOf(pathOf(item, indexOf), item.of === 'host' && item.part === 'name' ? 'key' : 'value')
}

function pathOf(item: PolicyItem, indexOf: ReadonlyMap<Need, number>): Path {
  if (item.of === 'management') return ['defaults', 'management']
  if (item.of === 'host') return ['fleet', 'hosts', item.host, ...(item.part === 'name' ? [] : [item.part])]
  // A need without an id of its own is pointed at as a whole.
  return ['needs', indexOf.get(item.need) ?? 0, item.part]
}

/** A finding that may only be there because something faulty was left out. */
function isAftermath(fault: Fault, read: ReadPolicy, reading: Reading): boolean {
  if (fault.code === 'POLICY_SELECTS_NOTHING') return reading.hasBroken('fleet')
  return (!read.isManagementKnown || reading.hasBroken('fleet')) && (fault.code === 'POLICY_NO_MANAGEMENT' || fault.code.startsWith('POLICY_MANAGEMENT_'))
}

function inOrder(faults: readonly Fault[]): Fault[] {
  const sorted = faults.toSorted((a, b) => comparePlaces(a.place, b.place))
  return sorted.length <= FAULTS_MAX ? sorted : [...sorted.slice(0, FAULTS_MAX), more(sorted.length - FAULTS_MAX)]
}

const comparePlaces = (a: Place | undefined, b: Place | undefined): number =>
  (a?.line ?? 0) - (b?.line ?? 0) || (a?.column ?? 0) - (b?.column ?? 0)

const more = (count: number): Fault => ({
  code: 'POLICY_MORE',
  what: { en: `and ${count} more`, zh: `另有 ${count} 处问题` },
})
