import { readdirSync } from 'node:fs'
import { join } from 'node:path'

/**
 * `npm run bench` lists the benchmarks, `npm run bench -- NAME [ARGUMENT…]` runs one.
 * A benchmark is a module of this folder whose name is a noun; it exports `title` and `run(arguments)` and prints ratios against a peer measured in the same run.
 */
interface Benchmark {
  readonly title: string
  run(args: readonly string[]): Promise<void>
}

const [name, ...args] = process.argv.slice(2)

if (name === undefined) {
  for (const each of benchmarkNames()) console.log(`${each.padEnd(12)} ${(await load(each)).title}`)
} else if (benchmarkNames().includes(name)) {
  await (await load(name)).run(args)
} else {
  console.error(`There is no benchmark "${name}". These are: ${benchmarkNames().join(', ')}`)
  process.exitCode = 2
}

function benchmarkNames(): string[] {
  return readdirSync(import.meta.dirname)
    .filter((file) => file.endsWith('.ts') && file !== 'main.ts')
    .map((file) => file.slice(0, -'.ts'.length))
    .toSorted()
}

async function load(name: string): Promise<Benchmark> {
  return (await import(join(import.meta.dirname, `${name}.ts`))) as Benchmark
}
