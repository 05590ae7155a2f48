import type { Fault } from '@portcullis/core/fault/fault.ts'
import { formatPacket } from '@portcullis/core/ruleset/packetText.ts'
import type { Rule, Ruleset } from '@portcullis/core/ruleset/ruleset.ts'
import { compareRulesets, type Comparison } from '@portcullis/core/verify/compare.ts'
import { writeDifference } from '@portcullis/core/verify/differenceText.ts'
import { haveSameOpenRules, openRules } from '@portcullis/core/verify/openRules.ts'
import { Option } from 'commander'
import { outJson, type Cli, type RulesetFile } from '../cli.ts'
import { examples, type CommandModule } from '../command.ts'
import { EXIT, type ExitCode } from '../exitCode.ts'
import { refuse } from '../fleet.ts'
import { sourceJson, unmodelledJson } from '../rulesetJson.ts'
import { dialectOf, hostOptions, readFileHost, waysOf, type RulesetOptionValues } from '../rulesetOptions.ts'
import { showComparison, type ComparedWay } from '../show/compare.ts'
import { placeWords, ruleWords, unmodelledLines } from '../show/ruleWords.ts'
import { t, type Pen } from '../show/words.ts'

interface CompareValues extends RulesetOptionValues {
  readonly dialectA?: RulesetFile['dialect']
  readonly dialectB?: RulesetFile['dialect']
  readonly alsoA?: readonly string[]
  readonly alsoB?: readonly string[]
}

export const define: CommandModule['define'] = (command, { text, run }) => {
  command
    .argument('<a>', text({ en: 'the rules as they were', zh: '原规则文件' }))
    .argument('<b>', text({ en: 'the rules as they are to be', zh: '新规则文件' }))
    .addOption(new Option('--dialect-a <name>', text({ en: 'of A; recognised without it', zh: 'A 的语法；缺省自动识别' })).argParser(dialectOf))
    .addOption(new Option('--dialect-b <name>', text({ en: 'of B; recognised without it', zh: 'B 的语法；缺省自动识别' })).argParser(dialectOf))
    .addOption(new Option('--also-a <file...>', text({ en: 'more dumps of the host of A: ip6tables-save beside iptables-save', zh: 'A 所属主机的其他规则文件，例如 ip6tables-save' })))
    .addOption(new Option('--also-b <file...>', text({ en: 'the same for B', zh: 'B 所属主机的其他规则文件' })))
  hostOptions(command, text)
  examples(command, text, [
    ['portcullis compare old.save new.nft', { en: 'ends with 0 only where every packet meets the same', zh: '仅当每个报文结果相同时退出码为 0' }],
    ['portcullis compare v4.save new.nft --also-a v6.save --hook input', { en: 'both families of an iptables host against one nft table', zh: '将 iptables 主机的两个地址族与一个 nft 表比较' }],
  ])
  run(async (cli, options, [a = '', b = '']) => {
    const values = options as CompareValues
    const before = await readFileHost(cli, filesOf(a, values.dialectA, values.alsoA), values)
    if (!before.ok) return refuse(cli, before.faults)
    const after = await readFileHost(cli, filesOf(b, values.dialectB, values.alsoB), values)
    if (!after.ok) return refuse(cli, after.faults)
    const { facts } = before.value
    const ways = waysOf(values.hook, facts).map((way): ComparedWay => ({ way, comparison: compareRulesets(before.value.ruleset, after.value.ruleset, { way, ...(facts ? { facts } : {}) }) }))
    return answer(cli, [a, b], before.value.ruleset, after.value.ruleset, ways)
  })
}

const filesOf = (file: string, dialect: RulesetFile['dialect'], also: readonly string[] = []): RulesetFile[] => [
  { file, ...(dialect ? { dialect } : {}) },
  ...also.map((each) => ({ file: each })),
]

function answer(cli: Cli, names: readonly [string, string], before: Ruleset, after: Ruleset, ways: readonly ComparedWay[]): ExitCode {
  const contradictions = ways.flatMap(({ comparison }) => contradictionsOf(comparison))
  if (contradictions.length > 0) return refuse(cli, contradictions)
  const open = openQuestion(ways, before, after)
  const kind = kindOf(ways, open)
  if (cli.isJson) outJson(cli, compareJson(kind, ways, open, [before, after]))
  else cli.out(showComparison(cli, names, ways, openLines(cli, open)) + unmodelledText(cli, [before, after]))
  return EXITS[kind]
}

type Kind = Comparison['kind']

const EXITS: Readonly<Record<Kind, ExitCode>> = { equal: EXIT.ok, different: EXIT.differs, undecided: EXIT.incomplete }

const kindOf = (ways: readonly ComparedWay[], open: OpenQuestion | undefined): Kind => {
  if (ways.some(({ comparison }) => comparison.kind === 'different')) return 'different'
  return open || ways.some(({ comparison }) => comparison.kind === 'undecided') ? 'undecided' : 'equal'
}

/** Rules on which it depends whether what is left open is decided alike. */
interface OpenQuestion {
  readonly before: readonly Rule[]
  readonly after: readonly Rule[]
}

function openQuestion(ways: readonly ComparedWay[], before: Ruleset, after: Ruleset): OpenQuestion | undefined {
  const isOpen = ways.some(({ comparison }) => comparison.kind === 'equal' && comparison.isOpen)
  if (!isOpen || haveSameOpenRules(before, after)) return undefined
  return { before: openRules(before), after: openRules(after) }
}

function openLines(pen: Pen, open: OpenQuestion | undefined): string[] {
  if (!open) return []
  const title = t(pen, {
    en: 'Both leave the same packets to matches that are not modelled; whether these decide alike cannot be told:',
    zh: '两者都把相同的报文留给模型之外的匹配；无法判断这些匹配是否等效：',
  })
  const shown = (rules: readonly Rule[]): string[] => rules.slice(0, RULES_SHOWN_MAX).map(({ source }) => `  ${placeWords(source)}  ${ruleWords(source)}`)
  return ['', pen.paint.yellow(title), ...shown(open.before), pen.paint.dim('  →'), ...shown(open.after)]
}

const RULES_SHOWN_MAX = 20

const unmodelledText = (pen: Pen, rulesets: readonly Ruleset[]): string =>
  rulesets.map((ruleset) => unmodelledLines(pen, ruleset).map((line) => `${line}\n`).join('')).join('')

/** A counterexample that the second evaluator rules out is a defect of this program. */
export function contradictionsOf(comparison: Comparison): Fault[] {
  if (comparison.kind !== 'different') return []
  return comparison.differences
    .filter((difference) => difference.replay === 'disagrees')
    .map((difference) => ({
      code: 'EVALUATORS_DISAGREE',
      what: {
        en: `internal error: the two evaluators contradict each other about ${formatPacket(difference.packet)}`,
        zh: `内部错误：两个求值器对 ${formatPacket(difference.packet)} 的结论矛盾`,
      },
      next: { en: 'trust neither; please report it with both rulesets', zh: '两者均不可信；请附上两份规则集报告此问题' },
    }))
}

const compareJson = (kind: Kind, ways: readonly ComparedWay[], open: OpenQuestion | undefined, [before, after]: readonly [Ruleset, Ruleset]) => ({
  format: 'portcullis-compare',
  version: 1,
  kind,
  hooks: ways.map(({ way, comparison }) => ({
    hook: way,
    kind: comparison.kind,
    ...(comparison.kind === 'equal' && comparison.isOpen ? { isOpen: true } : {}),
    ...(comparison.kind === 'undecided' ? { because: comparison.because } : {}),
    differences: comparison.kind === 'different' ? comparison.differences.map(writeDifference) : [],
    more: comparison.kind === 'different' ? comparison.more : 0,
  })),
  ...(open ? { open: { a: open.before.map(({ source }) => sourceJson(source)), b: open.after.map(({ source }) => sourceJson(source)) } } : {}),
  unmodelled: { a: unmodelledJson(before), b: unmodelledJson(after) },
})
