import { installHosts } from '@portcullis/engine/installHost.ts'
import { outJson } from '../cli.ts'
import { examples, fleetOptions, type CommandModule, type FleetOptionValues } from '../command.ts'
import { EXIT } from '../exitCode.ts'
import { withFleet } from '../fleet.ts'
import { faultLines } from '../show/faults.ts'

export const define: CommandModule['define'] = (command, { text, run }) => {
  fleetOptions(command, text)
  examples(command, text, [
    ['portcullis host install', { en: 'on every host of portcullis.yaml', zh: '在 portcullis.yaml 的每台主机上安装' }],
    ['portcullis host install --host web-1', { en: 'on one', zh: '仅安装一台' }],
  ])
  run((cli, values) =>
    withFleet(cli, values as unknown as FleetOptionValues, async ({ world, hosts, options }) => {
      const installs = await installHosts(world, hosts, options)
      if (cli.isJson) outJson(cli, { format: 'portcullis-install', version: 1, hosts: installs })
      for (const { host, path, version, faults } of cli.isJson ? [] : installs) {
        const lines = path === undefined ? faultLines(cli, faults) : [`${cli.paint.green('✓')} ${cli.paint.bold(host)}  ${path} ${version ?? ''}`]
        cli.out(`${lines.join('\n')}\n`)
      }
      return installs.every((install) => install.kind === 'installed') ? EXIT.ok : EXIT.hostFailed
    }),
  )
}
