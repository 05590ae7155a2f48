import { fail, succeed, type Fault, type Result } from '@portcullis/core/fault/fault.ts'
import type { Instant, UseObservation } from '@portcullis/core/inventory/observation.ts'
import type { TransportProtocol } from '@portcullis/core/net/protocol.ts'
import { parseAddress } from '@portcullis/core/net/address.ts'
import { z } from 'zod'
import type { FleetIndex } from '../import/fleetIndex.ts'
import { offsetOf, valueOf, type Path } from '../policyfile/located.ts'
import { readYaml } from '../policyfile/yamlReader.ts'
import { askRange, PROMETHEUS_ACCESS, type Series } from './promqlClient.ts'

/**
 * That an endpoint was used, as a metric says: without sources, so that it can be a reason to keep a port or to ask, and
 * never one to close it. Silence of a metric is no claim at all, and has no value here.
 */
export interface MetricUse {
  readonly host: string
  readonly protocol: TransportProtocol
  readonly port: number
  /** The mapping that says so. */
  readonly because: string
  /** How much the counter grew; the largest value of a gauge. */
  readonly amount: number
  readonly firstSeen: Instant
  readonly lastSeen: Instant
}

const name = z.string().regex(/^[a-zA-Z_][a-zA-Z0-9_]*$/)

/** One way from a metric to endpoints. The port is stated, or stands in a label; a metric that has neither cannot be mapped. */
const mapping = z
  .strictObject({
    name: z.string().min(1).max(100),
    query: z.string().min(1).max(8192),
    /** `counter`: use is growth. `gauge`: use is any value above zero. */
    kind: z.enum(['counter', 'gauge']),
    hostLabel: name.default('instance'),
    protocol: z.enum(['tcp', 'udp']).default('tcp'),
    port: z.int().min(1).max(65_535).optional(),
    portLabel: name.optional(),
  })
  .refine((given) => (given.port === undefined) !== (given.portLabel === undefined), { error: 'either port or portLabel' })
export type UseMapping = z.infer<typeof mapping>

const file = z.strictObject({ version: z.literal(1), ...PROMETHEUS_ACCESS, stepSeconds: z.int().min(1).max(86_400).default(300), metrics: z.array(mapping).min(1).max(200) })
export type UseFile = z.infer<typeof file>

const BYTES_MAX = 1024 * 1024
const CHINESE = z.locales.zhCN().localeError

/** Reads the file of mappings, YAML or JSON. Faults, each with its place: YAML_*, METRICS_SHAPE. */
export function readUseFile(text: string, name: string): Result<UseFile> {
  if (text.length > BYTES_MAX) return fail({ code: 'METRICS_SHAPE', what: { en: 'larger than 1 MiB', zh: '超过 1 MiB' }, place: { file: name, line: 1, column: 1 } })
  const yaml = readYaml(text, name)
  if (!yaml.ok) return yaml
  const { root, placeAt } = yaml.value
  const read = file.safeParse(valueOf(root))
  if (read.success) return succeed(read.data)
  return fail(
    ...read.error.issues.map((issue): Fault => {
      const path = issue.path.join('.')
      const said = CHINESE(issue as Parameters<typeof CHINESE>[0])
      const zh = (typeof said === 'string' ? said : said?.message) ?? issue.message
      return { code: 'METRICS_SHAPE', what: { en: `${path}: ${issue.message}`, zh: `${path}：${zh}` }, place: placeAt(offsetOf(root, issue.path as Path)) }
    }),
  )
}

/** Prometheus refuses more than 11,000 points of a series. */
const STEPS_MAX = 10_000

/** Asks every mapping over the window, each day of use by itself; a mapping that cannot be asked is told, the others are used. */
export async function readMetricUse(given: UseFile, since: Instant, until: Instant, timeoutMs: number, signal?: AbortSignal): Promise<{ uses: MetricUse[]; faults: Fault[] }> {
  const [uses, faults]: [MetricUse[], Fault[]] = [[], []]
  const stepMs = Math.max(given.stepSeconds * 1000, Math.ceil((until - since) / STEPS_MAX))
  for (const one of given.metrics) {
    const answered = await askRange(given, { query: one.query, sinceMs: since, untilMs: until, stepMs }, timeoutMs, signal)
    if (answered.ok) uses.push(...answered.value.flatMap((series) => useOf(one, series)))
    else faults.push(...answered.faults.map((fault) => ({ ...fault, what: { en: `${one.name}: ${fault.what.en}`, zh: `${one.name}：${fault.what.zh}` } })))
  }
  return { uses: uses.toSorted((a, b) => (a.host < b.host ? -1 : a.host > b.host ? 1 : a.port - b.port)), faults }
}

/** A use by the name of the fleet's host, dated by the time that it speaks of; undefined where the metric's host is none of the fleet. */
export function useObservation({ host, protocol, port, because, firstSeen, lastSeen }: MetricUse, fleet: FleetIndex): UseObservation | undefined {
  const address = parseAddress(host)
  const name = address.ok ? fleet.ofAddress(address.value) : fleet.ofName(host)
  return name === undefined ? undefined : { kind: 'use', host: name, sensor: 'prometheus', at: lastSeen, protocol, port, because, firstSeen, lastSeen }
}

/** Exported for its tests: what one series says, of each day (UTC) on which it says anything. */
export function useOf({ name: because, kind, hostLabel, protocol, port, portLabel }: UseMapping, { labels, points }: Series): MetricUse[] {
  const host = (labels[hostLabel] ?? '').replace(/^\[?([^\]]+?)\]?(?::\d+)?$/, '$1')
  const at = port ?? portOf(labels[portLabel ?? ''] ?? '')
  const used = kind === 'gauge' ? points.filter(([, value]) => value > 0) : grown(points)
  if (host === '' || at === undefined) return []
  return [...Map.groupBy(used, ([seenAt]) => Math.floor(seenAt / DAY_MS)).values()].map((day) => ({
    host,
    protocol,
    port: at,
    because,
    amount: day.reduce((sum, [, value]) => (kind === 'gauge' ? Math.max(sum, value) : sum + value), 0),
    firstSeen: day[0]?.[0] ?? 0,
    lastSeen: day.at(-1)?.[0] ?? 0,
  }))
}

const DAY_MS = 86_400_000

/** A label with a port: `443`, `10.0.0.1:443`, `https://shop:8443/health`. */
function portOf(text: string): number | undefined {
  const port = Number(/^(\d{1,5})$/.exec(text)?.[1] ?? /:(\d{1,5})(?:\/.*)?$/.exec(text)?.[1] ?? Number.NaN)
  return port >= 1 && port <= 65_535 ? port : undefined
}

/** The steps by which a counter grew; after a restart it began at zero. What it stood at first is no growth: it may be years old. */
function grown(points: Series['points']): (readonly [number, number])[] {
  return points.slice(1).flatMap(([at, value], index): (readonly [number, number])[] => {
    const before = points[index]?.[1] ?? 0
    const step = value >= before ? value - before : value
    return step > 0 ? [[at, step]] : []
  })
}
