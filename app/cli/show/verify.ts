import type { Lease } from '@portcullis/core/ruleset/nft/ownTable.ts'
import type { Comparison } from '@portcullis/core/plan/seal.ts'
import type { Refusals } from '@portcullis/engine/refusals.ts'
import type { HostVerification } from '@portcullis/engine/verify.ts'
import { idleLines } from './accepts.ts'
import { differenceLines } from './compare.ts'
import { faultLines } from './faults.ts'
import { t, type Pen } from './words.ts'

export const showVerify = (pen: Pen, hosts: readonly HostVerification[]): string => hosts.map((host) => `${hostLines(pen, host).join('\n')}\n`).join('')

const KINDS: Readonly<Record<HostVerification['kind'], readonly [mark: string, paint: keyof Pen['paint'], en: string, zh: string]>> = {
  equal: ['✓', 'green', 'enforces what the policy means', '生效规则与策略一致'],
  differs: ['✗', 'red', 'differs from the policy', '与策略不一致'],
  undecided: ['?', 'yellow', 'undecided', '无法判定'],
  unread: ['?', 'red', 'could not be read', '无法读取'],
}

function hostLines(pen: Pen, host: HostVerification): string[] {
  const [mark, colour, en, zh] = KINDS[host.kind]
  const generation = pen.paint.dim(host.generation === 0 ? t(pen, NONE) : `${t(pen, { en: 'generation', zh: '代次' })} ${host.generation}`)
  const newer = host.isPolicyNewer ? `  ${pen.paint.yellow(t(pen, NEWER))}` : ''
  return [
    `${pen.paint[colour](mark)} ${pen.paint.bold(host.host)}  ${pen.paint[colour](t(pen, { en, zh }))}  ${generation}${newer}`,
    ...counterexampleLines(pen, host.comparison),
    ...refusalLines(pen, host.refusals),
    ...leaseLines(pen, host.leases),
    ...idleLines(pen, host.idle).filter((line) => line !== '').map((line) => `  ${line}`),
    ...faultLines(pen, host.faults, '  '),
  ]
}

const NONE = { en: 'nothing confirmed yet', zh: '尚无已确认的代次' }
const NEWER = { en: 'the policy has changed since: portcullis plan', zh: '策略此后已变更：请运行 portcullis plan' }

/** What differs, from what is meant to what is enforced. */
export function counterexampleLines(pen: Pen, comparison: Comparison | undefined): string[] {
  if (comparison?.kind === 'undecided') return [`  ${comparison.because}`]
  if (comparison?.kind !== 'counterexample') return []
  if (!comparison.differences) return [`  ${comparison.packet} (${comparison.because})`]
  const more = comparison.more ?? 0
  return [...differenceLines(pen, comparison.differences), ...(more > 0 ? [pen.paint.dim(`  ${t(pen, { en: `and ${more} more differences`, zh: `另有 ${more} 处差异` })}`)] : [])]
}

/** What other tables take away from services that the policy grants. */
export function refusalLines(pen: Pen, refusals: Refusals | undefined): string[] {
  if (!refusals || refusals.differences.length === 0) return []
  const needs = refusals.needs.join(' ')
  const title = t(pen, { en: `other tables refuse what is granted, to the loss of: ${needs}`, zh: `其他表拒绝了已放行的流量，受影响的业务需求：${needs}` })
  const more = refusals.more > 0 ? [pen.paint.dim(`  ${t(pen, { en: `and ${refusals.more} more`, zh: `另有 ${refusals.more} 处` })}`)] : []
  return [`  ${pen.paint.red(title)}`, ...differenceLines(pen, refusals.differences), ...more]
}

function leaseLines(pen: Pen, leases: readonly Lease[]): string[] {
  return leases.slice(0, LEASES_SHOWN_MAX).map(({ kind, protocol, ports, source, secondsLeft }) => {
    const service = protocol === undefined ? '' : `${protocol}/${ports} `
    const words = kind === 'lease' ? t(pen, { en: 'lease', zh: '租约' }) : t(pen, { en: 'block', zh: '封禁' })
    return `  ${pen.paint.cyan(words)} ${service}${t(pen, { en: 'from', zh: '来源' })} ${source}  ${t(pen, { en: `ends in ${secondsLeft} s`, zh: `${secondsLeft} 秒后结束` })}`
  })
}

const LEASES_SHOWN_MAX = 20
