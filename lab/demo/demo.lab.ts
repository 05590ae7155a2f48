import { Ajv2020 } from 'ajv/dist/2020.js'
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { DemoSummary } from '@portcullis/app/demo/summary.ts'
import { registered } from '../registry.ts'

const BIN = fileURLToPath(new URL('../../app/bin/portcullis.js', import.meta.url))
const SCHEMAS = new URL('../../schemas/', import.meta.url)
/** A machine that does other things as well. */
const RUN_MS_MAX = 1_800_000

let folder: string
let exitCode: number | null
let summary: DemoSummary
let progress: string[]

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'demo-lab-'))
  const child = spawn(process.execPath, [BIN, 'demo', '--json', '--out', join(folder, 'out')], { stdio: ['ignore', 'pipe', 'pipe'] })
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)])
  exitCode = await ended
  progress = stderr.trim().split('\n')
  summary = JSON.parse(stdout) as DemoSummary
}, RUN_MS_MAX)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test('every expectation holds', () => {
  const { ok, surprises, failedUses, interruptions, unexpectedlyOpen, unexpectedlyClosed, servicesInterrupted } = summary
  expect({ surprises, failedUses, interruptions }).toEqual({ surprises: [], failedUses: [], interruptions: [] })
  expect({ ok, exitCode, unexpectedlyOpen, unexpectedlyClosed, servicesInterrupted }).toEqual({
    ok: true,
    exitCode: 0,
    unexpectedlyOpen: 0,
    unexpectedlyClosed: 0,
    servicesInterrupted: 0,
  })
})

test('there was much to close, nothing is left to the outside, and what was used is left', () => {
  const [outside] = summary.zones
  expect(outside?.zone).toBe('outside')
  expect(outside?.before).toBeGreaterThan(80)
  expect(outside?.after).toBe(0)
  expect(summary.exposedAfter).toBeGreaterThan(0)
  expect(summary.exposedAfter).toBeLessThan(summary.exposedBefore / 5)
  expect(summary.checked.probes).toBeGreaterThan(5 * 28 * 65_535)
  expect(summary.checked.uses).toBeGreaterThan(summary.checked.services)
})

test('the policy that forgets somebody is put back and told once; the one put right goes to the end, core last and approved', () => {
  const { rollouts } = summary
  expect(rollouts).toMatchObject({
    forgotten: 'sftp-files-1',
    first: { outcome: 'reverted', canary: ['files-1', 'logs-1'], hostsPutBack: 2, because: [{ en: expect.stringMatching(/^denied: files-1 denies who was served before: .*22\/tcp/) }] },
    alert: { receiver: 'operations', isSigned: true, times: 1 },
    second: { outcome: 'completed', waves: [{ name: 'canary' }, { name: 'core-1', hosts: ['db-1'] }], hostsChanged: 3 },
    asPromised: true,
  })
  expect(rollouts?.second.coreApprovedBy).toBeDefined()
  expect(rollouts?.first.interruptedSeconds).toBeGreaterThan(0)
  expect(readFileSync(summary.files.policy, 'utf8')).toContain('sftp-files-1')
})

test('the summary, the matrices and the progress are what their schemas say', () => {
  const { matrixBefore, matrixAfter } = summary.files
  checkSchema('demo', summary)
  for (const file of [matrixBefore, matrixAfter]) checkSchema('matrix', JSON.parse(readFileSync(file, 'utf8')))
  for (const line of progress) checkSchema('event', JSON.parse(line))
})

test('the report is there, and the lab is gone', () => {
  expect(readFileSync(summary.files.report, 'utf8')).toContain('</html>')
  expect(registered().filter(({ prefix }) => prefix.startsWith('demo-'))).toEqual([])
})

function checkSchema(name: string, value: unknown): void {
  const read = (one: string): object => JSON.parse(readFileSync(new URL(`${one}.schema.json`, SCHEMAS), 'utf8')) as object
  const ajv = new Ajv2020({ strict: true, allErrors: true, allowUnionTypes: true })
  ajv.addSchema(read('faults'))
  const validate = ajv.compile(read(name))
  validate(value)
  expect(validate.errors).toBeNull()
}
