import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { Worker } from 'node:worker_threads'
import { keepInput } from './corpus.ts'
import { INPUT_BYTES_MAX } from './mutation.ts'
import { PARSERS } from './parsers.ts'
import type { FuzzTask } from './worker.ts'

/** `npm run fuzz` lists the parsers, `npm run fuzz -- PARSER|all [--minutes N] [--seed S]` feeds one mutated real inputs and random bytes, for N minutes of CPU time. */
const INPUT_SECONDS_MAX = 10
const MEMORY_MB_MAX = 512
const FINDINGS_MAX = 20

const { values, positionals } = parseArgs({ allowPositionals: true, options: { minutes: { type: 'string', default: '1' }, seed: { type: 'string', default: '1' } } })
const [asked] = positionals
const names = asked === 'all' ? Object.keys(PARSERS) : [asked ?? '']

if (asked === undefined) for (const name of Object.keys(PARSERS)) console.log(name)
else if (names.some((name) => !Object.hasOwn(PARSERS, name)) || !(Number(values.minutes) > 0) || !Number.isSafeInteger(Number(values.seed))) {
  console.error(`PARSER is one of: all, ${Object.keys(PARSERS).join(', ')}; --minutes and --seed are numbers`)
  process.exitCode = 2
} else for (const name of names) if ((await fuzz(name, Number(values.seed), Number(values.minutes))) > 0) process.exitCode = 1

async function fuzz(parser: string, seed: number, minutes: number): Promise<number> {
  const end = cpuSeconds() + minutes * 60
  let [executions, findings] = [0, 0]
  for (let round = 0; cpuSeconds() < end && findings < FINDINGS_MAX; round += 1) {
    const run = await runWorker(parser, (seed + round * 0x9e37_79b1) | 0, end)
    executions += run.executions
    if (!run.finding) continue
    findings += 1
    console.log(`${parser}: ${run.finding.what}\n  kept as ${keepInput(parser, run.finding.bytes)}`)
  }
  console.log(`${parser}: ${executions.toLocaleString('en')} executions, ${findings} findings, seed ${seed}`)
  return findings
}

/** Of the whole process: on a machine that does something else, time alone says nothing of a parser. */
function cpuSeconds(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}

interface Run {
  readonly executions: number
  readonly finding?: { readonly bytes: Uint8Array; readonly what: string }
}

/** Until the end of the time or the first finding. */
async function runWorker(parser: string, seed: number, end: number): Promise<Run> {
  const task: FuzzTask = { parser, seed, state: new SharedArrayBuffer(8), input: new SharedArrayBuffer(INPUT_BYTES_MAX) }
  const worker = new Worker(join(import.meta.dirname, 'worker.ts'), { workerData: task, resourceLimits: { maxOldGenerationSizeMb: MEMORY_MB_MAX } })
  const tally = new Int32Array(task.state)
  const present = (): Uint8Array => Uint8Array.from(new Uint8Array(task.input).subarray(0, tally[1]))
  let finding: Run['finding']
  const exited = new AbortController()
  worker.on('error', (error) => (finding = { bytes: present(), what: error instanceof Error ? (error.stack ?? error.message) : String(error) }))
  worker.on('exit', () => exited.abort())
  for (let [last, since] = [-1, cpuSeconds()]; !exited.signal.aborted && cpuSeconds() < end; ) {
    await wait(100)
    const count = Atomics.load(tally, 0)
    if (count !== last) [last, since] = [count, cpuSeconds()]
    if (count > 0 && cpuSeconds() - since > INPUT_SECONDS_MAX) {
      finding = { bytes: present(), what: `an input takes more than ${INPUT_SECONDS_MAX} s of CPU time` }
      break
    }
  }
  await worker.terminate()
  return { executions: Atomics.load(tally, 0), ...(finding ? { finding } : {}) }
}
