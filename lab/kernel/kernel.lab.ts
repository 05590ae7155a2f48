import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const PACKETS = Number(process.env['PORTCULLIS_KERNEL_PACKETS'] ?? 100_000)
const SEED = process.env['PORTCULLIS_KERNEL_SEED'] ?? '1'

interface Summary {
  readonly packets: number
  readonly passed: number
  readonly stopped: number
  readonly undecided: number
  readonly mismatches: number
  readonly rulesets: number
}

/** In a network namespace of its own, which ends with the process. Exit code 1 is a mismatch: its report is on stdout. */
async function holdAgainstKernel(): Promise<Summary> {
  const args = ['-n', process.execPath, join(import.meta.dirname, 'main.ts'), '--packets', String(PACKETS), '--seed', SEED]
  const { stdout } = await promisify(execFile)('unshare', args, { maxBuffer: 1 << 26 }).catch((error: unknown) => error as { stdout: string })
  const summary = JSON.parse(stdout) as Summary & { reports: unknown }
  if (summary.mismatches > 0) console.error(JSON.stringify(summary.reports, undefined, 1))
  return summary
}

test(`the kernel, the diagram and the linear evaluator agree on ${PACKETS} packets`, { timeout: 1_800_000 }, async () => {
  const summary = await holdAgainstKernel()
  expect(summary.mismatches).toBe(0)
  expect(summary.packets).toBeGreaterThanOrEqual(PACKETS)
  // A run in which everything passes or everything is undecided would prove nothing.
  expect(summary.passed).toBeGreaterThan(summary.packets / 10)
  expect(summary.stopped).toBeGreaterThan(summary.packets / 10)
  expect(summary.undecided).toBeLessThan(summary.packets / 5)
})
