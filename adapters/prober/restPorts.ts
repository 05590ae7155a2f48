import { formatPortRange } from '@portcullis/core/net/port.ts'
import type { PortState } from './scanSpec.ts'

/** Ports of one address and state that are not listed one by one: what was probed and found so. */
export interface RestPorts {
  readonly address: string
  readonly protocol: 'tcp' | 'udp'
  readonly state: Exclude<PortState, 'unknown'>
  /** `1-21,23,25-79` */
  readonly ports: string
}

/** All of a /16 whose hosts answer take a third; what goes beyond is no result that anybody reads. */
const REST_CHARACTERS_MAX = 32 * 1024 * 1024
/** What an entry is in indented JSON, beside its ports. */
const ENTRY_CHARACTERS = 160

/** The rest of a whole scan, and of how many addresses there was no room for it. */
export class RestList {
  readonly entries: RestPorts[] = []
  leftOut = 0
  readonly #charactersMax: number
  #characters = 0

  constructor(charactersMax = REST_CHARACTERS_MAX) {
    this.#charactersMax = charactersMax
  }

  add(address: string, protocol: RestPorts['protocol'], runs: PortRuns): void {
    const entries = runs.entries().map(([state, ports]): RestPorts => ({ address, protocol, state, ports }))
    this.#characters += entries.reduce((sum, { ports }) => sum + ports.length + ENTRY_CHARACTERS, 0)
    if (this.#characters > this.#charactersMax) this.leftOut += entries.length === 0 ? 0 : 1
    else this.entries.push(...entries)
  }
}

interface Run {
  first: number
  last: number
  /** The runs before it. */
  text: string
}

/** The ports of one address by state, as ranges; they come in ascending order. */
export class PortRuns {
  readonly #runs = new Map<RestPorts['state'], Run>()

  add(state: PortState, port: number): void {
    if (state === 'unknown') return
    const run = this.#runs.get(state)
    if (!run) this.#runs.set(state, { first: port, last: port, text: '' })
    else if (port === run.last + 1) run.last = port
    else {
      run.text = textOf(run)
      run.first = run.last = port
    }
  }

  entries(): [RestPorts['state'], string][] {
    return [...this.#runs].map(([state, run]) => [state, textOf(run)])
  }
}

const textOf = ({ text, ...range }: Run): string => `${text}${text === '' ? '' : ','}${formatPortRange(range)}`
