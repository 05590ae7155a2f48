import { fail, succeed, type Fault, type Result, type Text } from '@portcullis/core/fault/fault.ts'
import { formatAddress } from '@portcullis/core/net/address.ts'
import type { Host } from '@portcullis/core/policy/policy.ts'
import type { Gate, GateReading, GateSample } from '@portcullis/core/rollout/gate.ts'
import type { Gates, GateWindow } from '@portcullis/engine/gates.ts'
import { z } from 'zod'
import { askInstant, askRange, PROMETHEUS_ACCESS, type Series } from './promqlClient.ts'

/** A file's decimals come as text: its reader takes only whole numbers for numbers. */
const decimal = z.union([z.number(), z.string().regex(/^-?\d{1,15}(?:\.\d{1,15})?$/).transform(Number)])

const settings = z
  .strictObject({
    ...PROMETHEUS_ACCESS,
    query: z.string().min(1).max(8192),
    /** The label that names the host, by its name or one of its addresses, with or without a port; `none` where the query is about all of them. */
    hostLabel: z.string().regex(/^(?:[a-zA-Z_][a-zA-Z0-9_]*)$/).default('instance'),
    stepSeconds: z.int().min(1).max(3600).default(15),
    /** A series whose newest scrape is older says nothing of now: Prometheus itself goes on answering with it for five minutes. */
    staleSeconds: z.int().min(1).max(3600).default(60),
    /** A value above or below is a sample that is not good. */
    above: decimal.optional(),
    below: decimal.optional(),
    worse: z.enum(['higher', 'lower', 'none']).default('higher'),
    effectRatio: decimal.optional(),
    effectStep: decimal.optional(),
  })
  .refine((given) => given.passwordFile === undefined || given.user !== undefined, { error: 'passwordFile needs user' })
type Settings = z.infer<typeof settings>

/** Reads a query over the whole window; of each host one sample a step. */
export const prometheusGates: Gates = {
  async sample(gate, window, signal) {
    const read = readQuery(gate)
    if (!read.ok) return nothing(read.faults[0]?.what)
    const asked = read.value
    const abort = signal instanceof AbortSignal ? signal : undefined
    const question = { query: asked.query, sinceMs: window.since, untilMs: window.until, stepMs: asked.stepSeconds * 1000 }
    const [values, times] = await Promise.all([
      askRange(asked, question, window.timeoutMs, abort),
      askInstant(asked, `timestamp(${asked.query}\n)`, window.until, window.timeoutMs, abort),
    ])
    if (!values.ok) return nothing(values.faults[0]?.what)
    return readSeries(asked, window, values.value, times.ok ? times.value : [])
  },
}

/** The settings of a gate that asks Prometheus, checked. Faults: GATE_SETTINGS. */
export function readQuery({ name, measure }: Gate): Result<Settings> {
  const read = settings.safeParse(measure.kind === 'other' ? measure.settings : {})
  if (read.success) return succeed(read.data)
  return fail(...read.error.issues.map((issue): Fault => {
    const at = issue.path.length === 0 ? '' : `${issue.path.join('.')}: `
    return { code: 'GATE_SETTINGS', what: { en: `gate ${name}: ${at}${issue.message}`, zh: `放行条件 ${name}：${at}${issue.message}` } }
  }))
}

const nothing = (because: Text | undefined): GateReading => ({ kind: 'no-data', because: because ?? { en: 'no answer', zh: '无应答' } })

/** Exported for its tests. `times`: when each series was scraped last, as values in seconds; empty where it is not known. */
export function readSeries(asked: Pick<Settings, 'hostLabel' | 'staleSeconds' | 'above' | 'below'>, window: GateWindow, values: readonly Series[], times: readonly Series[]): GateReading {
  if (values.every(({ points }) => points.length === 0)) return nothing({ en: 'the query has no value in the window', zh: '查询在时间窗内无数据' })
  const hostOf = hostFinder(asked.hostLabel, window.hosts)
  const scraped = new Map(times.map(({ labels, points }) => [keyOf(labels), (points.at(-1)?.[1] ?? 0) * 1000]))
  const edge = window.until - asked.staleSeconds * 1000
  const samples: GateSample[] = []
  let [foreign, stale] = [0, 0]
  for (const { labels, points } of values) {
    const host = hostOf(labels)
    if (host === null) foreign += 1
    else if ((scraped.get(keyOf(labels)) ?? points.at(-1)?.[0] ?? 0) < edge || (points.at(-1)?.[0] ?? 0) < edge) stale += 1
    else samples.push(...points.map(([at, value]): GateSample => ({ at, ...(host === undefined ? {} : { host }), value, ...judged(asked, value) })))
  }
  if (samples.length > 0) return { kind: 'samples', samples: samples.toSorted((a, b) => a.at - b.at) }
  if (stale > 0) return nothing({ en: `the newest value is older than ${asked.staleSeconds} s (${stale} series)`, zh: `最新数据早于 ${asked.staleSeconds} 秒前（${stale} 个序列）` })
  return nothing({ en: `${foreign} series, none with a ${asked.hostLabel} of these hosts`, zh: `${foreign} 个序列，其 ${asked.hostLabel} 标签均不属于这些主机` })
}

function judged({ above, below }: Pick<Settings, 'above' | 'below'>, value: number): Pick<GateSample, 'isGood' | 'because'> {
  if (above !== undefined && value > above) return { isGood: false, because: { en: `${value} > ${above}`, zh: `${value} > ${above}` } }
  if (below !== undefined && value < below) return { isGood: false, because: { en: `${value} < ${below}`, zh: `${value} < ${below}` } }
  return { isGood: true }
}

/** The host's name; undefined where the query is about all hosts; null where the series is of none of these. */
function hostFinder(label: string, hosts: readonly Host[]): (labels: Series['labels']) => string | undefined | null {
  if (label === 'none') return () => undefined
  const names = new Map(hosts.flatMap((host) => [[host.name, host.name], ...host.addresses.map((address): [string, string] => [formatAddress(address), host.name])] as [string, string][]))
  return (labels) => {
    const text = labels[label] ?? ''
    const bare = /^\[([^\]]+)\](?::\d+)?$/.exec(text)?.[1] ?? text.replace(/^([^:]+):\d+$/, '$1')
    return names.get(text) ?? names.get(bare) ?? null
  }
}

/** `timestamp()` drops the metric's name. */
const keyOf = (labels: Series['labels']): string => JSON.stringify(Object.entries(labels).filter(([name]) => name !== '__name__').toSorted(([a], [b]) => (a < b ? -1 : 1)))
