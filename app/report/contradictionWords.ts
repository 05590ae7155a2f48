import type { Text } from '@portcullis/core/fault/fault.ts'
import type { Contradiction } from '@portcullis/core/inventory/contradiction.ts'

/** Each contradiction in words, and what it may mean. */
export const CONTRADICTION_WORDS: Readonly<Record<Contradiction['kind'], { readonly title: Text; readonly meaning: Text }>> = {
  'listening-but-filtered': {
    title: { en: 'listen, and no packet gets through', zh: '在监听，但报文无法到达' },
    meaning: { en: 'Harmless, or a client cannot get in. Who listens for nobody can be stopped.', zh: '可能无害，也可能客户端无法访问；无人可达的监听可以停用。' },
  },
  'open-without-listener': {
    title: { en: 'open, and the server shows no listener', zh: '开放，但主机上没有监听' },
    meaning: { en: 'NAT, a hidden process, or a reading that is out of date.', zh: '可能是 NAT、隐藏进程，或读取已过期。' },
  },
  'probes-disagree': { title: { en: 'probes disagree', zh: '探测结果不一致' }, meaning: { en: 'Two sensors say different things of one address.', zh: '两个传感器对同一地址结论不同。' } },
  'used-without-need': {
    title: { en: 'used, and no need lets it in', zh: '有使用，但无业务需求' },
    meaning: { en: 'Closing it would cut these connections: find the owner first.', zh: '关闭将中断这些连接：请先找到责任人。' },
  },
  'denied-despite-need': {
    title: { en: 'denied, though a need lets it in', zh: '有业务需求却被拒绝' },
    meaning: { en: 'The rules are older than the policy, or another firewall stands in the way.', zh: '规则早于策略，或被其他防火墙拦截。' },
  },
  'needed-without-listener': {
    title: { en: 'needed, and nobody listens', zh: '有业务需求，但无人监听' },
    meaning: { en: 'The service is down, has moved, or the need is out of date.', zh: '服务已停、已迁移，或需求已过期。' },
  },
  'needed-but-filtered': { title: { en: 'needed, and filtered', zh: '有业务需求，但被过滤' }, meaning: { en: 'The business cannot use what it says it needs.', zh: '业务无法使用其声明的需求。' } },
  'needed-but-ephemeral': {
    title: { en: 'needed on a port that the kernel chose', zh: '需求对应内核临时分配的端口' },
    meaning: { en: 'After a restart it is probably another: fix the port first.', zh: '重启后端口可能改变：请先固定端口。' },
  },
  'used-but-undocumented': {
    title: { en: 'used, and not in the inventory', zh: '有使用，但未登记' },
    meaning: { en: 'The inventory of services does not know what is used here.', zh: '服务登记中没有此处使用的服务。' },
  },
  'open-but-undocumented': {
    title: { en: 'open, and not in the inventory', zh: '开放，但未登记' },
    meaning: { en: 'Nobody has written down that it should be there.', zh: '没有登记说明其应当存在。' },
  },
  'documented-without-listener': {
    title: { en: 'in the inventory, and nobody listens', zh: '已登记，但无人监听' },
    meaning: { en: 'The service is down, or the inventory is out of date.', zh: '服务已停，或登记已过期。' },
  },
  'published-over-listener': {
    title: { en: 'published over a listener', zh: '端口发布覆盖了监听' },
    meaning: { en: 'Packets from outside meet the NAT rule first, and not the listener.', zh: '外部报文先命中 NAT 规则，而非监听。' },
  },
}
