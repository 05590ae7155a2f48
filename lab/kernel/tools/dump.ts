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
const path = (end: string): string => join(values.into ?? '', `${values.tool}.${end}`)
if (backend === 'nft') {
  const ours = new RegExp(`^table inet ${PROBE_TABLE} \\{$.*?^\\}\\n`, 'ms')
  write(path('nft'), run('nft', '-s', 'list', 'ruleset').replace(ours, ''))
} else {
  write(path('save'), undated(run('iptables-save')))
  write(path('save6'), undated(run('ip6tables-save')))
}
stop?.()
closeStage(stage)
rmSync(folder, { recursive: true, force: true })
process.exit(0)

/** Without the date of the dump and what was counted until then. */
function undated(text: string): string {
  return text.replaceAll(/^#.*\n/gm, '').replaceAll(/\[\d+:\d+\]/g, '[0:0]')
}
