import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import { readdirSync, readFileSync } from 'node:fs'
import { expect } from 'vitest'

const SCHEMAS = new URL('../../../schemas/', import.meta.url)

/** Holds a value to `schemas/NAME.schema.json`. */
export function expectSchema(name: string, value: unknown): void {
  const validate = compiled.get(name) ?? compile(name)
  compiled.set(name, validate)
  validate(value)
  expect(validate.errors ?? null).toBeNull()
}

/** Lines of events come by the hundred. */
const compiled = new Map<string, ValidateFunction>()

function compile(name: string): ValidateFunction {
  const ajv = new Ajv2020({ strict: true, allErrors: true, allowUnionTypes: true })
  for (const file of readdirSync(SCHEMAS).filter((one) => one !== `${name}.schema.json` && SHARED.has(one))) ajv.addSchema(read(file))
  return ajv.compile(read(`${name}.schema.json`))
}

/** Schemas that others refer to. */
const SHARED: ReadonlySet<string> = new Set(['faults.schema.json', 'matrix.schema.json', 'plan.schema.json', 'rollout.schema.json', 'ruleset.schema.json'])

const read = (file: string): object => JSON.parse(readFileSync(new URL(file, SCHEMAS), 'utf8')) as object
