import { fail, succeed, type Fault, type Result } from '@portcullis/core/fault/fault.ts'
import { formatAddress } from '@portcullis/core/net/address.ts'
import type { Host } from '@portcullis/core/policy/policy.ts'
import type { Gate, GateReading, GateSample } from '@portcullis/core/rollout/gate.ts'
import type { Gates, GateWindow } from '@portcullis/engine/gates.ts'
import type { Cancellation } from '@portcullis/engine/ports.ts'
import { dicomProbe } from './dicomProbe.ts'
import { dnsProbe } from './dnsProbe.ts'
import { execProbe } from './execProbe.ts'
import { httpProbe } from './httpProbe.ts'
import { mysqlProbe } from './mysqlProbe.ts'
import { postgresProbe } from './postgresProbe.ts'
import type { Vantages } from '../vantage/vantages.ts'
import { answerOfError, type GateProbe, type ProbeAnswer } from './probe.ts'
import { sftpProbe } from './sftpProbe.ts'
import { tcpProbe } from './tcpProbe.ts'
import { tlsProbe } from './tlsProbe.ts'
import { udpProbe } from './udpProbe.ts'

/** By the name that a gate's measure gives. */
export const PROBES: Readonly<Record<string, GateProbe<never>>> = {
  tcp: tcpProbe,
  tls: tlsProbe,
  http: httpProbe,
  dns: dnsProbe,
  sftp: sftpProbe,
  postgres: postgresProbe,
  mysql: mysqlProbe,
  dicom: dicomProbe,
  udp: udpProbe,
  exec: execProbe,
} as unknown as Record<string, GateProbe<never>>

/** Probes at a time, of all gates: a controller has only so many files and processes. */
const CONCURRENCY_MAX = 256

/** Asks from where this process stands, or from a vantage; of each host one sample. */
export const probeGates = (vantages: Vantages): Gates => ({ sample: (gate, window, signal) => sample(vantages, gate, window, signal) })

async function sample(vantages: Vantages, gate: Gate, window: GateWindow, signal?: Cancellation): Promise<GateReading> {
  const read = readMeasure(gate)
  if (!read.ok) return { kind: 'no-data', because: read.faults[0]?.what ?? { en: 'wrong settings', zh: '设置有误' } }
  const { probe, settings, only, from } = read.value
  const vantage = from === undefined ? undefined : vantages.named(from)
  if (vantage === 'unknown') return { kind: 'no-data', because: { en: `there is no vantage ${from}`, zh: `没有名为 ${from} 的探测点` } }
  const hosts = only ? window.hosts.filter(({ name }) => only.includes(name)) : window.hosts
  if (hosts.length === 0) return { kind: 'no-data', because: { en: 'no host to measure', zh: '没有可测量的主机' } }
  const over = new AbortController()
  const startedMs = performance.now()
  const stop = (): void => over.abort()
  if (signal?.aborted) stop()
  signal?.addEventListener('abort', stop, { once: true })
  try {
    const timeoutMs = window.timeoutMs
    const answers = await eachWithin(hosts, CONCURRENCY_MAX, async (host) => {
      const target = { host: host.name, address: addressOf(host, settings), timeoutMs, signal: over.signal, ...(vantage ? { vantage } : {}) }
      const answer = await probe.ask(settings, target).catch(answerOfError)
      return { host, at: window.until + Math.round(performance.now() - startedMs), answer }
    })
    return readingOf(answers)
  } finally {
    signal?.removeEventListener('abort', stop)
  }
}

interface ReadMeasure {
  readonly probe: GateProbe<never>
  readonly settings: never
  readonly only?: readonly string[]
  readonly from?: string
}

/** Settings that only the judgement looks at. */
const OF_THE_JUDGE = new Set(['worse', 'effectRatio', 'effectStep'])

/** What a gate measures, checked. Faults: GATE_UNKNOWN, GATE_SETTINGS, GATE_VANTAGE. */
export function readMeasure({ name: gate, measure }: Gate): Result<ReadMeasure> {
  if (measure.kind !== 'tcp' && measure.kind !== 'other') return fail(unknownGate(gate, measure.kind))
  const name = measure.kind === 'tcp' ? 'tcp' : measure.name
  const probe = Object.hasOwn(PROBES, name) ? PROBES[name] : undefined
  if (!probe) return fail(unknownGate(gate, name))
  if (measure.from !== undefined && !probe.canAskFromElsewhere) return fail(onlyFromHere(gate, name))
  const given = measure.kind === 'tcp' ? { port: measure.port, address: measure.address } : Object.fromEntries(Object.entries(measure.settings).filter(([key]) => !OF_THE_JUDGE.has(key)))
  const settings = probe.settings.safeParse(given)
  if (!settings.success) return fail(...settings.error.issues.map((issue) => wrongSettings(gate, issue.path.join('.'), issue.message)))
  return succeed({ probe, settings: settings.data, ...(measure.kind === 'tcp' && measure.hosts ? { only: measure.hosts } : {}), ...(measure.from === undefined ? {} : { from: measure.from }) })
}

const unknownGate = (gate: string, name: string): Fault => ({
  code: 'GATE_UNKNOWN',
  what: { en: `gate ${gate}: there is no probe "${name}"`, zh: `放行条件 ${gate}：没有名为“${name}”的探测` },
  next: { en: `one of ${Object.keys(PROBES).join(', ')}, prometheus`, zh: `可选：${Object.keys(PROBES).join('、')}、prometheus` },
})

export const onlyFromHere = (gate: string, name: string): Fault => ({
  code: 'GATE_VANTAGE',
  what: { en: `gate ${gate}: the probe ${name} can only be asked from the controller`, zh: `放行条件 ${gate}：探测 ${name} 只能从控制端发起` },
  next: { en: 'leave out "from", or use a probe that talks over TCP', zh: '请去掉 from，或改用基于 TCP 的探测' },
})

const wrongSettings = (gate: string, at: string, message: string): Fault => ({
  code: 'GATE_SETTINGS',
  what: { en: `gate ${gate}: ${at === '' ? '' : `${at}: `}${message}`, zh: `放行条件 ${gate}：${at === '' ? '' : `${at}：`}${message}` },
})

function addressOf(host: Host, settings: { readonly address?: string }): string {
  if (settings.address !== undefined) return settings.address
  const [first] = host.addresses
  return first ? formatAddress(first) : host.name
}

/** Hosts that could not be asked are left out where others could; the judgement holds while one is missing. */
function readingOf(answers: readonly { readonly host: Host; readonly at: number; readonly answer: ProbeAnswer }[]): GateReading {
  const samples = answers.flatMap(({ host, at, answer }): GateSample[] => {
    if (answer.kind === 'no-data') return []
    if (answer.kind === 'bad') return [{ at, host: host.name, isGood: false, because: answer.because }]
    return [{ at, host: host.name, isGood: true, ...(answer.value === undefined ? {} : { value: answer.value }) }]
  })
  const unasked = answers.find(({ answer }) => answer.kind === 'no-data')
  if (samples.length > 0 || unasked?.answer.kind !== 'no-data') return { kind: 'samples', samples }
  const { en, zh } = unasked.answer.because
  return { kind: 'no-data', because: { en: `${unasked.host.name}: ${en}`, zh: `${unasked.host.name}：${zh}` } }
}

async function eachWithin<T, R>(items: readonly T[], most: number, task: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = []
  let next = 0
  const work = async (): Promise<void> => {
    while (next < items.length) {
      const index = next
      next += 1
      const item = items[index]
      if (item !== undefined) results[index] = await task(item)
    }
  }
  await Promise.all(Array.from({ length: Math.min(most, items.length) }, work))
  return results
}
