import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { parsePolicyFile } from '../policyfile/parse.ts'
import { sshWay } from './ssh.ts'

test('the example in the documentation becomes these commands', () => {
  const page = readFileSync(new URL('../../docs/ssh.md', import.meta.url), 'utf8')
  const { policy } = parsePolicyFile(/```yaml\n([^]*?)```/.exec(page)?.[1] ?? '', 'ssh.md', Date.UTC(2026, 10, 24))
  expect(policy.ok ? [] : policy.faults).toEqual([])
  const commands = (policy.ok ? policy.value.hosts : []).map((host) => {
    const way = host.transport.kind === 'ssh' ? sshWay(host, host.transport, '/c', 1) : undefined
    return [host.name, way?.ok ? shortened(way.value.script(['version'], true)) : 'refused']
  })
  expect(Object.fromEntries(commands)).toEqual({
    'web-1': '-oPort=22 -oUser=deploy -- web-1 sudo -n /usr/local/sbin/portcullis-host version',
    'web-2': '-oPort=2222 -oUser=deploy -- web-2 sudo -n /usr/local/sbin/portcullis-host version',
    'db-1': '-oPort=22 -oUser=deploy -oProxyCommand=… -W [%h]:%p ssh://ops@bastion.example.org:2222 -- 10.0.0.7 sudo -n /usr/local/sbin/portcullis-host version',
    'old-1': '-oPort=22 -oUser=root -- old-1 /usr/local/sbin/portcullis-host version',
  })
})

/** Without what is the same for all. */
const shortened = (argv: readonly string[]): string =>
  argv
    .slice(argv.findIndex((word) => word.startsWith('-oPort=')))
    .filter((word) => !word.startsWith('-oControl'))
    .map((word) => word.replace(/^(-oProxyCommand=)ssh .* -W/, '$1… -W'))
    .join(' ')
