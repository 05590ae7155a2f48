import { formatAddress } from '@portcullis/core/net/address.ts'
import { describeExplanation } from '@portcullis/core/policy/explain.ts'
import { writeSources } from '@portcullis/core/verify/differenceText.ts'
import type { Reach } from '@portcullis/core/verify/reach.ts'
import type { WhyReport } from '@portcullis/engine/why.ts'
import { showPacket } from './packet.ts'
import { fromWords } from './ruleWords.ts'
import { t, type Pen } from './words.ts'

/** Whether one connection gets in: what the policy says of it, what the host does, by which rules, and who else gets in. */
export function showWhy(pen: Pen, report: WhyReport): string {
  const { question, explanation, generation, judgement, packet } = report
  const endpoint = `${question.host}:${question.port}/${question.protocol}`
  const lines = [
    `${pen.paint.bold(endpoint)}  ${t(pen, { en: 'from', zh: '来源' })} ${formatAddress(question.source)}`,
    '',
    `${label(pen, POLICY)}${explanation.kind === 'allowed' ? pen.paint.green('✓') : pen.paint.red('✗')} ${t(pen, describeExplanation(explanation, question))}`,
    ...reachLines(pen, report.reach),
    ...contradiction(pen, report),
  ]
  const live = generation === 0 ? t(pen, UNMANAGED) : t(pen, { en: `host, generation ${generation}`, zh: `主机，代次 ${generation}` })
  return `${lines.join('\n')}\n\n${pen.paint.bold(live)}\n${showPacket(pen, packet, judgement.verdict, judgement.path)}`
}

const POLICY = { en: 'policy', zh: '策略' }
const REACHED = { en: 'reached by', zh: '可访问来源' }
const UNMANAGED = { en: 'host, nothing of ours confirmed yet', zh: '主机，尚无已确认的代次' }

const label = (pen: Pen, text: { readonly en: string; readonly zh: string }): string => pen.paint.dim(`${t(pen, text)}  `)

/** Through all tables of the host, whatever the policy says. */
function reachLines(pen: Pen, reach: Reach | undefined): string[] {
  if (!reach) return []
  const accepted = reach.accepted ? fromWords(pen, writeSources(reach.accepted)) : t(pen, { en: 'nobody', zh: '无' })
  const perhaps = reach.perhaps ? pen.paint.yellow(`; ${t(pen, { en: 'perhaps', zh: '可能' })} ${fromWords(pen, writeSources(reach.perhaps))}`) : ''
  return [`${label(pen, REACHED)}${accepted}${perhaps}`]
}

function contradiction(pen: Pen, { explanation, judgement }: WhyReport): string[] {
  const { kind } = judgement.verdict
  if (kind === 'undecided' || (explanation.kind === 'allowed') === (kind === 'accepted') || (explanation.kind === 'denied' && explanation.mode === 'observe')) return []
  return [pen.paint.red(t(pen, { en: 'The host does not do what the policy says: portcullis verify', zh: '主机行为与策略不一致：请运行 portcullis verify' }))]
}
