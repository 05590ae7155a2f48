import { spawnSync } from 'node:child_process'
import { parseArgs } from 'node:util'
import { describeFault, FaultError } from '@portcullis/core/fault/fault.ts'
import { DEMO_WORLD } from './demo/world.ts'
import { readInits } from './machine.ts'
import { asRoot } from './privilege.ts'
import { registered, release } from './registry.ts'
import { startWorld } from './start.ts'
import { flatWorld, type World } from './world.ts'

const USAGE = `usage: lab up [--world demo|flat:N] [--prefix P] [--keep]
       lab shell HOST [--prefix P] [-- COMMAND …]
       lab list
       lab down [--prefix P]
`

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { world: { type: 'string', default: 'demo' }, prefix: { type: 'string' }, keep: { type: 'boolean', default: false } },
})

const COMMANDS: Readonly<Record<string, () => Promise<number> | number>> = { up, shell, list, down }
const command = COMMANDS[positionals[0] ?? '']
if (command === undefined) process.stderr.write(USAGE)
try {
  process.exitCode = command === undefined ? 2 : await asRoot(command)
} catch (error) {
  process.exitCode = refuse(error instanceof FaultError ? describeFault(error.fault, 'en') : String(error))
}

async function up(): Promise<number> {
  const world = worldNamed(values.world)
  if (world === undefined) return refuse(`there is no world ${values.world}`)
  const startedMs = performance.now()
  const lab = await startWorld(world, { keep: values.keep, ...(values.prefix === undefined ? {} : { prefix: values.prefix }) })
  process.stdout.write(`${lab.prefix}: ${lab.hosts.length} hosts in ${Math.round(performance.now() - startedMs)} ms\n`)
  if (values.keep) return 0
  process.stdout.write('Ctrl-C takes it down.\n')
  await new Promise<void>((resolve) => {
    const tick = setInterval(() => {}, 2 ** 30)
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => resolve(clearInterval(tick)))
  })
  return 0
}

function shell(): number {
  const prefix = prefixOrOnly()
  if (prefix === undefined) return refuse('which lab? give --prefix')
  const [, host = '', ...argv] = positionals
  const initPid = readInits(prefix).get(host)
  if (initPid === undefined) return refuse(`${prefix} has no host ${host}; it has ${[...readInits(prefix).keys()].join(' ')}`)
  const enter = ['--target', String(initPid), '--mount', '--net', '--pid', '--uts', '--', ...(argv.length > 0 ? argv : ['/bin/bash', '-l'])]
  return spawnSync('nsenter', enter, { stdio: 'inherit', cwd: '/' }).status ?? 1
}

function list(): number {
  for (const lab of registered()) {
    const state = lab.isKept ? 'kept' : lab.isOwned ? 'running' : 'left over'
    process.stdout.write(`${lab.prefix}  ${state}  ${[...readInits(lab.prefix).keys()].join(' ')}\n`)
  }
  return 0
}

/** Without a prefix: everything that is kept or left over, but nothing that another process is using. */
function down(): number {
  const chosen = registered().filter((lab) => (values.prefix === undefined ? lab.isKept || !lab.isOwned : lab.prefix === values.prefix))
  for (const { prefix } of chosen) {
    release(prefix)
    process.stdout.write(`${prefix} is gone\n`)
  }
  return values.prefix !== undefined && chosen.length === 0 ? refuse(`no lab has the prefix ${values.prefix}`) : 0
}

function worldNamed(name: string): World | undefined {
  if (name === 'demo') return DEMO_WORLD
  const count = /^flat:([1-9][0-9]{0,3})$/.exec(name)?.[1]
  return count === undefined ? undefined : flatWorld(Number(count))
}

function prefixOrOnly(): string | undefined {
  const labs = registered()
  return values.prefix ?? (labs.length === 1 ? labs[0]?.prefix : undefined)
}

function refuse(because: string): number {
  process.stderr.write(`lab: ${because}\n`)
  return 1
}
