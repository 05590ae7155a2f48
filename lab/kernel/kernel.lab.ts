import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'

/** A night's run: PORTCULLIS_KERNEL_PACKETS=1000000 vitest run --project lab kernel. */
const PACKETS = Number(process.env['PORTCULLIS_KERNEL_PACKETS'] ?? 104_000)
const PER_RULESET = 2000
const SEED = process.env['PORTCULLIS_KERNEL_SEED'] ?? '1'

interface Summary {
  readonly packets: number
  readonly passed: number
  readonly stopped: number
  readonly undecided: number
  readonly pastBudget: number
  readonly misreadFragments: number
  readonly mismatches: number
}

/** In a network namespace of its own, which ends with the process. Exit code 1 is a mismatch: its report is on stdout. */
async function holdAgainstKernel(dialects: string, packets: number): Promise<Summary> {
  const args = ['-n', process.execPath, join(import.meta.dirname, 'main.ts'), '--packets', String(packets), '--per-ruleset', String(PER_RULESET), '--seed', SEED, '--dialects', dialects]
  const { stdout } = await promisify(execFile)('unshare', args, { maxBuffer: 1 << 26 }).catch((error: unknown) => error as { stdout: string })
  const summary = JSON.parse(stdout) as Summary & { reports: unknown }
  if (summary.mismatches > 0) console.error(JSON.stringify(summary.reports, undefined, 1))
  return summary
}

describe(`the kernel, the diagram and the linear evaluator agree on ${PACKETS} packets`, { timeout: 3_600_000 }, () => {
  test.each([
    ['nf_tables, with tracking and without', 'nft-json,nft-text,iptables-nft,stateless', 0.75],
    ['legacy tables, alone and beside nf_tables', 'iptables-legacy,mixed', 0.25],
  ])('%s', async (_title, dialects, share) => {
    const summary = await holdAgainstKernel(dialects, PACKETS * share)
    expect(summary.mismatches).toBe(0)
    expect(summary.packets).toBeGreaterThanOrEqual(PACKETS * share)
    // A run in which everything passes, everything is undecided or no diagram is built would prove nothing.
    expect(summary.passed).toBeGreaterThan(summary.packets / 10)
    expect(summary.stopped).toBeGreaterThan(summary.packets / 10)
    expect(summary.undecided).toBeLessThan(summary.packets / 5)
    expect(summary.pastBudget).toBeLessThan(summary.packets / 5)
    expect(summary.misreadFragments).toBeLessThan(summary.packets / 100)
  })
})
