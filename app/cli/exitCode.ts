/** What a command's exit status says; stable, stated in `docs/exit-codes.md`. */
export const EXIT = {
  ok: 0,
  /** The answer is "no": hosts differ, a packet is denied, a guard refused. */
  differs: 1,
  /** The call or an input file is wrong; nothing was done. */
  usage: 2,
  /** There is no full answer: something could not be decided, or a host could not be read. */
  incomplete: 3,
  /** A change failed on at least one host; each such host has its old ruleset, or puts it back by itself. */
  hostFailed: 4,
  /** A defect of Portcullis itself (EX_SOFTWARE of sysexits.h). */
  defect: 70,
  /** 128 + SIGINT. */
  interrupted: 130,
} as const

export type ExitCode = (typeof EXIT)[keyof typeof EXIT]
