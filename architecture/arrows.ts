/** Who may import whom, and why. `core/*` modules are rooms of their own; every other workspace is one room. */
export interface Arrow {
  readonly from: string
  readonly to: string
  readonly why: string
}

/** Data travels one straight line through core: each room may import only what stands left of it. `ledger` stands alone. */
export const CORE_ORDER = [
  'core/fault',
  'core/net',
  'core/space',
  'core/inventory',
  'core/policy',
  'core/ruleset',
  'core/verify',
  'core/plan',
  'core/rollout',
] as const

export const ARROWS: readonly Arrow[] = [
  { from: 'core/net', to: 'core/fault', why: 'a malformed address is refused with a reason' },
]
