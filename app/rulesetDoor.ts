import { hostRuleset } from '@portcullis/adapters/facts/hostRuleset.ts'
import { readFacts } from '@portcullis/adapters/facts/reading.ts'
import { isFactsAnswer, readTopologyText } from '@portcullis/adapters/facts/topologyText.ts'
import type { Fault, Result } from '@portcullis/core/fault/fault.ts'
import { fail } from '@portcullis/core/fault/fault.ts'
import { mergeRulesets, parseRuleset } from '@portcullis/core/ruleset/dialect.ts'
import type { HostFacts } from '@portcullis/core/ruleset/hostfacts.ts'
import type { Ruleset } from '@portcullis/core/ruleset/ruleset.ts'
import type { RulesetFile } from './cli/cli.ts'
import { readTextFile } from './textFile.ts'

/** Several dumps of one host as one ruleset; a saved answer of `portcullis-host facts` holds all of them. Faults: of every file at once. */
export async function readRuleset(files: readonly RulesetFile[], ipsets?: string): Promise<Result<Ruleset>> {
  const sets = ipsets === undefined ? undefined : await readTextFile(ipsets)
  if (sets && !sets.ok) return sets
  const read = await Promise.all(files.map((file) => readOne(file, ipsets !== undefined && sets ? { file: ipsets, text: sets.value } : undefined)))
  const faults = read.flatMap((each): readonly Fault[] => (each.ok ? [] : each.faults))
  if (faults.length > 0) return fail(...faults)
  return mergeRulesets(read.flatMap((each) => (each.ok ? [each.value] : [])))
}

async function readOne({ file, dialect }: RulesetFile, ipsets: { readonly file: string; readonly text: string } | undefined): Promise<Result<Ruleset>> {
  const text = await readTextFile(file)
  if (!text.ok) return text
  if (dialect === undefined && isFactsAnswer(text.value)) {
    const reading = readFacts(file, 0, text.value)
    return reading.ok ? hostRuleset(reading.value) : reading
  }
  return parseRuleset({ file, text: text.value, ...(dialect ? { dialect } : {}), ...(ipsets ? { ipsets } : {}) })
}

export async function readHostFacts(file: string): Promise<Result<HostFacts>> {
  const text = await readTextFile(file)
  return text.ok ? readTopologyText(text.value, file) : text
}
