import { fail, type Result } from '../../fault/fault.ts'
import type { Ruleset } from '../ruleset.ts'
import { NFT_JSON_CHARACTERS_MAX, parseNftDocument } from './parse.ts'
import { readNftDocument } from './text/document.ts'
import { NftRefusal } from './text/token.ts'

/**
 * Reads the text of `nft list ruleset`, or a file for `nft -f` without variables and includes, into the neutral form.
 * Faults: RULESET_NFT_TEXT with file, line and column, RULESET_TOO_LARGE. O(text).
 */
export function parseNftText(text: string, file: string): Result<Ruleset> {
  if (text.length > NFT_JSON_CHARACTERS_MAX) return fail(tooLarge(text.length, file))
  try {
    return parseNftDocument(readNftDocument(text), file, 'nft')
  } catch (error) {
    if (error instanceof NftRefusal) return fail(error.toFault(file))
    throw error
  }
}

const tooLarge = (characters: number, file: string) => ({
  code: 'RULESET_TOO_LARGE',
  what: {
    en: `the ruleset has ${characters} characters; the limit is ${NFT_JSON_CHARACTERS_MAX}`,
    zh: `规则集有 ${characters} 个字符，上限为 ${NFT_JSON_CHARACTERS_MAX}`,
  },
  place: { file, line: 1, column: 1 },
})
