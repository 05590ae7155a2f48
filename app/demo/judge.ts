import type { Family } from '@portcullis/core/net/address.ts'
import type { ExpectedOpen, Port } from '@portcullis/lab/demo/expectations.ts'
import type { DrillLine } from './drill.ts'

/** Where what a drill found is not what it had to find. */
export interface Surprise {
  /** `open`: packets pass that no need lets in. `closed`: a needed service cannot be reached. `unknown`: nothing can be said, which is never well. */
  readonly kind: 'open' | 'closed' | 'unknown'
  readonly vantage: string
  readonly host: string
  readonly family: Family
  readonly address: string
  /** Absent where it is about the address as a whole. */
  readonly protocol?: Port['protocol']
  readonly port?: number
  /** Needs that let the vantage in. */
  readonly needs: readonly string[]
}

export interface Expectations {
  readonly lines: readonly ExpectedOpen[]
  /** Whether packets of the vantage may pass to a port, so that the host may answer that nothing listens. */
  readonly isLetIn: (host: string, port: Port, vantage: string) => boolean
  readonly needsOf: (host: string, port: Port, vantage: string) => readonly string[]
}

/** Everything that was found and not expected, and everything expected and not found: nothing else can be wrong. */
export function judge({ lines, isLetIn, needsOf }: Expectations, found: readonly DrillLine[]): Surprise[] {
  const expected = new Map(lines.map((line) => [`${line.vantage} ${line.address}`, line]))
  return found.flatMap((line) => {
    const { vantage, host, family, address } = line
    const surprise = (kind: Surprise['kind'], port?: Port): Surprise => ({ kind, vantage, host, family, address, ...port, needs: port ? needsOf(host, port, vantage) : [] })
    const wanted = expected.get(`${vantage} ${address}`)?.open ?? []
    const leaks = line.closed.filter((port) => !isLetIn(host, port, vantage))
    return [
      ...[...without(line.open, wanted), ...leaks].map((port) => surprise('open', port)),
      ...without(wanted, line.open).map((port) => surprise('closed', port)),
      ...(line.unknown > 0 ? [surprise('unknown')] : []),
    ]
  })
}

const without = (ports: readonly Port[], others: readonly Port[]): Port[] => {
  const known = new Set(others.map(({ protocol, port }) => `${protocol} ${port}`))
  return ports.filter(({ protocol, port }) => !known.has(`${protocol} ${port}`))
}
