import { join } from 'node:path'
import { openTunnel } from '../vantage/tunnel.ts'
import type { DialLimits, Vantage } from '../vantage/vantage.ts'

/** Asks from a network namespace of this machine. */
export class NetnsVantage implements Vantage {
  readonly #namespace: string

  constructor(namespace: string) {
    this.#namespace = namespace
  }

  connect(address: string, port: number, limits: DialLimits) {
    return openTunnel({ argv: this.#relay(address, port), isOpen: (line) => line === 'open', ownFault: async (stderr) => ownFault(stderr) }, limits)
  }

  async argv(address: string, port: number): Promise<readonly string[]> {
    return this.#relay(address, port)
  }

  async close(): Promise<void> {}

  #relay(address: string, port: number): readonly string[] {
    return ['ip', 'netns', 'exec', this.#namespace, process.execPath, join(import.meta.dirname, 'relay.ts'), address, String(port)]
  }
}

/** As the relay says it: the code of the target's refusal, or what kept it from asking. */
const ownFault = (stderr: string): string | undefined => {
  const code = /^refused (\w+)$/m.exec(stderr)?.[1]
  return code === 'ECONNREFUSED' || code === 'ETIMEDOUT' || code === 'EHOSTUNREACH' || code === 'ECONNRESET' ? undefined : (code ?? (stderr.trim().split('\n').at(-1) || 'the relay ended'))
}

