import type { HostFacts } from '@portcullis/core/ruleset/hostfacts.ts'
import type { Ruleset } from '@portcullis/core/ruleset/ruleset.ts'
import { BudgetError } from '@portcullis/core/space/arena.ts'
import { acceptedTable, type AcceptedTable } from '@portcullis/core/verify/accepts.ts'
import type { Way } from '@portcullis/core/verify/compose.ts'
import { findIdleRules, type Finding } from '@portcullis/core/verify/findings.ts'
import { openRules } from '@portcullis/core/verify/openRules.ts'
import type { Fault } from '@portcullis/core/fault/fault.ts'
import { outJson } from '../cli.ts'
import { examples, type CommandModule } from '../command.ts'
import { EXIT, type ExitCode } from '../exitCode.ts'
import { refuse } from '../fleet.ts'
import { assumptionJson, findingJson, rowsJson, sourceJson, unmodelledJson } from '../rulesetJson.ts'
import { hostOptions, readFileHost, rulesetOptions, type RulesetOptionValues } from '../rulesetOptions.ts'
import { showAccepts, type AcceptedWay } from '../show/accepts.ts'
import { unmodelledLines } from '../show/ruleWords.ts'

export const define: CommandModule['define'] = (command, { text, run }) => {
  hostOptions(rulesetOptions(command, text), text)
  examples(command, text, [
    ['portcullis accepts --ruleset rules.nft', { en: 'what an auditor would sign', zh: '供审计确认的放行清单' }],
    ['iptables-save | portcullis accepts --ruleset - --hook input', { en: 'of this machine', zh: '查看本机' }],
  ])
  run(async (cli, options) => {
    const values = options as RulesetOptionValues
    if (!values.ruleset) return refuse(cli, [NO_RULESET])
    const host = await readFileHost(cli, values.ruleset, values)
    if (!host.ok) return refuse(cli, host.faults)
    const { ruleset, facts } = host.value
    const ways = shownWays(values.hook, ruleset).map((way) => acceptedWay(ruleset, way, facts))
    const [open, idle] = [openRules(ruleset), idleOf(ruleset)]
    if (cli.isJson) {
      const hooks = ways.map(({ way, table }) => ({ hook: way, kind: table ? (table.isWhole ? 'decided' : 'cut') : 'budget', assuming: (table?.assuming ?? []).map(assumptionJson), rows: (table?.rows ?? []).flatMap(rowsJson) }))
      outJson(cli, { format: 'portcullis-accepts', version: 1, hooks, open: open.map(({ source }) => sourceJson(source)), idle: idle.map(findingJson), unmodelled: unmodelledJson(ruleset) })
    } else cli.out([showAccepts(cli, ways, open, idle), ...unmodelledLines(cli, ruleset, facts).map((line) => `${line}\n`)].join(''))
    return exitOf(ways)
  })
}

/** What is for the host itself and what it hands on, where rules look at that; together they could not be told apart in the table. */
function shownWays(hook: RulesetOptionValues['hook'], ruleset: Ruleset): readonly Way[] {
  if (hook) return [hook]
  const isForwarding = ruleset.tables.some((table) => table.chains.some((chain) => chain.base?.hook === 'forward'))
  return isForwarding ? ['input', 'forward'] : ['input']
}

function acceptedWay(ruleset: Ruleset, way: Way, facts: HostFacts | undefined): AcceptedWay {
  return { way, table: withinBudget(() => acceptedTable(ruleset, way, facts)) }
}

const idleOf = (ruleset: Ruleset): readonly Finding[] => withinBudget(() => findIdleRules(ruleset)) ?? []

function withinBudget<T>(decide: () => T): T | undefined {
  try {
    return decide()
  } catch (error) {
    if (error instanceof BudgetError) return undefined
    throw error
  }
}

/** A row that is undecided, one that only facts can tell the meaning of, a table that is cut or could not be made: no full answer. */
const exitOf = (ways: readonly AcceptedWay[]): ExitCode => (ways.every(({ table }) => table && isFull(table)) ? EXIT.ok : EXIT.incomplete)

const isFull = ({ rows, assuming, isWhole }: AcceptedTable): boolean => isWhole && assuming.length === 0 && rows.every((row) => row.verdict !== 'undecided')

const NO_RULESET: Fault = {
  code: 'RULESET_NONE',
  what: { en: 'no ruleset is named', zh: '未指定规则文件' },
  next: { en: 'name it with --ruleset FILE, or: nft list ruleset | portcullis accepts --ruleset -', zh: '请用 --ruleset FILE 指定，或：nft list ruleset | portcullis accepts --ruleset -' },
}
