import { fail, succeed, type Fault, type Result } from '@portcullis/core/fault/fault.ts'
import { START_RULES, type StartRules } from '@portcullis/core/plan/approval.ts'
import type { Gate, Measure } from '@portcullis/core/rollout/gate.ts'
import { parse as parseYaml } from 'yaml'
import { z } from 'zod'
import { readMeasure } from '../probe/probeGates.ts'
import { readQuery } from '../prometheus/prometheusGates.ts'

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
  .refine((given) => (given.tcp === undefined) !== (given.probe === undefined), { error: 'a gate has either tcp or probe' })
const time = z.iso.datetime({ offset: true }).transform((text) => Date.parse(text))
const freeze = z.strictObject({ from: time, until: time, because: z.string().min(1).max(500) }).refine(({ from, until }) => from < until, { error: 'a freeze ends after it begins' })
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

/** Reads the file of gates and start rules: YAML or JSON. Faults: GATES_FILE, GATE_UNKNOWN, GATE_SETTINGS, GATE_TWICE. */
export function parseGatesFile(text: string, name: string): Result<RolloutFile> {
  if (text.length > BYTES_MAX) return fail(wrongFile(name, 'larger than 1 MiB'))
  const parsed = parseText(text)
  if (parsed instanceof Error) return fail(wrongFile(name, parsed.message.split('\n')[0] ?? ''))
  const read = file.safeParse(parsed)
  if (!read.success) return fail(...read.error.issues.map((issue) => wrongFile(name, `${issue.path.join('.')}: ${issue.message}`)))
  const gates = read.data.gates.map(gateOf)
  const faults = gates.flatMap((one) => {
    const checked = one.measure.kind === 'other' && one.measure.name === 'prometheus' ? readQuery(one) : readMeasure(one)
    return checked.ok ? [] : checked.faults
  })
  const twice = gates.filter((one, index) => gates.findIndex((other) => other.name === one.name) !== index).map((one) => namedTwice(one.name))
  if (faults.length + twice.length > 0) return fail(...faults, ...twice)
  const { approvals, factsMinutes, freezes } = read.data
  const rules = { approvalsMin: approvals?.people ?? 0, approvalHoursMax: approvals?.hours ?? START_RULES.approvalHoursMax, factsMinutesMax: factsMinutes, freezes }
  return succeed({ gates, rules })
}

function parseText(text: string): unknown {
  try {
    return parseYaml(text, { maxAliasCount: 10, prettyErrors: true }) as unknown
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error))
  }
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

const wrongFile = (file: string, what: string): Fault => ({
  code: 'GATES_FILE',
  what: { en: `${file}: ${what}`, zh: `${file}：${what}` },
  next: { en: 'see docs/rollout.md', zh: '参见 docs/rollout.md' },
})

const namedTwice = (name: string): Fault => ({ code: 'GATE_TWICE', what: { en: `two gates are called ${name}`, zh: `有两个放行条件名为 ${name}` } })
