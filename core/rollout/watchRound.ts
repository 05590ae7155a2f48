/**
 * Whom a round of watching asks. A login is dear for both of its ends, so what is well is not asked each time: hosts take
 * turns, and each is asked again within `WATCHED_WITHIN_MS`.
 */
export interface WatchedHost {
  readonly name: string
  readonly standing: HostStanding
  /** The newest that was heard of it; absent where nothing was. */
  readonly heard?: Heard
}

/** What the rollout has to do with a host. */
export interface HostStanding {
  /** `wave`: of the present wave. `earlier`: changed in a wave before. `control`: not changed yet, to compare with. */
  readonly role: 'wave' | 'earlier' | 'control'
  /** Another one each time that something was done to the host. */
  readonly mark: string
}

export interface Heard {
  /** Counts rounds: a clock may be set back. */
  readonly round: number
  readonly isGood: boolean
  /** That of the standing when it was asked. */
  readonly mark: string
}

/** An interruption of this much is seen late at most, a quarter of what a critical service may be interrupted for. */
export const WATCHED_WITHIN_MS = 15_000
/** Of a wave that is no larger each host is asked in each round: a gate wants samples of changed hosts. */
const WAVE_AT_LEAST = 16
/** Of unchanged hosts in each round once a host that was touched is silent: whether all are, is to be seen at once. */
const DOUBT_AT_LEAST = 10

/**
 * Hosts of which nothing is known since something was done to them, and silent ones, are always asked: an interruption is
 * over when the host that was silent answers, not when others do. Of unchanged hosts there are as many as of the wave, so
 * that what befalls all shows in both alike; they come first, because what is compared may not be older than they.
 */
export function watchRound(hosts: readonly WatchedHost[], sinceLastMs: number): readonly string[] {
  const of = (role: HostStanding['role']): readonly WatchedHost[] => hosts.filter(({ standing }) => standing.role === role)
  const wave = turn(of('wave'), WAVE_AT_LEAST, sinceLastMs)
  const earlier = turn(of('earlier'), 1, sinceLastMs)
  const silent = hosts.filter(({ standing, heard }) => standing.role !== 'control' && heard?.isGood === false).length
  const control = turn(of('control'), Math.max(1, wave.length, silent === 0 ? 0 : Math.max(DOUBT_AT_LEAST, silent)), sinceLastMs)
  return [...control, ...earlier, ...wave].map(({ name }) => name)
}

/** Those that cannot wait, and of the others those that have waited longest: `least`, or so many more as the time asks for. */
function turn(hosts: readonly WatchedHost[], least: number, sinceLastMs: number): readonly WatchedHost[] {
  const [pressing, others] = [hosts.filter(isPressing), hosts.filter((host) => !isPressing(host))]
  const share = Math.min(1, Math.max(0, sinceLastMs) / WATCHED_WITHIN_MS)
  const count = Math.max(least, Math.ceil(hosts.length * share))
  return [...pressing, ...others.toSorted((a, b) => (a.heard?.round ?? 0) - (b.heard?.round ?? 0)).slice(0, count)]
}

const isPressing = ({ heard, standing }: WatchedHost): boolean => heard === undefined || !heard.isGood || heard.mark !== standing.mark
