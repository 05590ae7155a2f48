import type { Fault, Text } from '@portcullis/core/fault/fault.ts'
import type { HostReply, HostVerb } from './ports.ts'

/** What a host's refusal means, from the exit codes of `docs/host-verbs.md`. */
export function hostFault(host: string, verb: HostVerb, reply: HostReply): Fault {
  const known = EXIT_FAULTS[reply.exitCode]
  const says = firstLine(reply.stderr)
  if (!known) return unexpectedExit(host, verb, reply.exitCode, says)
  return {
    code: known.code,
    what: { en: `${host}: ${known.what.en}${says && `: ${says}`}`, zh: `${host}：${known.what.zh}${says && `：${says}`}` },
    next: known.next,
  }
}

/** The host answered, but not with what the verb is to say. */
export const unreadableReply = (host: string, verb: HostVerb, text: string): Fault => ({
  code: 'HOST_REPLY',
  what: {
    en: `${host}: portcullis-host ${verb} answered something else than it is to: "${firstLine(text)}"`,
    zh: `${host}：portcullis-host ${verb} 的应答不符合约定：“${firstLine(text)}”`,
  },
  next: INSTALL_AGAIN,
})

interface ExitFault {
  readonly code: string
  readonly what: Text
  readonly next: Text
}

const INSTALL_AGAIN: Text = {
  en: 'the script there is another version or was changed: portcullis host install puts it right',
  zh: '主机上的脚本版本不同或被改动：请运行 portcullis host install',
}

const PLAN_AGAIN: Text = { en: 'nothing was changed; run portcullis plan again', zh: '未做任何改动；请重新运行 portcullis plan' }

const EXIT_FAULTS: Readonly<Record<number, ExitFault>> = {
  2: { code: 'HOST_USAGE', what: { en: 'the host script does not understand the call', zh: '主机脚本无法识别该调用' }, next: INSTALL_AGAIN },
  10: {
    code: 'HOST_TOOL_MISSING',
    what: { en: 'a tool is missing or the account is not root', zh: '缺少工具或账号没有 root 权限' },
    next: { en: 'install nftables and iproute2 there, or give the account sudo for portcullis-host', zh: '请在主机安装 nftables 与 iproute2，或为账号授予 portcullis-host 的 sudo 权限' },
  },
  11: {
    code: 'HOST_OLDER_GENERATION',
    what: { en: 'the host has this generation or a later one already: another controller was faster', zh: '主机已处于该代次或更新的代次：其他控制端已先行变更' },
    next: PLAN_AGAIN,
  },
  12: { code: 'HOST_NOT_OURS', what: { en: 'the ruleset touches something that is not ours', zh: '规则集涉及不属于 Portcullis 的内容' }, next: { en: 'nothing was changed; this is a defect of Portcullis', zh: '未做任何改动；这是 Portcullis 的缺陷' } },
  13: {
    code: 'HOST_TOO_LARGE',
    what: { en: 'the ruleset is larger than the host takes', zh: '规则集超过主机的大小上限' },
    next: { en: 'name wider prefixes in zones, or split the fleet', zh: '请在区域中使用更大的网段，或拆分主机组' },
  },
  14: { code: 'HOST_DIGEST', what: { en: 'the ruleset arrived damaged', zh: '规则集在传输中损坏' }, next: { en: 'nothing was changed; try again', zh: '未做任何改动；请重试' } },
  15: {
    code: 'HOST_NFT_REFUSED',
    what: { en: 'nft refuses the ruleset', zh: 'nft 拒绝了规则集' },
    next: { en: 'nothing was changed; this is a defect of Portcullis or a kernel without a module it needs: see the text of nft', zh: '未做任何改动；可能是 Portcullis 的缺陷或内核缺少模块，请查看 nft 的提示' },
  },
  16: { code: 'HOST_NOT_ARMED', what: { en: 'no revert is armed, so the host does not swap', zh: '未设置自动回退，主机拒绝切换' }, next: PLAN_AGAIN },
  17: { code: 'HOST_NOTHING_STAGED', what: { en: 'nothing is staged', zh: '没有已暂存的规则集' }, next: PLAN_AGAIN },
  18: {
    code: 'HOST_STATE_UNWRITABLE',
    what: { en: 'its state folder cannot be written (disk full or read-only)', zh: '状态目录不可写（磁盘已满或只读）' },
    next: { en: 'nothing was changed; make room in /var/lib/portcullis', zh: '未做任何改动；请清理 /var/lib/portcullis 所在磁盘' },
  },
  19: {
    code: 'HOST_BUSY',
    what: { en: 'another call holds the host', zh: '主机正被另一调用占用' },
    next: { en: 'wait until the other controller is done, then plan again', zh: '请等待其他控制端完成后重新生成计划' },
  },
  20: {
    code: 'HOST_NFT_OLD',
    what: { en: 'its nft is older than 1.0.6', zh: 'nft 版本低于 1.0.6' },
    next: { en: 'upgrade nftables to 1.0.6 or later (Debian 12 has it)', zh: '请将 nftables 升级到 1.0.6 或更高版本（Debian 12 自带）' },
  },
  21: {
    code: 'HOST_NOT_SWAPPED',
    what: { en: 'the generation to confirm is not the live one: the host has put its old rules back, or another controller has swapped', zh: '待确认的代次不是当前生效代次：主机已自动回退，或其他控制端已切换' },
    next: { en: 'retry with a longer --confirm-within', zh: '请用更长的 --confirm-within 重试' },
  },
  22: {
    code: 'HOST_TABLE_CHANGED',
    what: { en: 'the live table is not the one that portcullis-host wrote last: someone edited it', zh: '当前表并非 portcullis-host 上次写入的内容：有人手动修改' },
    next: { en: 'see portcullis drift', zh: '请查看 portcullis drift' },
  },
  23: {
    code: 'HOST_OVERLAP',
    what: { en: 'a lease or block overlaps one that is there', zh: '租约或封禁与已有条目重叠' },
    next: { en: 'end the other one first, or name the same source', zh: '请先结束原有条目，或使用相同的来源' },
  },
  126: { code: 'HOST_SCRIPT_UNRUNNABLE', what: { en: 'portcullis-host is there but cannot be run', zh: 'portcullis-host 存在但无法执行' }, next: INSTALL_AGAIN },
  127: {
    code: 'HOST_SCRIPT_MISSING',
    what: { en: 'portcullis-host is not installed there', zh: '主机上没有安装 portcullis-host' },
    next: { en: 'run portcullis host install', zh: '请运行 portcullis host install' },
  },
}

const unexpectedExit = (host: string, verb: HostVerb, exitCode: number, says: string): Fault => ({
  code: 'HOST_EXIT',
  what: {
    en: `${host}: portcullis-host ${verb} ended with ${exitCode}${says && `: ${says}`}`,
    zh: `${host}：portcullis-host ${verb} 以 ${exitCode} 退出${says && `：${says}`}`,
  },
})

/** Enough of what a host said to understand it; never so much that it floods a terminal or carries control characters. */
const firstLine = (text: string): string =>
  (text.trim().split('\n')[0] ?? '').replaceAll(/\p{Cc}/gu, ' ').slice(0, 200)
