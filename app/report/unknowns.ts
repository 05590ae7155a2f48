import type { Text } from '@portcullis/core/fault/fault.ts'
import type { MatrixRow } from '@portcullis/core/inventory/matrix.ts'
import { HOSTS_SHOWN_MAX } from './exposure.ts'
import { both, grouped, tag } from './markup.ts'

/** Of how many endpoints each thing is not known. */
export interface Unknowns {
  readonly unseenHosts: readonly string[]
  /** Whether they can be reached, of what listens. */
  readonly untried: number
  readonly listeners: number
  readonly unwatched: number
  readonly lost: number
}

export function unknownsOf(rows: readonly MatrixRow[], unseenHosts: readonly string[], untried: number): Unknowns {
  const count = (isIt: (row: MatrixRow) => boolean): number => new Set(rows.filter(isIt).map(({ host, protocol, port }) => `${host} ${protocol}/${port}`)).size
  return {
    unseenHosts,
    untried,
    listeners: count((row) => row.listening.kind === 'unknown'),
    unwatched: count((row) => row.used.kind === 'unknown' && row.used.because === 'not watched'),
    lost: count((row) => row.used.kind === 'unknown' && row.used.because === 'evidence lost'),
  }
}

/** What nobody knows, and how to learn it. */
export function unknownList({ unseenHosts, untried, listeners, unwatched, lost }: Unknowns): string {
  const named = unseenHosts.slice(0, HOSTS_SHOWN_MAX).join(', ') + (unseenHosts.length > HOSTS_SHOWN_MAX ? ', …' : '')
  const items = [
    item(unseenHosts.length, 'server was never observed', 'servers were never observed', { en: `: ${named}. Run portcullis observe.`, zh: `台服务器从未观测：${named}。请运行 portcullis observe。` }),
    item(untried, 'endpoint listens', 'endpoints listen', { en: ', and nobody has tried from every zone whether it can be reached. Scan from there, or let the rules be verified.', zh: '个端点在监听，但未从每个区域探测其可达性。请从相应区域扫描，或进行规则等价验证。' }),
    item(listeners, 'endpoint is of a server', 'endpoints are of servers', { en: ' whose listeners nobody has read. Run portcullis observe.', zh: '个端点所在服务器的监听情况未读取。请运行 portcullis observe。' }),
    item(unwatched, 'endpoint’s use', 'endpoints’ use', { en: ' was not watched. Apply observe mode, and wait for as long as the business has a rhythm: a month-end job is not seen in a week.', zh: '个端点的使用情况未观测。请启用 observe 模式，并覆盖完整业务周期：月末任务在一周内看不到。' }),
    item(lost, 'endpoint lost', 'endpoints lost', { en: ' evidence: unused cannot be said of what was not counted.', zh: '个端点的证据有丢失，不能断定未使用。' }),
  ].join('')
  return items === '' ? `<p>${both({ en: 'Nothing that these sensors could have told.', zh: '无：这些传感器能提供的信息均已获得。' })}</p>` : tag('ul', 'checks', items)
}

/** The beginning of the English sentence is in the words of the number. */
function item(amount: number, one: string, many: string, { en, zh }: Text): string {
  if (amount === 0) return ''
  const words = { en: `${amount === 1 ? one : many}${en}`, zh }
  return `<li class="unsure"><span class="sign" aria-hidden="true">?</span><span><b>${grouped(amount)}</b> ${both(words)}</span></li>`
}
