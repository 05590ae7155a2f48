import { writeFileSync } from 'node:fs'
import { policyJsonSchema } from './schema.ts'

/** `node adapters/policyfile/exportSchema.ts` writes `schemas/policy.schema.json`; a test says whether the committed one is current. */
export const POLICY_SCHEMA_FILE = new URL('../../schemas/policy.schema.json', import.meta.url)

export const policySchemaText = (): string => `${JSON.stringify(policyJsonSchema(), null, 2)}\n`

if (import.meta.main) writeFileSync(POLICY_SCHEMA_FILE, policySchemaText())
