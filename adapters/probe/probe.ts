import type { Text } from '@portcullis/core/fault/fault.ts'
import type { z } from 'zod'
import { VantageError, type Vantage } from '../vantage/vantage.ts'

/** One kind of probe: what its settings are, and how it asks. */
export interface GateProbe<S = unknown> {
  readonly settings: z.ZodType<S>
  /** Whether it talks on one TCP connection, which can begin elsewhere. */
  readonly canAskFromElsewhere: boolean
  /** Never throws for what is asked: silence, refusal and nonsense are answers. Ends by the deadline. */
  readonly ask: (settings: S, target: ProbedTarget) => Promise<ProbeAnswer>
}

export interface ProbedTarget {
  /** The managed host's name. */
  readonly host: string
  readonly address: string
  /** Whole answer, by then. */
  readonly timeoutMs: number
  readonly signal: AbortSignal
  /** Asks from there; from this process without one. */
  readonly vantage?: Vantage
}

/**
 * `bad`: the service did not do what was asked of it; silence too, which is what a closed port looks like. `no-data`: whoever
 * asked could not ask: nothing is known of the service.
 */
export type ProbeAnswer =
  | { readonly kind: 'good'; readonly value?: number; readonly detail?: string }
  | { readonly kind: 'bad'; readonly because: Text }
  | { readonly kind: 'no-data'; readonly because: Text }

export const good = (value: number, detail?: string): ProbeAnswer => ({ kind: 'good', value, ...(detail === undefined ? {} : { detail }) })
export const bad = (en: string, zh: string): ProbeAnswer => ({ kind: 'bad', because: { en, zh } })
export const unasked = (en: string, zh: string): ProbeAnswer => ({ kind: 'no-data', because: { en, zh } })

/** errno(3) of what fails here and not there: too many files, no right, no address, no route of our own. */
const OURS = new Set(['EMFILE', 'ENFILE', 'ENOMEM', 'ENOBUFS', 'EACCES', 'EPERM', 'EADDRNOTAVAIL', 'EADDRINUSE', 'ENETUNREACH', 'ENETDOWN', 'EAFNOSUPPORT', 'EINVAL', 'ABORT_ERR', 'ENOENT'])

/** Whose fault an error is. EHOSTUNREACH is the other side's: an ICMP error, which a firewall that rejects sends too. */
export function answerOfError(error: unknown): ProbeAnswer {
  const { code = '', message = String(error) } = error as { code?: string; message?: string }
  const told = printableLine(code === '' || error instanceof VantageError ? message : code)
  return OURS.has(code) ? unasked(`could not ask: ${told}`, `无法探测：${told}`) : bad(told, told)
}

export const noAnswer = (timeoutMs: number): ProbeAnswer => bad(`no answer within ${timeoutMs} ms`, `${timeoutMs} 毫秒内无应答`)

/** What came from outside, fit for one line of a message. */
export const printableLine = (text: string): string => text.slice(0, 160).replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '?')
