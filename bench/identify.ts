import { identifyPeers, type Verdict } from '../lab/identify/peerLab.ts'

/**
 * How often the prober names what really stands on a port, by handshakes with real daemons. Each peer is tried on its usual port, and
 * on the usual port of something else, where a scanner that trusts numbers is wrong. `npm run bench -- identify [PROGRAM…]`; needs root.
 */
export const title = 'identify: real daemons, on their usual port and on that of another (aim: 0 wrong)'

export async function run(programs: readonly string[]): Promise<void> {
  console.log(`${'daemon'.padEnd(26)}${'port'.padEnd(12)}${'place'.padEnd(8)}${'is'.padEnd(12)}${'identified as'.padEnd(16)}verdict`)
  const chosen = ({ program }: { readonly program: string }): boolean => programs.length === 0 || programs.includes(program)
  const { verdicts, absent } = await identifyPeers(chosen, (one) => console.log(rowOf(one)))
  const count = (verdict: Verdict['verdict']): number => verdicts.filter((one) => one.verdict === verdict).length
  console.log(`\n${verdicts.length} endpoints: ${count('right')} right, ${count('wrong')} wrong, ${count('unknown')} unknown, ${count('not started')} not started`)
  if (absent.length > 0) console.log(`not installed here: ${absent.join(', ')}`)
}

const rowOf = ({ program, protocol, port, place, expected, said, verdict }: Verdict): string =>
  `${program.padEnd(26)}${`${port}/${protocol}`.padEnd(12)}${place.padEnd(8)}${expected.padEnd(12)}${said.padEnd(16)}${verdict}`

if (import.meta.main) await run(process.argv.slice(2))
