import { importInventory } from '@portcullis/adapters/ansible/fleet.ts'
import { parsePolicyFile } from '@portcullis/adapters/policyfile/parse.ts'
import { renderPolicyFile } from '@portcullis/adapters/policyfile/render.ts'
import { describeFault, fail, succeed, type Result } from '@portcullis/core/fault/fault.ts'
import { createHash } from 'node:crypto'
import { lookup } from 'node:dns/promises'
import type { ReadPolicy } from './cli/cli.ts'

export function readPolicy(text: string, file: string): Result<ReadPolicy> {
  const seenAt = Date.now()
  const { policy, warnings } = parsePolicyFile(text, file, seenAt)
  if (!policy.ok) return policy
  const digest = createHash('sha256').update(text).digest('hex')
  return succeed({ policy: policy.value, seen: { digest, file, text, seenAt }, warnings })
}

/** The fleet as YAML; what could not be taken over stands above it as comments. */
export async function importAnsible(text: string, file: string): Promise<Result<string>> {
  const { fragment, warnings } = await importInventory(text, file, addressesOf)
  if (!fragment.ok) return fail(...fragment.faults)
  const rendered = renderPolicyFile(fragment.value)
  if (!rendered.ok) return rendered
  const notes = warnings.map((warning) => `# ${describeFault(warning, 'en').replaceAll('\n', '\n# ')}\n`).join('')
  return succeed(notes + rendered.value)
}

async function addressesOf(name: string): Promise<readonly string[]> {
  const found = await lookup(name, { all: true }).catch(() => [])
  return found.map(({ address }) => address)
}
