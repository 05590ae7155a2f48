import type { Text } from '../../fault/fault.ts'
import { containsPort, type PortRange } from '../../net/port.ts'
import type { TransportProtocol } from '../../net/protocol.ts'

export const PROFILES = ['finance', 'medical', 'shop', 'database', 'kubernetes'] as const
export type Profile = (typeof PROFILES)[number]

/** A use that comes rarely and hurts when it is closed: silence says less of it. */
export interface RareUse {
  readonly profile?: Profile
  readonly ports: readonly (readonly [TransportProtocol, PortRange])[]
  /** What listens, where its name tells more than a port. */
  readonly process?: RegExp
  readonly why: Text
}

const on = (protocol: TransportProtocol, first: number, last = first): readonly [TransportProtocol, PortRange] => [protocol, { first, last }]

// Ports: IANA registry, and the documented defaults of the products; the same as those of the catalogue of services.
const RARE_USES: readonly RareUse[] = [
  {
    ports: [on('tcp', 20, 22), on('tcp', 873), on('tcp', 990), on('tcp', 445), on('tcp', 2049)],
    process: /^(?:sshd|vsftpd|proftpd|pure-ftpd|rsync|smbd|sftpgo)/,
    why: { en: 'files are often moved here by month-end and quarter-end jobs', zh: '月末、季末作业常通过此类端口传输文件' },
  },
  {
    profile: 'finance',
    ports: [on('tcp', 5001, 5010), on('tcp', 9876, 9880), on('udp', 14_310, 14_320)],
    process: /fix|feed|market|quote|settle/i,
    why: { en: 'market data and settlement rest outside trading hours and on holidays', zh: '行情与结算在非交易时段和节假日静默' },
  },
  {
    profile: 'medical',
    ports: [on('tcp', 104), on('tcp', 11_112), on('tcp', 2762), on('tcp', 2575)],
    process: /dicom|orthanc|dcm|storescp|mirth/i,
    why: { en: 'modalities send DICOM and HL7 only when patients are examined, and after maintenance', zh: 'DICOM 与 HL7 仅在检查或设备维护后才有流量' },
  },
  {
    profile: 'shop',
    ports: [on('tcp', 2222), on('udp', 5140, 5160)],
    process: /pay|pos|rtls|reconcil/i,
    why: { en: 'payment, reconciliation and location tags rest at night and between settlements', zh: '支付、对账与定位标签在夜间和结算间隔静默' },
  },
  {
    profile: 'database',
    ports: [on('tcp', 5432), on('tcp', 3306), on('tcp', 1433), on('tcp', 1521), on('tcp', 27_017)],
    process: /^(?:postgres|mysqld|mariadbd|oracle|tnslsnr|mongod|sqlservr)/,
    why: { en: 'standby, restore and reporting connections to databases are rare', zh: '数据库的备机、恢复与报表连接很少出现' },
  },
  {
    profile: 'kubernetes',
    ports: [on('tcp', 10_250), on('tcp', 30_000, 32_767), on('udp', 30_000, 32_767), on('udp', 4789), on('tcp', 2379, 2380), on('tcp', 6443)],
    process: /^(?:kubelet|kube-proxy|etcd|k3s|containerd)/,
    why: { en: 'pods move: a node serves a port only while they run there', zh: 'Pod 会迁移：节点仅在其运行期间提供该端口' },
  },
]

/** Why silence says less of this endpoint, by what holds for every business and by the given profiles. */
export function rareUseOf(profiles: readonly Profile[], protocol: TransportProtocol, ports: PortRange, process: string | undefined): RareUse | undefined {
  return RARE_USES.find(
    (rare) =>
      (rare.profile === undefined || profiles.includes(rare.profile)) &&
      (rare.ports.some(([of, range]) => of === protocol && containsPort(range, ports.first)) || (process !== undefined && rare.process?.test(process) === true)),
  )
}
