import { FaultError } from '@portcullis/core/fault/fault.ts'
import { DEMO_NEEDS } from '@portcullis/lab/demo/needs.ts'
import { asRoot } from '@portcullis/lab/privilege.ts'
import { keep } from '@portcullis/lab/registry.ts'
import { Option } from 'commander'
import { mkdirSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { startProgress } from '../../demo/progress.ts'
import { runDemo, type Evidence } from '../../demo/run.ts'
import { summarise, type DemoSummary } from '../../demo/summary.ts'
import { demoPage } from '../../report/demoPage.ts'
import { outJson, type Cli } from '../cli.ts'
import { examples, type CommandModule } from '../command.ts'
import { EXIT, type ExitCode } from '../exitCode.ts'
import { refuse } from '../fleet.ts'
import { showDemo } from '../show/demo.ts'

interface DemoValues {
  readonly out: string
  readonly keep?: boolean
  readonly without?: readonly string[]
}

export const define: CommandModule['define'] = (command, { text, run }) => {
  command
    .addOption(new Option('--out <dir>', text({ en: 'where the matrices, the policy, the plan and the report go', zh: '矩阵、策略、计划与报告的输出目录' })).default('portcullis-demo'))
    .addOption(new Option('--keep', text({ en: 'leave the lab standing; node lab/main.ts down removes it', zh: '保留实验环境；用 node lab/main.ts down 清除' })))
    .addOption(
      new Option('--without <need...>', text({ en: 'leave these needs out of the policy, to see that the check finds it', zh: '从策略中去掉这些业务需求，以验证检查能够发现' })).choices(DEMO_NEEDS.map(({ id }) => id)),
    )
  examples(command, text, [
    ['portcullis demo', { en: 'a fleet of real daemons on this machine, closed and checked', zh: '在本机启动真实服务，收敛端口并逐包验证' }],
    ['portcullis demo --without dns-dns-1', { en: 'a forgotten need: ends with 1 and names it', zh: '遗漏一项业务需求：以退出码 1 结束并指出' }],
  ])
  run(async (cli, values) => {
    try {
      // The same program again where this one is not root; all it returns is its exit code.
      return (await asRoot(() => demo(cli, values as unknown as DemoValues))) as ExitCode
    } catch (error) {
      if (error instanceof FaultError && !cli.signal.aborted) return refuse(cli, [error.fault])
      throw error
    }
  })
}

async function demo(cli: Cli, { out, keep: isKept, without = [] }: DemoValues): Promise<ExitCode> {
  // Of the many short Node processes of a lab, only the first has to compile what they share. Nobody else can write there.
  process.env.NODE_COMPILE_CACHE ??= fileURLToPath(new URL('../../../node_modules/.cache/portcullis', import.meta.url))
  const folder = resolve(out)
  mkdirSync(folder, { recursive: true })
  const prefix = `demo-${process.pid}`
  const progress = startProgress(cli)
  let evidence: Evidence | undefined
  try {
    const needs = DEMO_NEEDS.filter(({ id }) => !without.includes(id))
    evidence = await runDemo({ folder, prefix, needs, now: cli.now, progress })
  } finally {
    progress.end()
  }
  const summary = summarise(evidence, progress.phases, folder)
  leaveFiles(cli, summary, evidence)
  if (cli.isJson) outJson(cli, summary)
  else cli.out(showDemo(cli, summary, isKept === true ? prefix : undefined))
  if (isKept === true) keep(prefix)
  else await evidence.lab.stop()
  return summary.ok ? EXIT.ok : EXIT.differs
}

function leaveFiles(cli: Cli, summary: DemoSummary, { matrixBefore, matrixAfter, plan }: Evidence): void {
  const { files } = summary
  const json = (value: unknown): string => `${JSON.stringify(value, undefined, 2)}\n`
  writeFileSync(files.matrixBefore, json(matrixBefore))
  writeFileSync(files.matrixAfter, json(matrixAfter))
  writeFileSync(files.plan, json(plan))
  writeFileSync(files.report, demoPage({ summary, before: matrixBefore, after: matrixAfter, needs: DEMO_NEEDS, at: cli.now(), language: cli.language }))
}
