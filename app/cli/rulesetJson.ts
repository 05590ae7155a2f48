import { formatPortRange } from '@portcullis/core/net/port.ts'
import type { Rule, Ruleset, Source } from '@portcullis/core/ruleset/ruleset.ts'
import type { AcceptedRow, Assumption } from '@portcullis/core/verify/accepts.ts'
import type { PacketVerdict } from '@portcullis/core/verify/decide.ts'
import { writeProtocol, writeSources } from '@portcullis/core/verify/differenceText.ts'
import type { Finding } from '@portcullis/core/verify/findings.ts'
import type { Service } from '@portcullis/core/verify/services.ts'
import type { Unknown } from '@portcullis/core/verify/linear.ts'
import type { ChainPath, HookPath, PathStep } from '@portcullis/core/verify/rulePath.ts'

/** What is said of rules and packets, as `--json` prints it; `schemas/ruleset.schema.json` has the shapes. */

export const sourceJson = ({ file, line, handle, pointer, text }: Source) => ({
  file,
  ...(line === undefined ? {} : { line }),
  ...(handle === undefined ? {} : { handle }),
  ...(line === undefined && pointer !== undefined ? { pointer } : {}),
  text: text.trim(),
})

const ruleJson = ({ source, comment }: Rule) => ({ ...sourceJson(source), ...(comment === undefined ? {} : { comment }) })

const unknownJson = ({ what, rule }: Unknown) => ({ match: what, ...(rule ? { rule: ruleJson(rule) } : {}) })

/** `accepted`, `dropped`, `rejected`; or `undecided` with what may happen and because of which match of which rule. */
export function verdictJson(verdict: PacketVerdict) {
  if (verdict.kind !== 'undecided') return { verdict: verdict.kind }
  return { verdict: verdict.kind, outcomes: verdict.outcomes, because: verdict.because === 'budget' ? [{ match: 'budget' }] : verdict.because.map(unknownJson) }
}

export const pathJson = (path: readonly HookPath[]): unknown => path.map(({ hook, chains }) => ({ hook, chains: chains.map(chainJson) }))

const chainJson = ({ table, chain, steps }: ChainPath): unknown => ({
  table: { family: table.family, name: table.name, backend: table.backend },
  chain: chain.name,
  ...(chain.base ? { priority: chain.base.priority } : {}),
  steps: steps.map(stepJson),
})

const stepJson = ({ rule, effect, isSure, into }: PathStep): unknown => ({
  ...(rule ? { rule: ruleJson(rule) } : {}),
  effect,
  isSure,
  ...(into ? { into: chainJson(into) } : {}),
})

export const assumptionJson = (assumption: Assumption) => (assumption.kind === 'route' ? { route: assumption.field } : { noMatch: unknownJson(assumption.unknown) })

/** A row for each service. */
export const rowsJson = (row: AcceptedRow) => (row.services.length === 0 ? [{ protocols: [], ports: [], icmpTypes: [] }] : row.services).map((service) => rowJson(row, service))

const rowJson = ({ states, interfaces, outInterfaces, sources, destinations, destinationTypes, conditions, verdict, because }: AcceptedRow, { protocols, ports, icmpTypes }: Service) => ({
  states,
  interfaces,
  outInterfaces,
  protocols: protocols.map(writeProtocol),
  ports: ports.map(formatPortRange),
  icmpTypes: icmpTypes.map(formatPortRange),
  sources: writeSources(sources),
  destinations: writeSources(destinations),
  destinationTypes,
  conditions: conditions.map(({ field, values }) => ({ field, values: values.map(({ first, last }) => (first === last ? String(first) : `${first}-${last}`)) })),
  verdict,
  ...(verdict === 'undecided' ? { because: because.map(unknownJson) } : {}),
})

export const findingJson = ({ kind, table, chain, rule }: Finding) => ({ kind, table: `${table.family} ${table.name}`, chain: chain.name, rule: ruleJson(rule) })

export const unmodelledJson = ({ unmodelled }: Ruleset) => unmodelled.map(({ construct, source }) => ({ construct, ...sourceJson(source) }))
