import { fail, succeed, type Fault, type Place, type Result, type Text } from '@portcullis/core/fault/fault.ts'
import { START_RULES, type StartRules } from '@portcullis/core/plan/approval.ts'
import { nearest } from '@portcullis/core/policy/nearest.ts'
import type { Host, Transport } from '@portcullis/core/policy/policy.ts'
import type { Gate, Measure } from '@portcullis/core/rollout/gate.ts'
import { z } from 'zod'
import { readTransport } from '../policyfile/hosts.ts'
import { offsetOf, valueOf, type Path } from '../policyfile/located.ts'
import { breach, describeIssues } from '../policyfile/plainIssue.ts'
import { TRANSPORT } from '../policyfile/schema.ts'
import { readYaml } from '../policyfile/yamlReader.ts'
import { onlyFromHere, readMeasure } from '../probe/probeGates.ts'
import { readQuery } from '../prometheus/prometheusGates.ts'

const vantageName = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/)
const setting = z.union([z.string().max(4096), z.number(), z.boolean()])
const gate = z
  .strictObject({
    name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/),
    service: z.string().min(1).max(100).optional(),
    critical: z.boolean().default(false),
    samples: z.int().min(1).max(1000).default(3),
    hosts: z.array(z.string()).min(1).optional(),
    tcp: z.int().min(1).max(65_535).optional(),
    probe: z.string().min(1).max(64).optional(),
    /** Who asks, one gate each: names of `vantages` or of managed hosts, and `controller`. */
    from: z.union([vantageName.transform((one) => [one]), z.array(vantageName).min(1).max(50)]).optional(),
    with: z.record(z.string(), setting).default({}),
  })
  .refine((given) => (given.tcp === undefined) !== (given.probe === undefined), breach({ en: 'a gate has either tcp or probe', zh: '放行条件须写 tcp 或 probe 其中之一' }))
const time = z.iso.datetime({ offset: true }).transform((text) => Date.parse(text))
const freeze = z.strictObject({ from: time, until: time, because: z.string().min(1).max(500) }).refine(({ from, until }) => from < until, breach({ en: 'a freeze ends after it begins', zh: '冻结期的结束须晚于开始' }))
const file = z.strictObject({
  version: z.literal(1),
  vantages: z.record(vantageName, TRANSPORT).default({}),
  gates: z.array(gate).max(200).default([]),
  approvals: z.strictObject({ people: z.int().min(0).max(20), hours: z.int().min(1).max(8760).default(START_RULES.approvalHoursMax) }).optional(),
  factsMinutes: z.int().min(1).max(1_000_000).default(START_RULES.factsMinutesMax),
  freezes: z.array(freeze).max(1000).default([]),
})

/** How a fleet's owners want their plans to be rolled out. */
export interface RolloutFile {
  readonly gates: readonly Gate[]
  readonly rules: StartRules
  /** Of every name that a gate may be asked from. */
  readonly vantages: ReadonlyMap<string, Transport>
}

const BYTES_MAX = 1024 * 1024
const SEE: Text = { en: 'see docs/gates.md', zh: '参见 docs/gates.md' }

/**
 * Reads the file of gates and start rules: YAML or JSON. `hosts`: the managed ones, which can be vantages too.
 * Faults, each with its place: YAML_*, GATES_FILE, GATE_UNKNOWN, GATE_SETTINGS, GATE_TWICE, GATE_VANTAGE.
 */
export function parseGatesFile(text: string, name: string, hosts: readonly Pick<Host, 'name' | 'transport'>[]): Result<RolloutFile> {
  if (text.length > BYTES_MAX) return fail({ code: 'GATES_FILE', what: { en: 'larger than 1 MiB', zh: '超过 1 MiB' }, next: SEE, place: { file: name, line: 1, column: 1 } })
  const yaml = readYaml(text, name)
  if (!yaml.ok) return yaml
  const read = file.safeParse(valueOf(yaml.value.root))
  const placeOf = (path: Path): Place => yaml.value.placeAt(offsetOf(yaml.value.root, path))
  if (!read.success) return fail(...describeIssues(read.error, 'GATES_FILE', SEE, yaml.value))
  const vantages = vantagesOf(read.data.vantages, hosts)
  const entries = read.data.gates.flatMap((given, index) => gatesOf(given).map((one) => ({ one, index, from: one.measure.from })))
  const faults = entries.flatMap(({ one, index, from }) => [
    ...checkGate(one).map((fault) => ({ ...fault, place: placeOf(['gates', index, KEY_OF[fault.code] ?? 'with']) })),
    ...(from === undefined || vantages.has(from) ? [] : [{ ...unknownVantage(from, [...vantages.keys()]), place: placeOf(['gates', index, 'from']) }]),
  ])
  const first = new Map(entries.map((entry) => [entry.one.name, entry] as const).toReversed())
  const twice = entries.flatMap((entry) => (first.get(entry.one.name) === entry ? [] : [{ ...namedTwice(entry.one.name), place: placeOf(['gates', entry.index, 'name']) }]))
  if (faults.length + twice.length > 0) return fail(...faults, ...twice)
  const { approvals, factsMinutes, freezes } = read.data
  const rules = { approvalsMin: approvals?.people ?? 0, approvalHoursMax: approvals?.hours ?? START_RULES.approvalHoursMax, factsMinutesMax: factsMinutes, freezes }
  return succeed({ gates: entries.map(({ one }) => one), rules, vantages })
}

/** The key of a gate that a fault is about. */
const KEY_OF: Readonly<Record<string, string>> = { GATE_UNKNOWN: 'probe', GATE_VANTAGE: 'from' }

function checkGate(one: AskedGate): readonly Fault[] {
  const isQuery = one.measure.kind === 'other' && one.measure.name === 'prometheus'
  if (isQuery && one.measure.from !== undefined) return [onlyFromHere(one.name, 'prometheus')]
  const checked = isQuery ? readQuery(one) : readMeasure(one)
  return checked.ok ? [] : checked.faults
}

/** A vantage of the file's own goes before a managed host of that name. */
const vantagesOf = (own: z.infer<typeof file>['vantages'], hosts: readonly Pick<Host, 'name' | 'transport'>[]): ReadonlyMap<string, Transport> =>
  new Map([...hosts.map(({ name, transport }) => [name, transport] as const), ...Object.entries(own).map(([name, transport]) => [name, readTransport(name, { transport }, {})] as const)])

/** A gate that the file can hold: of the others every rollout has one. */
type AskedGate = Gate & { readonly measure: Extract<Measure, { readonly kind: 'tcp' | 'other' }> }

/** The controller's own place in `from`. */
const CONTROLLER = 'controller'

/** One gate for each place that it is asked from: each has its own verdict and its own time of interruption. */
function gatesOf(given: z.infer<typeof gate>): AskedGate[] {
  const shared = { service: given.service ?? given.name, isCritical: given.critical, samplesMin: given.samples }
  if (given.from === undefined) return [{ ...shared, name: given.name, measure: measureOf(given) }]
  return given.from.map((from) => ({ ...shared, name: `${given.name}@${from}`, measure: { ...measureOf(given), ...(from === CONTROLLER ? {} : { from }) } }))
}

function measureOf({ tcp, probe, hosts, with: settings }: z.infer<typeof gate>): AskedGate['measure'] {
  if (tcp === undefined) return { kind: 'other', name: probe ?? '', settings }
  return { kind: 'tcp', port: tcp, ...(hosts ? { hosts } : {}), ...(typeof settings.address === 'string' ? { address: settings.address } : {}) }
}

const unknownVantage = (name: string, known: readonly string[]): Fault => ({
  code: 'GATE_VANTAGE',
  what: { en: `there is no vantage "${name}"`, zh: `没有名为“${name}”的探测点` },
  next: nearest(name, known) === undefined ? { en: 'write it under "vantages", or name a managed host', zh: '请在 vantages 下定义，或写受管主机的名称' } : { en: `did you mean "${nearest(name, known)}"?`, zh: `是否想写“${nearest(name, known)}”？` },
})

const namedTwice = (name: string): Fault => ({ code: 'GATE_TWICE', what: { en: `two gates are called ${name}`, zh: `有两个放行条件名为 ${name}` } })
