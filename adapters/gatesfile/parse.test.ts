import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { parseGatesFile } from './parse.ts'

const read = (text: string) => parseGatesFile(text, 'gates.yaml', [{ name: 'web-1', transport: { kind: 'local' } }])
const codes = (text: string): string[] => {
  const parsed = read(text)
  return parsed.ok ? [] : parsed.faults.map(({ code }) => code)
}

test('the example of docs/rollout.md', () => {
  const example = /```yaml\n(?<text>version: 1\ngates:[^`]*)```/.exec(readFileSync(new URL('../../docs/rollout.md', import.meta.url), 'utf8'))
  const parsed = read(example?.groups?.text ?? '')
  expect(parsed.ok ? [] : parsed.faults).toEqual([])
  if (!parsed.ok) return
  expect(parsed.value.gates.map(({ name, isCritical, samplesMin, measure }) => [name, isCritical, samplesMin, measure.kind])).toEqual([
    ['shop', true, 3, 'tcp'],
    ['pages', false, 5, 'other'],
    ['errors', false, 3, 'other'],
  ])
  expect(parsed.value.rules).toEqual({ approvalsMin: 2, approvalHoursMax: 24, factsMinutesMax: 120, freezes: [{ from: Date.UTC(2027, 11, 20), until: Date.UTC(2028, 0, 3), because: 'year end' }] })
})

test('a gate that is asked from several places is one gate each', () => {
  const parsed = read('version: 1\nvantages:\n  branch: { ssh: { destination: 192.0.2.9, user: probe } }\ngates:\n  - { name: shop, probe: tls, critical: true, from: [controller, branch, web-1] }\n  - { name: port, tcp: 80, from: branch }')
  expect(parsed.ok ? [] : parsed.faults).toEqual([])
  if (!parsed.ok) return
  expect(parsed.value.gates.map(({ name, service, isCritical, measure }) => [name, service, isCritical, 'from' in measure ? measure.from : undefined])).toEqual([
    ['shop@controller', 'shop', true, undefined],
    ['shop@branch', 'shop', true, 'branch'],
    ['shop@web-1', 'shop', true, 'web-1'],
    ['port@branch', 'port', false, 'branch'],
  ])
  expect(parsed.value.vantages.get('branch')).toEqual({ kind: 'ssh', destination: '192.0.2.9', port: 22, user: 'probe', sudo: true })
})

describe('refusals', () => {
  test.each<[what: string, text: string, fault: string]>([
    ['no YAML', 'a: [', 'YAML_SYNTAX 1:5'],
    ['no version', 'gates: []', 'GATES_FILE 1:1'],
    ['an unknown key', 'version: 1\ngate: []', 'GATES_FILE 2:1'],
    ['neither tcp nor probe', 'version: 1\ngates: [{ name: a }]', 'GATES_FILE 2:9'],
    ['both', 'version: 1\ngates: [{ name: a, tcp: 1, probe: http }]', 'GATES_FILE 2:9'],
    ['a port that is none', 'version: 1\ngates:\n  - name: a\n    tcp: 70000', 'GATES_FILE 4:10'],
    ['a probe that is none', 'version: 1\ngates:\n  - name: a\n    probe: smoke', 'GATE_UNKNOWN 4:12'],
    ['settings that are none of the probe', 'version: 1\ngates:\n  - { name: a, probe: tcp, with: { colour: red, port: 1 } }', 'GATE_SETTINGS 3:34'],
    ['a place that nobody knows', 'version: 1\ngates:\n  - { name: a, tcp: 1, from: web-2 }', 'GATE_VANTAGE 3:30'],
    ['a probe that cannot be asked from elsewhere', 'version: 1\ngates:\n  - { name: a, probe: udp, with: { port: 1, text: x }, from: web-1 }', 'GATE_VANTAGE 3:62'],
    ['a query from elsewhere', 'version: 1\ngates:\n  - { name: a, probe: prometheus, with: { url: "http://p", query: up }, from: web-1 }', 'GATE_VANTAGE 3:79'],
    ['the same place twice', 'version: 1\ngates:\n  - { name: a, tcp: 1, from: [web-1, web-1] }', 'GATE_TWICE 3:13'],
    ['two of one name', 'version: 1\ngates: [{ name: a, tcp: 1 }, { name: a, tcp: 2 }]', 'GATE_TWICE 2:38'],
    ['a freeze that ends before it begins', 'version: 1\nfreezes: [{ from: 2027-01-02T00:00:00Z, until: 2027-01-01T00:00:00Z, because: x }]', 'GATES_FILE 2:11'],
    ['a time without its zone', 'version: 1\nfreezes: [{ from: "2027-01-01T00:00:00", until: 2027-01-02T00:00:00Z, because: x }]', 'GATES_FILE 2:19'],
  ])('%s', (_, text, fault) => {
    const parsed = read(text)
    expect(parsed.ok ? [] : parsed.faults.map(({ code, place }) => `${code} ${place?.line}:${place?.column}`)).toContain(fault)
  })

  test('a breach is told in both languages', () => {
    const parsed = read('version: 1\ngates: [{ name: a }, { name: b, tcp: 70000 }]')
    expect(parsed.ok ? [] : parsed.faults.map(({ what }) => what)).toEqual([
      { en: 'gates.0: a gate has either tcp or probe', zh: 'gates.0: 放行条件须写 tcp 或 probe 其中之一' },
      { en: 'gates.1.tcp: Too big: expected number to be <=65535', zh: 'gates.1.tcp: 数值过大：期望 number <=65535' },
    ])
  })

  test('more than 1 MiB', () => {
    expect(codes(`version: 1\n${'# '.repeat(600_000)}`)).toEqual(['GATES_FILE'])
  })
})
