import type { Place } from '../cable/stage.ts'
import type { Variant } from './variant.ts'

/** A firewall on its host. */
export interface Contender extends Place {
  readonly variant: Variant
}

/** Forgets all tracked flows; does nothing where none are tracked. */
export async function forgetFlows({ variant, host }: Contender): Promise<void> {
  if (variant.tracks) await host.must(['conntrack', '-F'])
}
