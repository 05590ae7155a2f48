import { reportFaults } from '../cli.ts'
import { examples, type CommandModule } from '../command.ts'
import { EXIT } from '../exitCode.ts'

export const define: CommandModule['define'] = (command, { text, run }) => {
  command.argument('<inventory>', text({ en: 'an Ansible inventory, ini or yaml', zh: 'Ansible 清单（ini 或 yaml）' }))
  examples(command, text, [['portcullis import ansible hosts.ini > portcullis.yaml', { en: 'hosts, addresses and groups as labels', zh: '导入主机、地址，并将组作为标签' }]])
  run(async (cli, _, [file = '']) => {
    const imported = await cli.doors.importAnsible(file)
    if (!imported.ok) {
      reportFaults(cli, imported.faults)
      return EXIT.usage
    }
    cli.out(imported.value)
    return EXIT.ok
  })
}
