import type { Diagram } from './arena.ts'
import { isTerminal, operation, type Operation, type TerminalChange } from './combine.ts'

/**
 * What may become of a packet: a set of outcomes as bits, used as terminals. More than one bit means that a match is unknown.
 * `next`: no rule has decided yet, the following one is asked; at the end of a base chain: accepted by it. `return`: left the chain early.
 */
export const ACCEPT = 1
export const DROP = 2
export const REJECT = 4
export const NEXT = 8
export const RETURN = 16
/** No packet comes here. */
export const NOWHERE = 0

export type Outcomes = number

/** How sets of outcomes join; NAT chains have more outcomes than the five, see {@link outcomeOperations}. */
export interface OutcomeOperations {
  /** First match: what the first decides, and where it says `next`, the second. Associative. */
  readonly firstMatch: Operation
  /** All outcomes of both: one of the two decides, which is unknown. */
  readonly union: Operation
  /** `if match then b`: where the match answers no, the next rule; where it is unknown, both. */
  readonly select: Operation
}

/** `join` unites two sets of outcomes that are not both plain bits. `codes`: three free operation codes from here on. */
export function outcomeOperations(codes: number, join: (a: Outcomes, b: Outcomes) => Outcomes): OutcomeOperations {
  return {
    firstMatch: operation(
      codes,
      false,
      (a, b) => (a & NEXT ? join(a & ~NEXT, b) : a),
      (a, b) => (a === NEXT || a === b ? b : b === NEXT || (isTerminal(a) && (a & NEXT) === 0) ? a : -1),
    ),
    union: operation(codes + 1, true, join, (a, b) => (a === b || b === NOWHERE ? a : a === NOWHERE ? b : -1)),
    select: operation(
      codes + 2,
      false,
      (match, b) => (match === YES ? b : match === NO ? NEXT : join(b, NEXT)),
      (match, b) => (match === YES ? b : match === NO || b === NEXT ? NEXT : -1),
    ),
  }
}

export const PLAIN_OUTCOMES: OutcomeOperations = outcomeOperations(1, (a, b) => a | b)

/** The first diagram's terminals are 0 or not: where 0, nowhere; else the second. */
export const MASK = operation(
  4,
  false,
  (a, b) => (a === 0 ? NOWHERE : b),
  (a, b) => (a === 0 || b === NOWHERE ? NOWHERE : isTerminal(a) ? b : -1),
)

/**
 * A base chain by itself, then what comes after it: an accept ends this chain only, a drop is final. By what happens at the end of the chain.
 * One walk through the chain's diagram, where first-match composition would take two.
 */
export const THROUGH: Readonly<Record<'accept' | 'drop', Operation>> = { accept: through(8, ACCEPT | NEXT | RETURN, 0), drop: through(9, ACCEPT, NEXT | RETURN) }

function through(code: number, goesOn: Outcomes, isDropped: Outcomes): Operation {
  const decided = (outcomes: Outcomes): Outcomes => (outcomes & (DROP | REJECT)) | (outcomes & isDropped ? DROP : 0)
  return operation(
    code,
    false,
    (own, after) => decided(own) | (own & goesOn ? after : 0),
    (own, after) => (!isTerminal(own) ? -1 : (own & goesOn) === 0 ? decided(own) : decided(own) === 0 ? after : -1),
  )
}

/** Drop and reject count as the same refusal. */
export const REJECT_AS_DROP: TerminalChange = { code: 10, to: (outcomes) => (outcomes & REJECT ? (outcomes & ~REJECT) | DROP : outcomes) }

/** 1 where more than one thing may happen. */
export const IS_OPEN: TerminalChange = { code: 11, to: (outcomes) => (outcomes & (outcomes - 1) ? 1 : 0) }

// ───────────────────────────── match diagrams ─────────────────────────────

/** Terminals of a match: may answer no, may answer yes. Both: unknown. */
export const NO = 1
export const YES = 2
export const UNKNOWN = 3

/** Both answer yes: no where one is a sure no, else unknown where one is. */
export const BOTH = operation(5, true, both, (a, b) => (a === b || b === YES ? a : a === YES ? b : a === NO || b === NO ? NO : -1))

/** Yes and no change places; unknown stays. */
export const INVERT: TerminalChange = { code: 12, to: (answer) => (answer === YES ? NO : answer === NO ? YES : answer) }

/** 1 where the answer is surely yes, surely no; else 0. */
export const IS_YES: TerminalChange = { code: 13, to: (answer) => (answer === YES ? 1 : 0) }
export const IS_NO: TerminalChange = { code: 14, to: (answer) => (answer === NO ? 1 : 0) }

/** At least one answers yes. */
export const EITHER = operation(6, true, either, (a, b) => (a === b || b === NO ? a : a === NO ? b : a === YES || b === YES ? YES : -1))

function both(a: number, b: number): number {
  if (a === NO || b === NO) return NO
  return a === YES && b === YES ? YES : UNKNOWN
}

function either(a: number, b: number): number {
  if (a === YES || b === YES) return YES
  return a === NO && b === NO ? NO : UNKNOWN
}

/** Each pair of outcome sets as one terminal, see {@link pairOf}. */
export const PAIR = operation(7, false, (a, b) => a * 32 + b)

export const pairOf = (terminal: Diagram): readonly [Outcomes, Outcomes] => [Math.floor(terminal / 32), terminal % 32]
