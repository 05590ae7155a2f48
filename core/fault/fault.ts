/** One sentence in each language of the console and the messages. Written side by side, so that neither can be forgotten. */
export interface Text {
  readonly en: string
  readonly zh: string
}

/** Where in an input something is: one-based line and column, as editors count. */
export interface Place {
  readonly file: string
  readonly line: number
  readonly column: number
}

/**
 * Why something was refused, as data: a stable code, what is wrong, and what to do next.
 * A fault is returned, not thrown, wherever the caller can go on.
 */
export interface Fault {
  /** Stable, upper snake case: `POLICY_UNKNOWN_KEY`. */
  readonly code: string
  readonly what: Text
  readonly next?: Text
  readonly place?: Place
}

export type Result<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly faults: readonly Fault[] }

export const succeed = <T>(value: T): Result<T> => ({ ok: true, value })

export const fail = (...faults: readonly Fault[]): Result<never> => ({ ok: false, faults })

/** `file:line:column: what (next)`, the form that editors and terminals make clickable. */
export function describeFault(fault: Fault, language: keyof Text): string {
  const at = fault.place ? `${fault.place.file}:${fault.place.line}:${fault.place.column}: ` : ''
  const next = fault.next ? `\n    ${fault.next[language]}` : ''
  return `${at}${fault.what[language]}${next} [${fault.code}]`
}

/** For the few places that must unwind, an adapter's call that failed half-way for instance. */
export class FaultError extends Error {
  readonly fault: Fault

  constructor(fault: Fault, cause?: unknown) {
    super(describeFault(fault, 'en'), cause === undefined ? undefined : { cause })
    this.name = 'FaultError'
    this.fault = fault
  }
}
