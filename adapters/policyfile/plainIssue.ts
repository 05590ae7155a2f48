import type { Fault, Text } from '@portcullis/core/fault/fault.ts'
import { z } from 'zod'
import { offsetOf, type Path } from './located.ts'
import type { LocatedText } from './yamlReader.ts'

/** What a rule of ours says of its breach, in both languages: for `refine`. */
export const breach = (text: Text): { readonly error: string; readonly params: { readonly text: Text } } => ({ error: text.en, params: { text } })

type Issue = z.core.$ZodIssue

const CHINESE = z.locales.zhCN().localeError

/** What is wrong with the shape of a small file, each with its place; the policy file has words of its own. */
export const describeIssues = (error: z.ZodError, code: string, next: Text, text: LocatedText): Fault[] => error.issues.flatMap((issue) => describe(issue, text).map((fault) => ({ code, next, ...fault })))

function describe(issue: Issue, { root, placeAt }: LocatedText): Pick<Fault, 'what' | 'place'>[] {
  const path = issue.path as Path
  const at = path.length === 0 ? '' : `${path.join('.')}: `
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => ({ what: { en: `${at}"${key}" is not known here`, zh: `${at}此处没有“${key}”这个键` }, place: placeAt(offsetOf(root, [...path, key], 'key')) }))
  const own = issue.code === 'custom' ? (issue.params?.text as Text | undefined) : undefined
  const said = CHINESE(issue as Parameters<typeof CHINESE>[0])
  const zh = own?.zh ?? (typeof said === 'string' ? said : said?.message) ?? issue.message
  return [{ what: { en: `${at}${issue.message}`, zh: `${at}${zh}` }, place: placeAt(offsetOf(root, path)) }]
}
