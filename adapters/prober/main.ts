#!/usr/bin/env node
import { enableCompileCache } from 'node:module'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { parseArgs } from 'node:util'
import { fail, type Result } from '@portcullis/core/fault/fault.ts'
import type { ScanResult } from './scanResult.ts'
import type { ScanSpec } from './scanSpec.ts'

/**
 * The prober as a process of its own, so that it can be started inside a network namespace:
 *
 *     ip netns exec NAMESPACE node adapters/prober/main.ts --json-spec - <spec.json
 *
 * One JSON spec on stdin; progress as one JSON object a line on stderr; one JSON result, or {"faults":[…]}, on stdout.
 * Exit: 0 done, 2 refused, 130 interrupted (the result is printed all the same, with a state to resume from).
 */
const SPEC_BYTES_MAX = 256 * 1024 * 1024

// A scan often lasts less long than compiling its code. Not the default directory: anyone could plant code for root in /tmp.
enableCompileCache(join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'portcullis', 'compiled'))

const { values } = parseArgs({ options: { 'json-spec': { type: 'string' } } })
if (values['json-spec'] !== '-') {
  process.stderr.write('usage: main.ts --json-spec - <spec.json\n')
  process.exit(2)
}

const interrupt = new AbortController()
for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => interrupt.abort())
const result = await scanStdin()
process.stdout.write(`${JSON.stringify(result.ok ? result.value : { faults: result.faults })}\n`)
process.exitCode = !result.ok ? 2 : result.value.isComplete ? 0 : 130

async function scanStdin(): Promise<Result<ScanResult>> {
  const input = await text(process.stdin)
  if (input.length > SPEC_BYTES_MAX) return fail(notJson('more than 256 MiB'))
  let spec: ScanSpec
  try {
    spec = JSON.parse(input) as ScanSpec
  } catch (error) {
    return fail(notJson(error instanceof Error ? error.message : String(error)))
  }
  const { scan } = await import('./scan.ts')
  return scan(spec, {
    signal: interrupt.signal,
    onProgress: (progress) => process.stderr.write(`${JSON.stringify(progress)}\n`),
  })
}

const notJson = (because: string) => ({
  code: 'PROBER_SPEC',
  what: { en: `the scan spec is not JSON: ${because}`, zh: `扫描参数不是 JSON：${because}` },
})
