import { status } from '@portcullis/engine/status.ts'
import { outJson } from '../cli.ts'
import { examples, fleetOptions, type CommandModule, type FleetOptionValues } from '../command.ts'
import { EXIT } from '../exitCode.ts'
import { withFleet } from '../fleet.ts'
import { showStatus } from '../show/status.ts'

export const define: CommandModule['define'] = (command, { text, run }) => {
  fleetOptions(command, text)
  examples(command, text, [['portcullis status', { en: 'the generation of every host, and what waits for a confirmation', zh: '每台主机的代次，以及等待确认的变更' }]])
  run((cli, values) =>
    withFleet(cli, values as unknown as FleetOptionValues, async ({ world, hosts, options }) => {
      const statuses = await status(world, hosts, options)
      if (cli.isJson) outJson(cli, { format: 'portcullis-status', version: 1, hosts: statuses })
      else cli.out(showStatus(cli, statuses))
      return statuses.some((one) => one.kind === 'unread') ? EXIT.incomplete : EXIT.ok
    }),
  )
}
