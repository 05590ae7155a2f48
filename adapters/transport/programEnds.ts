/** A program's standard input, output and error, each a connection whose first line is `ID END`. */
export const ENDS = ['in', 'out', 'err'] as const

export type ToLauncher =
  | { readonly kind: 'start'; readonly id: number; readonly argv: readonly string[] }
  | { readonly kind: 'kill'; readonly id: number; readonly signal: NodeJS.Signals }

export type FromLauncher = { readonly kind: 'exited'; readonly id: number; readonly code: number | null } | { readonly kind: 'failed'; readonly id: number; readonly because: string }
