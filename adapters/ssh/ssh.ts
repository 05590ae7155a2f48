import { join } from 'node:path'
import { fail, succeed, type Fault, type Result } from '@portcullis/core/fault/fault.ts'
import { authRefused, badTransport, hostKeyChanged, hostKeyUnknown, scriptMissing, sudoRefused, unreachable } from '../transport/linkFault.ts'
import { SCRIPT_PATH } from '../transport/packagedScript.ts'
import { isPlainWord, placement, type Way } from '../transport/way.ts'
import type { Host, Transport } from '@portcullis/core/policy/policy.ts'

export type SshTransport = Extract<Transport, { readonly kind: 'ssh' }>

const CONNECT_SECONDS_MAX = 10

/**
 * The system's OpenSSH. The first command of a host opens a connection that later ones ride on, through a socket in
 * `controlDirectory`, which must be private to us. Never asks a person, never trusts a host key that is not known.
 */
export function sshWay(host: Host, transport: SshTransport, controlDirectory: string, serial: number): Result<Way> {
  const scriptPath = transport.scriptPath ?? SCRIPT_PATH
  const odd = oddWord([...sshWords(transport), transport.stateDirectory, scriptPath])
  if (odd !== undefined) return fail(badTransport(host.name, odd))

  let opened = 0
  const controlPath = () => join(controlDirectory, `${serial}-${opened}`)
  const root = transport.sudo ? ['sudo', '-n'] : []
  const environment = placement(transport.stateDirectory)
  const ssh = (isFirst: boolean, command: readonly string[]) => [
    'ssh',
    '-T',
    ...options(transport),
    `-oControlMaster=${isFirst ? 'yes' : 'no'}`,
    `-oControlPath=${controlPath()}`,
    '--',
    transport.destination,
    ...command,
  ]
  return succeed({
    host,
    scriptPath,
    hasInit: true,
    script(words, isFirst) {
      if (isFirst) opened += 1
      return ssh(isFirst, [...root, ...environment, scriptPath, ...words])
    },
    shell: (text, words) => ssh(false, [...root, 'sh', '-c', `'${text}'`, 'portcullis-install', ...words]),
    explain: (exitCode, stderr) => explain(host.name, transport, exitCode, stderr),
  })
}

export const sshWords = ({ destination, user, identityFile, knownHostsFile, jump }: SshTransport): readonly (string | undefined)[] => [destination, user, identityFile, knownHostsFile, jump]

/** The first that a shell or ssh(1) could take for something else than a word. */
export const oddWord = (words: readonly (string | undefined)[]): string | undefined => words.find((word) => word !== undefined && (!isPlainWord(word) || word.startsWith('-')))

/** What every ssh of ours is told about one host; its name comes last, after `--`. */
export function options(transport: SshTransport): string[] {
  return [
    ...security(transport),
    '-oServerAliveInterval=15',
    '-oServerAliveCountMax=3',
    '-oForwardAgent=no',
    '-oForwardX11=no',
    '-oClearAllForwardings=yes',
    '-oPermitLocalCommand=no',
    '-oLogLevel=ERROR',
    `-oPort=${transport.port}`,
    ...(transport.user === undefined ? [] : [`-oUser=${transport.user}`]),
    ...jump(transport),
  ]
}

function security(transport: SshTransport): string[] {
  return [
    '-oBatchMode=yes',
    '-oStrictHostKeyChecking=yes',
    '-oUpdateHostKeys=no',
    `-oConnectTimeout=${CONNECT_SECONDS_MAX}`,
    ...(transport.identityFile === undefined ? [] : [`-oIdentityFile=${transport.identityFile}`, '-oIdentitiesOnly=yes']),
    ...(transport.knownHostsFile === undefined ? [] : [`-oUserKnownHostsFile=${transport.knownHostsFile}`]),
  ]
}

/** Not `-J`: the ssh that it starts does not get our key and known hosts. Every word is plain, so the shell that ssh starts changes none. */
function jump(transport: SshTransport): string[] {
  if (transport.jump === undefined) return []
  return [`-oProxyCommand=ssh ${security(transport).join(' ')} -W [%h]:%p ${transport.jump}`]
}

/** ssh says 255 for every failure of its own, so only its words tell which (the texts of OpenSSH 8 to 10). */
function explain(host: string, transport: SshTransport, exitCode: number, stderr: string): Fault | undefined {
  const said = stderr.trim().split('\n').at(-1) ?? ''
  if (transport.sudo && (exitCode === 1 || exitCode === 127)) return explainSudo(host, transport, stderr)
  if (exitCode !== 255) return undefined
  if (/REMOTE HOST IDENTIFICATION HAS CHANGED/.test(stderr)) return hostKeyChanged(host, transport.destination)
  if (/Host key verification failed/.test(stderr)) return hostKeyUnknown(host, transport.destination)
  if (/Permission denied|Too many authentication failures|no such identity/i.test(stderr)) return authRefused(host, said)
  return unreachable(host, said)
}

/** sudo says 1 for whatever it refuses, which the script never does (sudo(8), EXIT VALUE); a shell without a sudo says 127. Its warnings stand before the line that tells. */
function explainSudo(host: string, transport: SshTransport, stderr: string): Fault | undefined {
  const lines = stderr.trim().split('\n')
  if (lines.some((line) => /^sudo: .*: command not found$/.test(line))) return scriptMissing(host, transport.scriptPath ?? SCRIPT_PATH)
  const refusal = lines.findLast((line) => /^(sudo: |Sorry, user )|sudo: (command )?not found$/.test(line))
  return refusal === undefined ? undefined : sudoRefused(host, refusal)
}
