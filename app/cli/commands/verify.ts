import { verify, type HostVerification } from '@portcullis/engine/verify.ts'
import { outJson } from '../cli.ts'
import { examples, fleetOptions, type CommandModule, type FleetOptionValues } from '../command.ts'
import { EXIT, type ExitCode } from '../exitCode.ts'
import { refuse, withFleet } from '../fleet.ts'
import { findingJson } from '../rulesetJson.ts'
import { showVerify } from '../show/verify.ts'

export const define: CommandModule['define'] = (command, { text, run }) => {
  command.argument('[hosts...]', text({ en: 'only these hosts', zh: '仅限这些主机' }))
  fleetOptions(command, text)
  examples(command, text, [
    ['portcullis verify', { en: 'do the kernels enforce what the policy means?', zh: '内核生效的规则是否与策略一致？' }],
    ['portcullis verify web-1 --json', { en: 'one host, for a monitor', zh: '供监控使用' }],
  ])
  run((cli, options, names) => {
    const values = options as unknown as FleetOptionValues
    const host = [...(values.host ?? []), ...names]
    return withFleet(cli, { ...values, ...(host.length > 0 ? { host } : {}) }, async ({ world, read, hosts, options: fleet }) => {
      const verified = await verify(world, read.policy, hosts, fleet)
      if (!verified.ok) return refuse(cli, verified.faults)
      if (cli.isJson) outJson(cli, { format: 'portcullis-verify', version: 1, hosts: verified.value.map(hostJson) })
      else cli.out(showVerify(cli, verified.value))
      return verifyExit(verified.value)
    })
  })
}

const hostJson = ({ idle, ...rest }: HostVerification) => ({ ...rest, idle: idle.map(findingJson) })

/** A host that surely differs outweighs those that nothing is known of. */
export function verifyExit(hosts: readonly HostVerification[]): ExitCode {
  if (hosts.some((host) => host.kind === 'differs')) return EXIT.differs
  return hosts.every((host) => host.kind === 'equal') ? EXIT.ok : EXIT.incomplete
}
