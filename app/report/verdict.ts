import type { Text } from '@portcullis/core/fault/fault.ts'
import type { DemoSummary, Judged } from '../demo/summary.ts'

/** The outcome in one sentence, the same in the terminal and in the report. */
export function verdictText({ unexpectedlyOpen, unexpectedlyClosed, undecided, servicesInterrupted, hosts, hostsEqualToIntent, rollouts }: Judged & Pick<DemoSummary, 'rollouts'>): Text {
  const wrong = [
    part(unexpectedlyOpen, (n) => ({ en: `${n} open that must not be`, zh: `${n} 处不应开放` })),
    part(unexpectedlyClosed, (n) => ({ en: `${n} closed that ${n === 1 ? 'is' : 'are'} needed`, zh: `${n} 处业务需要但不可达` })),
    part(undecided, (n) => ({ en: `${n} undecided`, zh: `${n} 处无法判定` })),
    part(servicesInterrupted, (n) => ({ en: `${n} ${n === 1 ? 'service' : 'services'} interrupted`, zh: `${n} 项业务中断` })),
    part(hosts - hostsEqualToIntent, (n) => ({ en: `${n} ${n === 1 ? 'host differs' : 'hosts differ'} from the intent`, zh: `${n} 台主机与意图不一致` })),
    part(rollouts?.asPromised === false ? 1 : 0, () => ({ en: 'the rollouts did not go as they must', zh: '发布过程不符合预期' })),
  ].flat()
  if (wrong.length === 0) return { en: 'Everything is as promised: open is exactly what is needed', zh: '全部符合承诺：开放的端口恰为业务所需' }
  return { en: `Not as promised: ${wrong.map(({ en }) => en).join(', ')}`, zh: `不符合承诺：${wrong.map(({ zh }) => zh).join('，')}` }
}

const part = (count: number, words: (count: number) => Text): Text[] => (count === 0 ? [] : [words(count)])
