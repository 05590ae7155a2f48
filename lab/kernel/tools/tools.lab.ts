import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'

const PACKETS = 5000

interface Summary {
  readonly passed: number
  readonly stopped: number
  readonly pastBudget: number
  readonly mismatches: number
  readonly rules: number
  readonly outside: readonly string[]
}

/** In network and mount namespaces of its own. Exit code 1 is a mismatch: its report is on stdout. */
async function holdAgainstKernel(tool: string, backend: string): Promise<Summary> {
  const args = ['-nm', process.execPath, join(import.meta.dirname, 'main.ts'), '--tool', tool, '--backend', backend, '--packets', String(PACKETS)]
  const { stdout } = await promisify(execFile)('unshare', args, { maxBuffer: 1 << 26 }).catch((error: unknown) => error as { stdout: string })
  const summary = JSON.parse(stdout) as Summary & { reports: unknown }
  if (summary.mismatches > 0) console.error(JSON.stringify(summary.reports, undefined, 1))
  return summary
}

describe('rules that a tool has made: the kernel and both evaluators agree', () => {
  // What no evaluator can know of a packet is named by its construct; nothing else is outside the model.
  test.each<[string, string, readonly string[]]>([
    ['ufw', 'iptables-nft', ['limit', 'recent', 'rt']],
    ['ufw', 'iptables-legacy', ['limit', 'recent', 'rt']],
    ['firewalld', 'nft', ['limit']],
    ['firewalld', 'iptables-nft', ['limit', 'rpfilter']],
    ['firewalld', 'iptables-legacy', ['limit', 'rpfilter']],
    ['ferm', 'iptables-nft', ['limit']],
    ['ferm', 'iptables-legacy', ['limit']],
    ['shorewall', 'iptables-nft', ['hashlimit', 'recent']],
    ['shorewall', 'iptables-legacy', ['hashlimit', 'recent']],
    ['fail2ban', 'nft', []],
    ['fail2ban', 'iptables-nft', []],
    ['fail2ban', 'iptables-legacy', []],
    ['docker', 'nft', []],
    ['docker', 'iptables-nft', []],
    ['docker', 'iptables-legacy', []],
  ])('%s by %s', async (tool, backend, outside) => {
    const summary = await holdAgainstKernel(tool, backend)
    expect(summary).toMatchObject({ mismatches: 0, pastBudget: 0 })
    expect(summary.rules).toBeGreaterThan(2)
    expect(summary.passed).toBeGreaterThan(PACKETS / 20)
    expect(summary.stopped).toBeGreaterThan(PACKETS / 20)
    expect(new Set(summary.outside.map((what) => what.split(' ')[0]))).toEqual(new Set(outside))
  })
})
