import type { Sections } from './section.ts'

/** The listings of a host's rules, word for word; absent where the host did not give one. */
export interface RulesetTexts {
  /** `nft -j list ruleset`. */
  readonly nftJson?: string
  /** Of each family, iptables-nft-save and iptables-legacy-save; the former is empty where there are no such tables. */
  readonly iptablesNft?: string
  readonly ip6tablesNft?: string
  readonly iptablesLegacy?: string
  readonly ip6tablesLegacy?: string
}

const SECTIONS: Readonly<Record<keyof RulesetTexts, string>> = {
  nftJson: 'nft',
  iptablesNft: 'iptables-nft',
  ip6tablesNft: 'ip6tables-nft',
  iptablesLegacy: 'iptables-legacy',
  ip6tablesLegacy: 'ip6tables-legacy',
}

export const rulesetTextsOf = (sections: Sections): RulesetTexts =>
  Object.fromEntries(
    Object.entries(SECTIONS).flatMap(([key, name]) => {
      const section = sections.get(name)
      return section === undefined ? [] : [[key, section.text]]
    }),
  )
