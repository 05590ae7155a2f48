import { fail, succeed, type Result } from '@portcullis/core/fault/fault.ts'
import { run, type Limits } from './child.ts'
import { endedFault } from './endedFault.ts'
import { cancelled, installFailed, nftOld, timedOut, toolsMissing } from './linkFault.ts'
import { readBootUnit, SCRIPT_PATH, sha256, type PackagedScript } from './packagedScript.ts'
import type { Way } from './way.ts'
import type { Cancellation } from '@portcullis/engine/ports.ts'

export interface Installed {
  readonly path: string
  readonly version: string
}

export const UNIT_PATH = '/etc/systemd/system/portcullis.service'

/** Puts the script, and where the host has systemd its boot unit, in place. Doing it again changes nothing. */
export async function install(way: Way, script: PackagedScript, signal?: Cancellation): Promise<Result<Installed>> {
  const tools = await shell(way, LIST_TOOLS, [], '', signal)
  if (!tools.ok) return tools
  const missing = [...tools.value.matchAll(/^missing (.+)$/gm)].map((match) => match[1] ?? '')
  if (missing.length > 0) return fail(toolsMissing(way.host.name, missing))
  const nft = /^nft (\S+)$/m.exec(tools.value)?.[1] ?? ''
  if (isOld(nft)) return fail(nftOld(way.host.name, nft))

  const put = await shell(way, PUT_FILE, [way.scriptPath, script.digest, '755'], script.text, signal)
  if (!put.ok) return put
  if (way.hasInit && way.scriptPath === SCRIPT_PATH && /^init systemd$/m.test(tools.value)) {
    const unit = readBootUnit()
    const placed = await shell(way, PUT_FILE, [UNIT_PATH, sha256(unit), '644'], unit, signal)
    if (!placed.ok) return placed
    const enabled = await shell(way, ENABLE_UNIT, [], '', signal)
    if (!enabled.ok) return enabled
  }
  return succeed({ path: way.scriptPath, version: script.version })
}

const LIMITS: Limits = { timeoutMs: 60_000, outputBytesMax: 64 * 1024 }

async function shell(way: Way, text: string, words: readonly string[], input: string, signal?: Cancellation): Promise<Result<string>> {
  const ended = await run(way.shell(text, words), input, signal ? { ...LIMITS, signal } : LIMITS)
  if (ended.kind === 'cancelled') return fail(cancelled(way.host.name, 'install'))
  if (ended.kind !== 'exited') return fail(timedOut(way.host.name, 'install', LIMITS.timeoutMs))
  if (ended.exitCode === 0) return succeed(ended.stdout)
  const fault = way.explain(ended.exitCode, ended.stderr)
  const said = ended.stderr.trim().split('\n').at(-1) ?? ''
  return fail(fault ?? (ended.exitCode > 125 ? endedFault(way, 'install', ended.exitCode, ended.stderr) : installFailed(way.host.name, said)))
}

/** 1.0.6 is the oldest nft that the host script works with. A version that cannot be read is the script's to judge. */
function isOld(version: string): boolean {
  const [major = 0, minor = 0, patch = 0] = version.split('.').map(Number)
  return /^[0-9]+\.[0-9]+\.[0-9]+$/.test(version) && major * 1_000_000 + minor * 1_000 + patch < 1_000_006
}

/* The three texts that run on a host besides the script. None has a single quote, none takes more than plain words. */

const SHELL_START = 'set -eu; PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin; export PATH; LC_ALL=C; export LC_ALL; '

const LIST_TOOLS = `${SHELL_START}
for tool in nft ip ss flock awk sha256sum conntrack; do command -v "$tool" >/dev/null || echo "missing $tool"; done
[ "$(id -u)" -eq 0 ] || echo "missing root"
! command -v nft >/dev/null || nft --version | sed -n "s/^nftables v\\([0-9.]*\\).*/nft \\1/p"
[ ! -d /run/systemd/system ] || [ "$(readlink /proc/1/ns/net)" != "$(readlink /proc/self/ns/net)" ] || echo "init systemd"`

/** PATH DIGEST MODE: whole or not at all, and not at all where it is the same already. */
const PUT_FILE = `${SHELL_START}umask 077
digest() { sha256sum "$1" 2>/dev/null | cut -d " " -f 1; }
if [ "$(digest "$1")" = "$2" ] && [ "$(stat -c %a "$1")" = "$3" ]; then cat >/dev/null; exit 0; fi
new="$1.new.$$"
trap "rm -f \\"$new\\"" EXIT
mkdir -p "\${1%/*}"
cat >"$new"
[ "$(digest "$new")" = "$2" ] || { echo "what arrived is not what was sent (disk full?)" >&2; exit 1; }
chmod "$3" "$new"
sync "$new" 2>/dev/null || sync
mv -f "$new" "$1"`

const ENABLE_UNIT = `${SHELL_START}systemctl daemon-reload; systemctl enable --quiet portcullis.service`
