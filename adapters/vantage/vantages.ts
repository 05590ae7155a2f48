import type { Transport } from '@portcullis/core/policy/policy.ts'
import { NetnsVantage } from '../netns/netnsVantage.ts'
import { SshVantage } from '../ssh/sshVantage.ts'
import type { Vantage } from './vantage.ts'

/** Vantages by name, each opened when it is first asked from. */
export class Vantages {
  readonly #transports: ReadonlyMap<string, Transport>
  readonly #open = new Map<string, Vantage>()

  constructor(transports: ReadonlyMap<string, Transport>) {
    this.#transports = transports
  }

  /** Undefined: from this process itself. */
  named(name: string): Vantage | 'unknown' | undefined {
    const transport = this.#transports.get(name)
    if (!transport) return 'unknown'
    const open = this.#open.get(name) ?? vantageOf(transport)
    if (open) this.#open.set(name, open)
    return open
  }

  async close(): Promise<void> {
    await Promise.all(Array.from(this.#open.values(), (vantage) => vantage.close()))
    this.#open.clear()
  }
}

function vantageOf(transport: Transport): Vantage | undefined {
  switch (transport.kind) {
    case 'local':
      return undefined
    case 'netns':
      return new NetnsVantage(transport.namespace)
    case 'ssh':
      return new SshVantage(transport)
  }
}
