import type { RolloutEvent } from '@portcullis/engine/rolloutStore.ts'
import type { RolloutWorld } from '@portcullis/engine/rolloutWorld.ts'
import type { Cli } from './cli.ts'

/**
 * With `--json` each event of a rollout is a line of JSON on stderr, once and in order, whoever carries the rollout on: those
 * of this process before what they announce is done, those of others as soon as they are seen in the store.
 */
export class RolloutEvents {
  readonly #cli: Cli
  #told = 0

  constructor(cli: Cli) {
    this.#cli = cli
  }

  /** Those up to this one are not told. */
  skipTo(sequence: number): void {
    this.#told = Math.max(this.#told, sequence)
  }

  readonly tell = (event: RolloutEvent): void => {
    if (event.sequence <= this.#told) return
    this.#told = event.sequence
    if (this.#cli.isJson) this.#cli.err(`${JSON.stringify(event)}\n`)
  }

  async follow({ rollouts }: Pick<RolloutWorld, 'rollouts'>, id: string): Promise<void> {
    if (!this.#cli.isJson) return
    for (const event of await rollouts.events(id, this.#told)) this.tell(event)
  }
}
