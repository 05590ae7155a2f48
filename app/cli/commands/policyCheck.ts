import { outJson, reportFaults, reportWarnings, say } from '../cli.ts'
import { examples, type CommandModule } from '../command.ts'
import { EXIT } from '../exitCode.ts'
import { count } from '../show/words.ts'

export const define: CommandModule['define'] = (command, { text, run }) => {
  command.argument('[file]', text({ en: 'the policy file', zh: '策略文件' }), 'portcullis.yaml')
  examples(command, text, [
    ['portcullis policy check', { en: 'portcullis.yaml here', zh: '检查当前目录的 portcullis.yaml' }],
    ['portcullis policy check fleet.yaml --json', { en: 'for an editor or a pipeline', zh: '供编辑器或流水线使用' }],
  ])
  run(async (cli, _, [file = 'portcullis.yaml']) => {
    const read = await cli.doors.readPolicy(file)
    if (!read.ok) {
      reportFaults(cli, read.faults)
      return EXIT.usage
    }
    const { policy, warnings, seen } = read.value
    reportWarnings(cli, warnings)
    if (cli.isJson) {
      outJson(cli, { format: 'portcullis-policy-check', version: 1, digest: seen.digest, hosts: policy.hosts.length, needs: policy.needs.length, warnings })
      return EXIT.ok
    }
    const holds = [count(cli, policy.hosts.length, 'host', '台主机'), count(cli, policy.zones.length, 'zone', '个区域'), count(cli, policy.needs.length, 'need', '条业务需求')]
    cli.out(`${cli.paint.green('✓')} ${file}: ${holds.join(', ')}${warnings.length > 0 ? `, ${count(cli, warnings.length, 'warning', '条警告')}` : ''}\n`)
    if (policy.needs.length === 0) cli.err(`${say(cli, NOTHING_NEEDED)}\n`)
    return EXIT.ok
  })
}

const NOTHING_NEEDED = { en: 'It has no need: planning it would close every service.', zh: '其中没有业务需求：据此生成的计划会关闭所有业务。' }
