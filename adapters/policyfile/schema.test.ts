import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { parseDocument } from 'yaml'
import { z } from 'zod'
import { POLICY_SCHEMA_FILE, policySchemaText } from './exportSchema.ts'
import { HINTS, POLICY_FILE } from './schema.ts'

test('the committed JSON Schema is current (else: node adapters/policyfile/exportSchema.ts)', () => {
  expect(readFileSync(POLICY_SCHEMA_FILE, 'utf8')).toBe(policySchemaText())
})

describe('the JSON Schema', () => {
  // Read back into a validator, so that what editors see is tested and not only what we hold.
  const schema = z.fromJSONSchema(JSON.parse(policySchemaText()) as z.core.JSONSchema.JSONSchema)
  const example = parseDocument(readFileSync(new URL('testdata/clinic.yaml', import.meta.url), 'utf8')).toJS() as object

  test('takes the example file', () => {
    expect(schema.safeParse(example).error?.issues ?? []).toEqual([])
  })

  test.each([{ zone: {} }, { version: 2 }, { fleet: [] }, { needs: [{ service: 'ssh' }] }, { defaults: { mode: 'off' } }])('refuses %j', (change) => {
    expect(schema.safeParse({ ...example, ...change }).success).toBe(false)
  })

  test('describes every key for editors', () => {
    const undescribed: string[] = []
    const walk = (node: unknown, path: string): void => {
      if (typeof node !== 'object' || node === null) return
      const { properties } = node as { properties?: Record<string, { description?: string }> }
      for (const [key, value] of Object.entries(properties ?? {})) if (!value.description) undescribed.push(`${path}.${key}`)
      for (const [key, value] of Object.entries(node)) walk(value, `${path}.${key}`)
    }
    walk(JSON.parse(policySchemaText()), '')
    expect(undescribed).toEqual([])
  })
})

test('every value that can be wrong has a hint how to write it', () => {
  const without: string[] = []
  const walk = (schema: z.ZodType, path: string): void => {
    const bare = schema instanceof z.ZodOptional ? (schema.unwrap() as z.ZodType) : schema
    if (path !== '' && !HINTS.has(bare) && !(bare instanceof z.ZodLiteral)) without.push(path)
    if (bare instanceof z.ZodObject) for (const [key, value] of Object.entries(bare.shape)) walk(value as z.ZodType, `${path}.${key}`)
    if (bare instanceof z.ZodRecord) walk(bare.valueType as z.ZodType, `${path}.*`)
  }
  walk(POLICY_FILE, '')
  expect(without).toEqual([])
})
