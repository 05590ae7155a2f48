/** `--hosts N` of benchmarks that can be had with any number of them, and what else was said. */
export function takeHostCount(args: readonly string[]): { readonly hosts: number | undefined; readonly rest: readonly string[] } {
  const at = args.indexOf('--hosts')
  if (at < 0) return { hosts: undefined, rest: args }
  const hosts = Number(args[at + 1])
  if (!(Number.isInteger(hosts) && hosts >= 1)) throw new Error('--hosts: a whole number from 1')
  return { hosts, rest: args.toSpliced(at, 2) }
}
