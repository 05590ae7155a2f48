import type { Duplex } from 'node:stream'

/** A place that probes may ask from instead of the controller: what is open to one of them may be closed to the other. */
export interface Vantage {
  /**
   * A TCP connection from there, given out when its handshake is done. Rejects with a VantageError where nothing can be asked
   * from there, and with the code of the refusal (ECONNREFUSED …) where the target said no.
   */
  connect(address: string, port: number, limits: DialLimits): Promise<Duplex>
  /** The same as an argv, for a program that talks on its standard input and output. Every word is safe for a shell. */
  argv(address: string, port: number, limits: DialLimits): Promise<readonly string[]>
  close(): Promise<void>
}

export interface DialLimits {
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

/** Nothing is known of the target: whoever was to ask it could not. */
export class VantageError extends Error {
  /** As errno(3) names what is on our own side. */
  readonly code = 'ENETUNREACH'
}
