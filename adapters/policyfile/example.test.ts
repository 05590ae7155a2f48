import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { parsePolicyFile } from './parse.ts'

test('the example in the documentation is a policy without faults', () => {
  const page = readFileSync(new URL('../../docs/policy.md', import.meta.url), 'utf8')
  const example = /```yaml\n([^]*?)```/.exec(page)?.[1] ?? ''
  const { policy, warnings } = parsePolicyFile(example, 'policy.md', Date.UTC(2026, 10, 24))
  expect(policy.ok ? [] : policy.faults).toEqual([])
  expect(policy.ok && policy.value.needs.map((need) => need.id)).toEqual(['https/role=web/any', 'pacs-images'])
  expect(warnings.map((warning) => warning.code)).toEqual(['POLICY_SCHEDULE_NOT_ENFORCED'])
})

test('the documentation lists every code that this reader gives', () => {
  const page = readFileSync(new URL('../../docs/policy.md', import.meta.url), 'utf8')
  const sources = ['parse', 'hosts', 'zones', 'services', 'needs', 'issue', 'yamlReader'].map((name) => new URL(`${name}.ts`, import.meta.url))
  const core = ['check', 'schedule', 'service', 'resolve'].map((name) => new URL(`../../core/policy/${name}.ts`, import.meta.url))
  const codes = new Set([...sources, ...core].flatMap((file) => readFileSync(file, 'utf8').match(/'(?:POLICY|YAML)_[A-Z_]+'/g) ?? []).map((code) => code.slice(1, -1)))
  codes.delete('POLICY_MANAGEMENT_')
  codes.delete('POLICY_MORE')
  expect([...codes].filter((code) => !page.includes(`\`${code}\``))).toEqual([])
})
