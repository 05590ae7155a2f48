import { createHash } from 'node:crypto'
import { fail, succeed, type Fault, type Result } from '@portcullis/core/fault/fault.ts'
import { parsePortList } from './portList.ts'
import { formatTarget, parseTargets, type ScanTarget } from './targetList.ts'

/** Without a rate asked for: what a gigabit link and a common firewall bear without notice, and what is sent as long as it is answered. */
const RATES_PER_SECOND_USUAL = { unanswered: 200_000, answered: 1_000_000 } as const
export const RATE_PER_SECOND_MAX = 10_000_000

export const PORT_STATES = ['open', 'closed', 'filtered', 'open|filtered', 'unknown'] as const
export type PortState = (typeof PORT_STATES)[number]

/** What JSON may say; everything but the targets has a default. */
export interface ScanSpec {
  /** Addresses, prefixes, ranges. */
  readonly targets: readonly string[]
  /** TCP ports, `22,80,8000-8100`, empty for none; without it all. */
  readonly ports?: string
  /** UDP ports, the same way; without it none. */
  readonly udp?: string
  /** Packets a second, all targets together; without it 200,000, and up to 1,000,000 SYN frames where they are answered. */
  readonly rate?: number
  /** Packets a second to one target. */
  readonly hostRate?: number
  /**
   * How often silent TCP ports are asked when nothing points to loss (2); more often when something does. With 1, a probe that is
   * lost without a trace makes an open port look filtered: for links that lose nothing, between namespaces of one machine.
   */
  readonly rounds?: number
  /** `auto`: raw SYN where privileged and possible, else connect. */
  readonly method?: ScanMethod
  /** States to list one by one; all are counted. Without it open and open|filtered. */
  readonly list?: readonly PortState[]
  /** Tell which ports the states that are not listed stand for, as ranges. */
  readonly rest?: boolean
  /** Ask each open endpoint what it is. */
  readonly identify?: boolean
  /** Longest time to spend on telling closed UDP ports behind an ICMP rate limit from silent ones. */
  readonly udpSecondsMax?: number
  readonly resume?: ResumeState
}

export interface ResumeState {
  /** Of the targets and ports, so that a state is never put on another scan. */
  readonly digest: string
  /** Per address: the bytes of what each TCP port told, deflated, in base64. */
  readonly cells: Readonly<Record<string, string>>
}

const METHODS = ['auto', 'syn', 'connect'] as const
export type ScanMethod = (typeof METHODS)[number]

/** A spec, read and checked. */
export interface ScanPlan {
  readonly addresses: readonly ScanTarget[]
  readonly tcpPorts: Uint16Array
  readonly udpPorts: Uint16Array
  /** Packets a second at most, where nothing answers and where all is answered. */
  readonly ratesPerSecond: { readonly unanswered: number; readonly answered: number }
  readonly hostRatePerSecondMax: number | undefined
  readonly rounds: number
  readonly method: ScanMethod
  readonly listed: ReadonlySet<PortState>
  readonly isRestTold: boolean
  readonly identify: boolean
  readonly udpSecondsMax: number
  readonly digest: string
  readonly resume: ResumeState | undefined
}

export function readScanSpec(input: unknown): Result<ScanPlan> {
  const read = readFields(input)
  if (!read.ok) return read
  const spec = read.value
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
    ratesPerSecond: spec.rate === undefined ? RATES_PER_SECOND_USUAL : { unanswered: spec.rate, answered: spec.rate },
    hostRatePerSecondMax: spec.hostRate,
    rounds: spec.rounds,
    method: spec.method,
    listed: new Set(spec.list),
    isRestTold: spec.rest,
    identify: spec.identify,
    udpSecondsMax: spec.udpSecondsMax,
    digest,
    resume: spec.resume,
  })
}

function digestOf(addresses: readonly ScanTarget[], ports: Uint16Array): string {
  const hash = createHash('sha256')
  for (const address of addresses) hash.update(`${formatTarget(address)}\n`)
  return hash.update(Buffer.from(ports.buffer, ports.byteOffset, ports.byteLength)).digest('hex')
}

interface Field {
  readonly expected: string
  readonly accepts: (value: unknown) => boolean
  /** Of a field that may be missing. */
  readonly usual?: unknown
}

const text = (lengthMax: number) => ({ expected: `a text of at most ${lengthMax} characters`, accepts: (value: unknown): boolean => typeof value === 'string' && value.length <= lengthMax })

const whole = (min: number, max: number) => ({ expected: `a whole number from ${min} to ${max}`, accepts: (value: unknown): boolean => Number.isInteger(value) && Number(value) >= min && Number(value) <= max })

const choice = (choices: readonly string[]) => ({ expected: `one of ${choices.join(', ')}`, accepts: (value: unknown): boolean => choices.some((one) => one === value) })

const listOf = (member: Field, min: number, max: number) => ({
  expected: `a list of ${min} to ${max}, each ${member.expected}`,
  accepts: (value: unknown): boolean => Array.isArray(value) && value.length >= min && value.length <= max && value.every(member.accepts),
})

const BOOLEAN = { expected: 'true or false', accepts: (value: unknown): boolean => typeof value === 'boolean' }

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value)

const isResumeState = (value: unknown): boolean =>
  isRecord(value) && typeof value['digest'] === 'string' && isRecord(value['cells']) && Object.values(value['cells']).every((cell) => typeof cell === 'string')

/** Read by hand: a schema library takes longer to load than a scan of one host takes. */
const FIELDS: Readonly<Record<keyof ScanSpec, Field>> = {
  targets: listOf(text(100), 1, 100_000),
  ports: { ...text(400_000), usual: '1-65535' },
  udp: { ...text(400_000), usual: '' },
  rate: { ...whole(1, RATE_PER_SECOND_MAX), usual: undefined },
  hostRate: { ...whole(1, RATE_PER_SECOND_MAX), usual: undefined },
  rounds: { ...whole(1, 8), usual: 2 },
  method: { ...choice(METHODS), usual: 'auto' },
  list: { ...listOf(choice(PORT_STATES), 0, PORT_STATES.length), usual: ['open', 'open|filtered'] },
  rest: { ...BOOLEAN, usual: false },
  identify: { ...BOOLEAN, usual: false },
  udpSecondsMax: { ...whole(1, 3600), usual: 30 },
  resume: { expected: 'the state of an interrupted scan', accepts: isResumeState, usual: undefined },
}

type ReadSpec = Required<Omit<ScanSpec, 'rate' | 'hostRate' | 'resume'>> & Pick<ScanSpec, 'rate' | 'hostRate' | 'resume'>

function readFields(input: unknown): Result<ReadSpec> {
  if (!isRecord(input)) return fail(specFault('', 'an object'))
  const unknownFields = Object.keys(input).filter((name) => !Object.hasOwn(FIELDS, name))
  const faults = unknownFields.map((name) => specFault(name.slice(0, 64), `one of ${Object.keys(FIELDS).join(', ')}`))
  const read: Record<string, unknown> = {}
  for (const [name, field] of Object.entries(FIELDS)) {
    const value = input[name] ?? field.usual
    const isMissing = value === undefined && 'usual' in field
    if (!isMissing && !field.accepts(value)) faults.push(specFault(name, field.expected))
    else read[name] = value
  }
  return faults.length > 0 ? fail(...faults) : succeed(read as unknown as ReadSpec)
}

const specFault = (field: string, expected: string): Fault => ({
  code: 'PROBER_SPEC',
  what: { en: `scan spec${field === '' ? '' : `, ${field}`}: expected ${expected}`, zh: `扫描参数${field === '' ? '' : ` ${field}`} 不正确，应为 ${expected}` },
})

const NO_PORT: Fault = { code: 'PROBER_NO_PORT', what: { en: 'no port to scan was given', zh: '未给出要扫描的端口' } }

const FOREIGN_STATE: Fault = {
  code: 'PROBER_FOREIGN_STATE',
  what: { en: 'the state to resume belongs to other targets or ports', zh: '续扫状态属于其他目标或端口' },
  next: { en: 'give the same targets and ports as when it was interrupted', zh: '请使用中断时相同的目标和端口' },
}
