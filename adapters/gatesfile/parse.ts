import { fail, succeed, type Fault, type Place, type Result, type Text } from '@portcullis/core/fault/fault.ts'
import { START_RULES, type StartRules } from '@portcullis/core/plan/approval.ts'
import type { Gate, Measure } from '@portcullis/core/rollout/gate.ts'
import { z } from 'zod'
import { offsetOf, valueOf, type Path } from '../policyfile/located.ts'
import { readYaml, type LocatedText } from '../policyfile/yamlReader.ts'
import { readMeasure } from '../probe/probeGates.ts'
import { readQuery } from '../prometheus/prometheusGates.ts'

/** What a rule of ours says of its breach, in both languages. */
const ofBoth = (text: Text): { readonly error: string; readonly params: { readonly text: Text } } => ({ error: text.en, params: { text } })

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
    with: z.record(z.string(), setting).default({}),
  })
  .refine((given) => (given.tcp === undefined) !== (given.probe === undefined), ofBoth({ en: 'a gate has either tcp or probe', zh: '放行条件须写 tcp 或 probe 其中之一' }))
const time = z.iso.datetime({ offset: true }).transform((text) => Date.parse(text))
const freeze = z.strictObject({ from: time, until: time, because: z.string().min(1).max(500) }).refine(({ from, until }) => from < until, ofBoth({ en: 'a freeze ends after it begins', zh: '冻结期的结束须晚于开始' }))
const file = z.strictObject({
  version: z.literal(1),
  gates: z.array(gate).max(200).default([]),
  approvals: z.strictObject({ people: z.int().min(0).max(20), hours: z.int().min(1).max(8760).default(START_RULES.approvalHoursMax) }).optional(),
  factsMinutes: z.int().min(1).max(1_000_000).default(START_RULES.factsMinutesMax),
  freezes: z.array(freeze).max(1000).default([]),
})

/** How a fleet's owners want their plans to be rolled out. */
export interface RolloutFile {
  readonly gates: readonly Gate[]
  readonly rules: StartRules
}

const BYTES_MAX = 1024 * 1024

/** Reads the file of gates and start rules: YAML or JSON. Faults, each with its place: YAML_*, GATES_FILE, GATE_UNKNOWN, GATE_SETTINGS, GATE_TWICE. */
export function parseGatesFile(text: string, name: string): Result<RolloutFile> {
  if (text.length > BYTES_MAX) return fail({ ...wrongFile({ en: 'larger than 1 MiB', zh: '超过 1 MiB' }), place: { file: name, line: 1, column: 1 } })
  const yaml = readYaml(text, name)
  if (!yaml.ok) return yaml
  const read = file.safeParse(valueOf(yaml.value.root))
  const placeOf = (path: Path): Place => yaml.value.placeAt(offsetOf(yaml.value.root, path))
  if (!read.success) return fail(...read.error.issues.flatMap((issue) => describeIssue(issue, yaml.value)))
  const gates = read.data.gates.map(gateOf)
  const faults = gates.flatMap((one, index) => {
    const checked = one.measure.kind === 'other' && one.measure.name === 'prometheus' ? readQuery(one) : readMeasure(one)
    return checked.ok ? [] : checked.faults.map((fault) => ({ ...fault, place: placeOf(['gates', index, fault.code === 'GATE_UNKNOWN' ? 'probe' : 'with']) }))
  })
  const twice = gates.flatMap((one, index) => (gates.findIndex((other) => other.name === one.name) === index ? [] : [{ ...namedTwice(one.name), place: placeOf(['gates', index, 'name']) }]))
  if (faults.length + twice.length > 0) return fail(...faults, ...twice)
  const { approvals, factsMinutes, freezes } = read.data
  const rules = { approvalsMin: approvals?.people ?? 0, approvalHoursMax: approvals?.hours ?? START_RULES.approvalHoursMax, factsMinutesMax: factsMinutes, freezes }
  return succeed({ gates, rules })
}

type Issue = z.core.$ZodIssue

const CHINESE = z.locales.zhCN().localeError

function describeIssue(issue: Issue, { root, placeAt }: LocatedText): Fault[] {
  const path = issue.path as Path
  const at = path.length === 0 ? '' : `${path.join('.')}: `
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => ({ ...wrongFile({ en: `${at}"${key}" is not known here`, zh: `${at}此处没有“${key}”这个键` }), place: placeAt(offsetOf(root, [...path, key], 'key')) }))
  const own = issue.code === 'custom' ? (issue.params?.text as Text | undefined) : undefined
  const said = CHINESE(issue as Parameters<typeof CHINESE>[0])
  const zh = own?.zh ?? (typeof said === 'string' ? said : said?.message) ?? issue.message
  return [{ ...wrongFile({ en: `${at}${issue.message}`, zh: `${at}${zh}` }), place: placeAt(offsetOf(root, path)) }]
}

const gateOf = (given: z.infer<typeof gate>): Gate => ({
  name: given.name,
  measure: measureOf(given),
  ...(given.service === undefined ? {} : { service: given.service }),
  isCritical: given.critical,
  samplesMin: given.samples,
})

function measureOf({ tcp, probe, hosts, with: settings }: z.infer<typeof gate>): Measure {
  if (tcp === undefined) return { kind: 'other', name: probe ?? '', settings }
  return { kind: 'tcp', port: tcp, ...(hosts ? { hosts } : {}), ...(typeof settings.address === 'string' ? { address: settings.address } : {}) }
}

const wrongFile = (what: Text): Fault => ({
  code: 'GATES_FILE',
  what,
  next: { en: 'see docs/rollout.md', zh: '参见 docs/rollout.md' },
})

const namedTwice = (name: string): Fault => ({ code: 'GATE_TWICE', what: { en: `two gates are called ${name}`, zh: `有两个放行条件名为 ${name}` } })
