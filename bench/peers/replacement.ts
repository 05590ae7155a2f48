/** What divides a ruleset's text in two transactions. */
const SWITCH = '\n# portcullis: switch\n'

/**
 * The transactions by which the host script brings a text into force where an older one is: the sets of the new
 * generation, the rules, and what only the old generation asked.
 */
export function transactionsOf(text: string, before: string | undefined): string[] {
  const at = text.indexOf(SWITCH)
  if (at < 0) return [text]
  return [text.slice(0, at + 1), text.slice(at), ...(before === undefined ? [] : [removalOf(before)])]
}

/** For where no packet can notice: the old table goes, in the same transaction. */
export const anew = (text: string): string => `table inet portcullis { }\ndelete table inet portcullis\n${text}`

/** Maps first, because they hold on to chains. */
function removalOf(text: string): string {
  const declared = [...text.slice(0, text.indexOf(SWITCH)).matchAll(/^\t(chain|set|map) (\S+) \{/gm)]
  const kinds = ['map', 'set', 'chain']
  return kinds.flatMap((kind) => declared.filter((one) => one[1] === kind).map((one) => `delete ${kind} inet portcullis ${one[2]}\n`)).join('')
}
