import type { Text } from '@portcullis/core/fault/fault.ts'
import type { CommandModule } from './command.ts'

/** Every command of `portcullis`, in the order in which a user meets them. A new command is one entry here and one file. */
export interface CommandEntry {
  /** One word, or two for a command within a group. */
  readonly name: string
  readonly summary: Text
  /** It computes on files, perhaps for long without a pause, and has nothing to put in order: Ctrl-C and SIGTERM end it at once. */
  readonly isOffline?: true
  readonly load: () => Promise<CommandModule>
}

export const COMMANDS: readonly CommandEntry[] = [
  {
    name: 'demo',
    summary: { en: 'close the ports of a lab of real hosts on this machine, and check it by packets', zh: '在本机的实验主机上收敛端口，并逐包验证' },
    load: () => import('./commands/demo.ts'),
  },
  {
    name: 'host install',
    summary: { en: 'put portcullis-host on the hosts of the policy', zh: '在策略中的主机上安装 portcullis-host' },
    load: () => import('./commands/hostInstall.ts'),
  },
  {
    name: 'import ansible',
    summary: { en: 'turn an Ansible inventory into the fleet of a policy file', zh: '将 Ansible 清单转换为策略文件中的主机列表' },
    load: () => import('./commands/importAnsible.ts'),
  },
  {
    name: 'import',
    summary: { en: 'take over a scan, a flow log or documented services, of whatever format', zh: '导入扫描结果、流日志或已登记的服务（自动识别格式）' },
    load: () => import('./commands/importFile.ts'),
  },
  ...importEntries(),
  {
    name: 'import prometheus',
    summary: { en: 'use that metrics of a Prometheus show, by sources unknown', zh: 'Prometheus 指标显示的使用情况（来源未知）' },
    load: () => import('./commands/importPrometheus.ts'),
  },
  {
    name: 'policy check',
    summary: { en: 'check a policy file', zh: '检查策略文件' },
    load: () => import('./commands/policyCheck.ts'),
  },
  {
    name: 'policy schema',
    summary: { en: 'print the JSON Schema of the policy file, for editors', zh: '输出策略文件的 JSON Schema，供编辑器使用' },
    load: () => import('./commands/policySchema.ts'),
  },
  {
    name: 'observe',
    summary: { en: 'read every host: who listens, who connects', zh: '读取每台主机：谁在监听、谁在连接' },
    load: () => import('./commands/observe.ts'),
  },
  {
    name: 'scan',
    summary: { en: 'see from outside what hosts leave open', zh: '从外部查看主机开放的端口' },
    load: () => import('./commands/scan.ts'),
  },
  {
    name: 'matrix',
    summary: { en: 'show the port matrix: each endpoint, who can reach it, who used it', zh: '显示端口状态矩阵：端点、可达来源、使用情况' },
    load: () => import('./commands/matrix.ts'),
  },
  {
    name: 'matrix diff',
    summary: { en: 'show what is different in the matrix since a time', zh: '显示端口状态矩阵自某时以来的变化' },
    load: () => import('./commands/matrixDiff.ts'),
  },
  {
    name: 'recommend',
    summary: { en: 'say what to keep, close and ask about, and write it as needs of the policy', zh: '建议保留、关闭与询问哪些端口，并写成策略中的业务需求' },
    load: () => import('./commands/recommend.ts'),
  },
  {
    name: 'replay',
    summary: { en: 'say what a policy would have denied of the flows that were recorded', zh: '用已记录的流检验策略会拒绝什么' },
    load: () => import('./commands/replay.ts'),
  },
  {
    name: 'plan',
    summary: { en: 'show what would close and open, and seal it as a change plan', zh: '列出将关闭与放行的端口，并封存为变更计划' },
    load: () => import('./commands/plan.ts'),
  },
  {
    name: 'plan show',
    summary: { en: 'show a sealed plan: its blast radius, its approvals, what forbids a rollout', zh: '查看已封存计划：影响范围、批准与禁止原因' },
    load: async () => ({ define: (await import('./commands/planStored.ts')).show.define }),
  },
  {
    name: 'plan approve',
    summary: { en: 'give your word for a sealed plan', zh: '批准一个已封存计划' },
    load: async () => ({ define: (await import('./commands/planStored.ts')).approve.define }),
  },
  {
    name: 'plan diff',
    summary: { en: 'say what one sealed plan does otherwise than another', zh: '比较两个已封存计划' },
    load: async () => ({ define: (await import('./commands/planStored.ts')).diff.define }),
  },
  {
    name: 'plan export',
    summary: { en: 'print the canonical text of a sealed plan', zh: '输出已封存计划的规范文本' },
    load: async () => ({ define: (await import('./commands/planStored.ts')).exported.define }),
  },
  {
    name: 'apply',
    summary: { en: 'carry out a change plan; every host reverts by itself unless confirmed', zh: '执行变更计划；未确认的主机自动回退' },
    load: () => import('./commands/apply.ts'),
  },
  {
    name: 'rollout start',
    summary: { en: 'roll a plan out in waves under gates; puts everything back by itself', zh: '按批次在放行条件下发布计划，异常时自动回退' },
    load: async () => ({ define: (await import('./commands/rollout.ts')).start.define }),
  },
  {
    name: 'rollout status',
    summary: { en: 'show how a rollout stands', zh: '显示发布的当前状态' },
    load: async () => ({ define: (await import('./commands/rollout.ts')).status.define }),
  },
  {
    name: 'rollout watch',
    summary: { en: 'watch a rollout; carry it on if nobody does', zh: '实时查看发布；无人推进时接手' },
    load: async () => ({ define: (await import('./commands/rollout.ts')).watch.define }),
  },
  {
    name: 'rollout pause',
    summary: { en: 'begin nothing more for now', zh: '暂停发布' },
    load: async () => ({ define: (await import('./commands/rollout.ts')).pause.define }),
  },
  {
    name: 'rollout resume',
    summary: { en: 'carry a rollout on', zh: '继续发布' },
    load: async () => ({ define: (await import('./commands/rollout.ts')).resume.define }),
  },
  {
    name: 'rollout abort',
    summary: { en: 'stop a rollout; changed hosts keep their new rules', zh: '中止发布，已变更的主机保留新规则' },
    load: async () => ({ define: (await import('./commands/rollout.ts')).abort.define }),
  },
  {
    name: 'rollout promote',
    summary: { en: 'end the bake of a wave by hand, or approve core hosts', zh: '手动结束观察期，或批准核心主机' },
    load: async () => ({ define: (await import('./commands/rollout.ts')).promote.define }),
  },
  {
    name: 'rollout rollback',
    summary: { en: 'put back what a rollout changed', zh: '回退一次发布' },
    load: async () => ({ define: (await import('./commands/rollout.ts')).rollback.define }),
  },
  {
    name: 'rollout history',
    summary: { en: 'list the rollouts', zh: '列出全部发布' },
    load: async () => ({ define: (await import('./commands/rollout.ts')).history.define }),
  },
  {
    name: 'rollback',
    summary: { en: 'bring back what the hosts had before, as a new generation', zh: '以新代次恢复主机之前的规则' },
    load: () => import('./commands/rollback.ts'),
  },
  {
    name: 'gate check',
    summary: { en: 'measure now what the gates of a rollout would measure', zh: '立即测量发布的放行条件' },
    load: () => import('./commands/gateCheck.ts'),
  },
  {
    name: 'alert test',
    summary: { en: 'send one message to every receiver of alerts', zh: '向每个告警接收方发送测试消息' },
    load: () => import('./commands/alertTest.ts'),
  },
  {
    name: 'store backup',
    summary: { en: 'write all that is remembered to a file', zh: '将全部数据备份到文件' },
    load: async () => ({ define: (await import('./commands/store.ts')).backup.define }),
  },
  {
    name: 'store restore',
    summary: { en: 'put a backup into a store, whole or not at all', zh: '将备份恢复到存储：要么全部，要么不变' },
    load: async () => ({ define: (await import('./commands/store.ts')).restore.define }),
  },
  {
    name: 'store retention',
    summary: { en: 'take away what sensors saw long ago', zh: '删除过期的观测数据' },
    load: async () => ({ define: (await import('./commands/store.ts')).retention.define }),
  },
  {
    name: 'drift',
    summary: { en: 'compare what the kernels enforce with what was confirmed', zh: '比较内核生效规则与已确认的意图' },
    load: () => import('./commands/drift.ts'),
  },
  {
    name: 'status',
    summary: { en: 'show the generation that each host holds', zh: '显示每台主机的当前代次' },
    load: () => import('./commands/status.ts'),
  },
  {
    name: 'verify',
    summary: { en: 'compare what the kernels enforce with what the policy means', zh: '比较内核生效规则与策略的含义' },
    load: () => import('./commands/verify.ts'),
  },
  {
    name: 'why',
    summary: { en: 'say why a connection gets in or not, by the policy and by the rules of the host', zh: '说明某个连接为何能或不能进入：依据策略与主机规则' },
    load: () => import('./commands/why.ts'),
  },
  {
    name: 'packet',
    summary: { en: 'say what rules do to a packet, and which rules', zh: '说明规则对某个报文的结果及其经过的规则' },
    isOffline: true,
    load: () => import('./commands/packet.ts'),
  },
  {
    name: 'compare',
    summary: { en: 'say whether two rulesets do the same to every packet', zh: '判断两份规则集对每个报文的结果是否相同' },
    isOffline: true,
    load: () => import('./commands/compare.ts'),
  },
  {
    name: 'accepts',
    summary: { en: 'list all that rules accept', zh: '列出规则放行的全部流量' },
    isOffline: true,
    load: () => import('./commands/accepts.ts'),
  },
  {
    name: 'completion',
    summary: { en: 'print a completion script for bash, zsh or fish', zh: '输出 bash、zsh 或 fish 的补全脚本' },
    load: () => import('./commands/completion.ts'),
  },
  {
    name: 'version',
    summary: { en: 'print the versions of Portcullis and what it runs on', zh: '输出 Portcullis 及运行环境的版本' },
    load: () => import('./commands/version.ts'),
  },
]

/** One entry for each format of `adapters/import/formats.ts`, which is loaded only when it is called. */
function importEntries(): CommandEntry[] {
  const titles: Readonly<Record<string, Text>> = {
    nmap: { en: 'Nmap XML (nmap -oX)', zh: 'Nmap XML（nmap -oX）' },
    nessus: { en: 'Nessus v2 (.nessus)', zh: 'Nessus v2（.nessus）' },
    openvas: { en: 'OpenVAS / Greenbone XML report', zh: 'OpenVAS / Greenbone XML 报告' },
    portcullis: { en: 'scan results of Portcullis (portcullis scan --json)', zh: 'Portcullis 扫描结果（portcullis scan --json）' },
    masscan: { en: 'masscan JSON (masscan -oJ)', zh: 'masscan JSON（masscan -oJ）' },
    nfdump: { en: 'nfdump JSON (nfdump -o json)', zh: 'nfdump JSON（nfdump -o json）' },
    ulogd: { en: 'ulogd2 JSON: NFLOG packets, NFCT flows', zh: 'ulogd2 JSON：NFLOG 报文与 NFCT 流' },
    suricata: { en: 'Suricata eve.json', zh: 'Suricata eve.json' },
    zeek: { en: 'Zeek conn.log (TSV, JSON)', zh: 'Zeek conn.log（TSV、JSON）' },
    'vpcflow-aws': { en: 'AWS VPC flow log, versions 2 to 5', zh: 'AWS VPC 流日志（版本 2–5）' },
    'vpcflow-aliyun': { en: 'Alibaba Cloud VPC flow log', zh: '阿里云 VPC 流日志' },
    'vpcflow-tencent': { en: 'Tencent Cloud VPC flow log', zh: '腾讯云 VPC 流日志' },
    netbox: { en: 'NetBox services (CSV, JSON)', zh: 'NetBox 服务（CSV、JSON）' },
  }
  return Object.entries(titles).map(([name, summary]) => ({ name: `import ${name}`, summary, load: () => import('./commands/importFile.ts') }))
}

/** Groups of commands, with what they are about. */
export const GROUPS: Readonly<Record<string, Text>> = {
  alert: { en: 'who is told of what happens', zh: '告警接收方' },
  gate: { en: 'what a rollout watches', zh: '发布的放行条件' },
  host: { en: 'the script on managed hosts', zh: '被管主机上的脚本' },
  import: { en: 'take over what exists', zh: '导入已有数据' },
  matrix: { en: 'the port matrix: each endpoint, who can reach it, who used it', zh: '端口状态矩阵：端点、可达来源、使用情况' },
  policy: { en: 'the policy file', zh: '策略文件' },
  plan: { en: 'show what would close and open, and seal it as a change plan', zh: '列出将关闭与放行的端口，并封存为变更计划' },
  store: { en: 'what Portcullis remembers, as a whole', zh: '全部已存数据' },
  rollout: { en: 'changes in waves, watched, put back by themselves', zh: '分批发布，观察，自动回退' },
}
