import { someContainsPort } from '../net/port.ts'
import type { TransportProtocol } from '../net/protocol.ts'
import type { AddressClass } from './matrix.ts'
import type { ScanObservation, ScanRestObservation } from './observation.ts'

/** What the probes of one host found of ports that they did not list. Asked for each endpoint, never walked port by port. */
export class ScanRests {
  readonly #byFate = new Map<string, ScanRestObservation[]>()

  get isEmpty(): boolean {
    return this.#byFate.size === 0
  }

  add(rest: ScanRestObservation, addressClass: AddressClass): void {
    const fate = `${rest.protocol} ${addressClass}`
    const known = this.#byFate.get(fate)
    if (known) known.push(rest)
    else this.#byFate.set(fate, [rest])
  }

  /** Their words about one endpoint, as if it had been listed. */
  wordsOf({ protocol, port, addressClass }: { readonly protocol: TransportProtocol; readonly port: number; readonly addressClass: AddressClass }): ScanObservation[] {
    const words: ScanObservation[] = []
    for (const { ports, host, sensor, at, address, state, from } of this.#byFate.get(`${protocol} ${addressClass}`) ?? []) {
      if (someContainsPort(ports, port)) words.push({ kind: 'scan', host, sensor, at, address, protocol, port, state, from })
    }
    return words
  }
}
