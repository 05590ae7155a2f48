import type { Result, Text } from '@portcullis/core/fault/fault.ts'
import type { Doors } from './cli/cli.ts'
import { readTextFile, replaceTextFile, streamTextFile, writeTextFile } from './textFile.ts'

/** The real doors. Each loads what it needs when it is first used. */
export const wiredDoors = (): Doors => ({
  openWorld: async (settings) => (await import('./wire.ts')).openWorld(settings),
  openKeeper: async (settings) => (await import('./storeDoor.ts')).openKeeper(settings),
  readPolicy: (file) => withText(file, async (text) => (await import('./policyDoor.ts')).readPolicy(text, file)),
  policySchema: async () => (await import('@portcullis/adapters/policyfile/exportSchema.ts')).policySchemaText(),
  addNeeds: async ({ text, file }, needs, language) => (await import('@portcullis/adapters/policyfile/edit.ts')).addNeeds(text, file, needs, language),
  replacePolicy: ({ text: before, file }, text) => replaceTextFile(file, before, text),
  importAnsible: (file) => withText(file, async (text) => (await import('./policyDoor.ts')).importAnsible(text, file)),
  readRuleset: async (files, ipsets) => (await import('./rulesetDoor.ts')).readRuleset(files, ipsets),
  readHostFacts: async (file) => (await import('./rulesetDoor.ts')).readHostFacts(file),
  streamText: streamTextFile,
  writeText: writeTextFile,
})

async function withText<T>(file: string, read: (text: string) => Promise<Result<T>>): Promise<Result<T>> {
  const text = await readTextFile(file, NAME_IT)
  return text.ok ? read(text.value) : text
}

const NAME_IT: Text = { en: 'name it with --policy, or begin with portcullis import ansible', zh: '请用 --policy 指定，或先运行 portcullis import ansible' }
