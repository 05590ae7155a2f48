import type { Text } from '@portcullis/core/fault/fault.ts'

/** Why a well-formed record became no observation. Each is counted and told. */
export const SKIP_REASONS = {
  'not of the fleet': { en: 'of addresses or names that the policy gives no host', zh: '地址或名称不属于策略中的任何主机' },
  'protocol without ports': { en: 'of protocols without ports (ICMP, GRE, …)', zh: '没有端口的协议（ICMP、GRE 等）' },
  'no answer': { en: 'attempts that nobody answered: no use', zh: '无应答的连接尝试，不算使用' },
  'not about flows': { en: 'records about something else than connections', zh: '与连接无关的记录' },
  'no data': { en: 'records that say that nothing was seen', zh: '表示没有流量的记录' },
  'log lost records': { en: 'records that say that the log lost some: what was lost is unknown', zh: '表示日志有丢失的记录：丢失内容未知' },
  'state undecided': { en: 'ports whose state the scanner could not tell', zh: '扫描器无法判定状态的端口' },
  'summarised by the scanner': { en: 'ports that the scanner only counted (closed or filtered, not listed)', zh: '扫描器仅计数未列出的端口（关闭或被过滤）' },
  'not about ports': { en: 'findings about the host as a whole', zh: '针对整台主机的结果' },
  'told by the host itself': { en: 'ports that the host listed itself: not probed from outside', zh: '由主机自身列出的端口，并非外部探测' },
  'verdict unknown': { en: 'log lines that do not say whether the packet was let in: say it with --verdict', zh: '日志未说明报文是否放行：请用 --verdict 指定' },
  'not the first packet': { en: 'packets within a connection', zh: '连接中间的报文' },
  'host down': { en: 'hosts that did not answer', zh: '没有应答的主机' },
  malformed: { en: 'malformed records', zh: '格式错误的记录' },
} as const satisfies Record<string, Text>

export type SkipReason = keyof typeof SKIP_REASONS
