import { drift, type HostDrift } from '@portcullis/engine/drift.ts'
import { outJson } from '../cli.ts'
import { examples, fleetOptions, type CommandModule, type FleetOptionValues } from '../command.ts'
import { EXIT, type ExitCode } from '../exitCode.ts'
import { withFleet } from '../fleet.ts'
import { showDrift } from '../show/drift.ts'

export const define: CommandModule['define'] = (command, { text, run }) => {
  fleetOptions(command, text)
  examples(command, text, [
    ['portcullis drift', { en: 'ends with 1 where a host differs', zh: '存在漂移时退出码为 1' }],
    ['portcullis drift --json --host web-1', { en: 'one host, for a monitor', zh: '供监控使用' }],
  ])
  run((cli, values) =>
    withFleet(cli, values as unknown as FleetOptionValues, async ({ world, hosts, options }) => {
      const drifts = await drift(world, hosts, options)
      if (cli.isJson) outJson(cli, { format: 'portcullis-drift', version: 1, hosts: drifts })
      else cli.out(showDrift(cli, drifts))
      return driftExit(drifts)
    }),
  )
}

/** A host that surely differs outweighs those that nothing is known of; an unmanaged host has nothing to drift from. */
export function driftExit(drifts: readonly HostDrift[]): ExitCode {
  const kinds = new Set(drifts.map((one) => one.kind))
  if (kinds.has('differs')) return EXIT.differs
  return kinds.has('undecided') || kinds.has('unread') || kinds.has('foreign') ? EXIT.incomplete : EXIT.ok
}
