import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { closeStage, openStage, PROBE_TABLE } from '../stage.ts'
import { TOOLS } from './catalogue.ts'
import { run, write, type Backend } from './tool.ts'

/**
 * Writes what a tool of Debian's has made of its configuration, as an administrator would save it: the rulesets on which the tests of `app/cli` look.
 * `unshare -nm node lab/kernel/tools/dump.ts --tool ufw --backend iptables-nft --into app/cli/testdata/tools`.
 */
const { values } = parseArgs({ options: { tool: { type: 'string' }, backend: { type: 'string' }, into: { type: 'string' } } })
const tool = TOOLS[values.tool ?? '']
const backend = tool?.backends.find((each): each is Backend => each === values.backend)
if (!tool || !backend || !values.into) throw new Error(`--tool ${Object.keys(TOOLS).join('|')} --backend ${tool?.backends.join('|') ?? '…'} --into FOLDER`)

const folder = mkdtempSync(join(tmpdir(), 'portcullis-dump-'))
const stage = await openStage()
const stop = await tool.load({ backend, folder })
const path = (end: string): string => join(values.into ?? '', `${values.tool}${end}`)
if (backend === 'nft') {
  const ours = new RegExp(`^table inet ${PROBE_TABLE} \\{$.*?^\\}\\n`, 'ms')
  write(path('.nft'), run('nft', '-s', 'list', 'ruleset').replace(ours, ''))
} else {
  write(path('.save'), undated(run('iptables-save')))
  write(path('6.save'), undated(run('ip6tables-save')))
}
write(join(values.into, 'host.facts'), facts())
stop?.()
closeStage(stage)
rmSync(folder, { recursive: true, force: true })
process.exit(0)

/** Interfaces and routes of the stage, as --facts takes them; without hardware addresses, which are new each time. */
function facts(): string {
  const addresses = JSON.parse(run('ip', '-j', 'addr')) as { ifindex: number; ifname: string; link_type: string; addr_info: { local: string; prefixlen: number }[] }[]
  const links = addresses.map(({ ifindex, ifname, link_type, addr_info }) => ({ ifindex, ifname, link_type, addr_info: addr_info.map(({ local, prefixlen }) => ({ local, prefixlen })) }))
  const asked = [['route', 'show', 'table', 'all'], ['-6', 'route', 'show', 'table', 'all'], ['rule'], ['-6', 'rule']].map((words) => run('ip', '-j', ...words).trim())
  return [JSON.stringify(links), ...asked, run('sysctl', 'net.ipv4.ip_forward', 'net.ipv6.conf.all.forwarding').trim(), ''].join('\n')
}

/** Without the date of the dump and what was counted until then. */
function undated(text: string): string {
  return text.replaceAll(/^#.*\n/gm, '').replaceAll(/\[\d+:\d+\]/g, '[0:0]')
}
