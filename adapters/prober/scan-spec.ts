import { createHash } from 'node:crypto'
import { fail, succeed, type Fault, type Result } from '@portcullis/core/fault/fault.ts'
import { formatAddress, type Address } from '@portcullis/core/net/address.ts'
import { z } from 'zod'
import { parsePortList } from './port-list.ts'
import { parseTargets } from './target-list.ts'

/** Unless raised, no faster than this: what a gigabit link and a common firewall bear without notice. */
export const RATE_PER_SECOND_DEFAULT = 150_000
export const RATE_PER_SECOND_MAX = 10_000_000

export const PORT_STATES = ['open', 'closed', 'filtered', 'open|filtered', 'unknown'] as const
export type PortState = (typeof PORT_STATES)[number]

const rate = z.number().int().min(1).max(RATE_PER_SECOND_MAX)

export const resumeSchema = z.strictObject({
  /** Of the targets and ports, so that a state is never put on another scan. */
  digest: z.string(),
  /** Per address: the bytes of what each TCP port told, deflated, in base64. */
  cells: z.record(z.string(), z.string()),
})

export const scanSpecSchema = z.strictObject({
  /** Addresses, prefixes, ranges. */
  targets: z.array(z.string().max(100)).min(1).max(100_000),
  /** TCP ports: `22,80,8000-8100`; empty for none. */
  ports: z.string().max(400_000).default('1-65535'),
  /** UDP ports, the same way. */
  udp: z.string().max(400_000).default(''),
  /** Packets a second, all targets together. */
  rate: rate.default(RATE_PER_SECOND_DEFAULT),
  /** Packets a second to one target. */
  hostRate: rate.optional(),
  /**
   * How often silent TCP ports are asked when nothing points to loss; more often when something does. With 1, a probe that is lost
   * without a trace makes an open port look filtered: for links that lose nothing, between namespaces of one machine.
   */
  rounds: z.number().int().min(1).max(8).default(2),
  /** `auto`: raw SYN where privileged and possible, else connect. */
  method: z.enum(['auto', 'syn', 'connect']).default('auto'),
  /** States to list one by one; all are counted. */
  list: z.array(z.enum(PORT_STATES)).default(['open', 'open|filtered']),
  /** Ask each open endpoint what it is. */
  identify: z.boolean().default(false),
  /** Longest time to spend on telling closed UDP ports behind the ICMP rate limit from silent ones. */
  udpSecondsMax: z.number().min(1).max(3600).default(30),
  resume: resumeSchema.optional(),
})

export type ScanSpec = z.input<typeof scanSpecSchema>
export type ResumeState = z.infer<typeof resumeSchema>

/** A spec, read and checked. */
export interface ScanPlan {
  readonly addresses: readonly Address[]
  readonly tcpPorts: Uint16Array
  readonly udpPorts: Uint16Array
  readonly ratePerSecondMax: number
  readonly hostRatePerSecondMax: number | undefined
  readonly rounds: number
  readonly method: 'auto' | 'syn' | 'connect'
  readonly listed: ReadonlySet<PortState>
  readonly identify: boolean
  readonly udpSecondsMax: number
  readonly digest: string
  readonly resume: ResumeState | undefined
}

export function readScanSpec(input: unknown): Result<ScanPlan> {
  const parsed = scanSpecSchema.safeParse(input)
  if (!parsed.success) return fail(...parsed.error.issues.map(specFault))
  const spec = parsed.data
  const addresses = parseTargets(spec.targets)
  const tcpPorts = parsePortList(spec.ports)
  const udpPorts = parsePortList(spec.udp)
  const faults = [addresses, tcpPorts, udpPorts].flatMap((result) => (result.ok ? [] : result.faults))
  if (!addresses.ok || !tcpPorts.ok || !udpPorts.ok) return fail(...faults)
  if (tcpPorts.value.length + udpPorts.value.length === 0) return fail(NO_PORT)
  const digest = digestOf(addresses.value, tcpPorts.value)
  if (spec.resume && spec.resume.digest !== digest) return fail(FOREIGN_STATE)
  return succeed({
    addresses: addresses.value,
    tcpPorts: tcpPorts.value,
    udpPorts: udpPorts.value,
    ratePerSecondMax: spec.rate,
    hostRatePerSecondMax: spec.hostRate,
    rounds: spec.rounds,
    method: spec.method,
    listed: new Set(spec.list),
    identify: spec.identify,
    udpSecondsMax: spec.udpSecondsMax,
    digest,
    resume: spec.resume,
  })
}

function digestOf(addresses: readonly Address[], ports: Uint16Array): string {
  const hash = createHash('sha256')
  for (const address of addresses) hash.update(`${formatAddress(address)}\n`)
  return hash.update(Buffer.from(ports.buffer, ports.byteOffset, ports.byteLength)).digest('hex')
}

const specFault = (issue: z.core.$ZodIssue): Fault => ({
  code: 'PROBER_SPEC',
  what: {
    en: `scan spec, ${issue.path.join('.') || 'top level'}: ${issue.message}`,
    zh: `扫描参数 ${issue.path.join('.') || '顶层'}：${issue.message}`,
  },
})

const NO_PORT: Fault = { code: 'PROBER_NO_PORT', what: { en: 'no port to scan was given', zh: '未给出要扫描的端口' } }

const FOREIGN_STATE: Fault = {
  code: 'PROBER_FOREIGN_STATE',
  what: { en: 'the state to resume belongs to other targets or ports', zh: '续扫状态属于其他目标或端口' },
  next: { en: 'give the same targets and ports as when it was interrupted', zh: '请使用中断时相同的目标和端口' },
}
