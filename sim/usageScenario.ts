import { businessDaysToMonthEnd, isBusinessDay, monthEndOf, PLAIN_CALENDAR, quarterEndOf, type BusinessCalendar, type Day } from '@portcullis/core/inventory/businessCalendar.ts'
import type { TransportProtocol } from '@portcullis/core/net/protocol.ts'
import { atHour, between, type Dice, type SimListener, type SimUse } from './usageWorld.ts'

/** What happens on one host, and what is true of it: known to the one who made it up, not to the one who judges. */
export interface UsageScenario {
  readonly name: string
  readonly build: (setting: Setting) => Story
}

export interface Setting {
  readonly dice: Dice
  readonly firstDay: Day
  readonly days: number
  /** When the business works, whether or not the judge is told. */
  readonly calendar: BusinessCalendar
}

export interface Story {
  readonly listeners: readonly SimListener[]
  readonly uses: readonly SimUse[]
  readonly truths: readonly Truth[]
  readonly zones?: Readonly<Record<string, string>>
  readonly restarts?: ReadonlySet<Day>
  readonly profiles?: readonly ('finance' | 'shop' | 'medical')[]
}

export interface Truth {
  readonly protocol: TransportProtocol
  /** Any port of the endpoint: a group of ports counts once. */
  readonly port: number
  readonly truth: 'needed' | 'dead'
  /** Sources that come after the watch is over. */
  readonly tomorrow: readonly string[]
}

const needed = (protocol: TransportProtocol, port: number, ...tomorrow: readonly string[]): Truth => ({ protocol, port, truth: 'needed', tomorrow })
const dead = (protocol: TransportProtocol, port: number): Truth => ({ protocol, port, truth: 'dead', tomorrow: [] })
const listener = (protocol: TransportProtocol, port: number, process: string, more: Partial<SimListener> = {}): SimListener => ({ protocol, port, process, ...more })

/** Uses on the days that fit, each missing with the share `missing`. */
function useOn({ dice, firstDay, days }: Setting, fits: (day: Day) => boolean, use: Omit<SimUse, 'at' | 'connections'>, hour = 10, missing = 0): SimUse[] {
  return Array.from({ length: days }, (_, index) => firstDay + index)
    .filter((day) => fits(day) && dice() >= missing)
    .map((day) => ({ ...use, at: atHour(day, hour + dice() * 2), connections: between(dice, 1, 20) }))
}

const always = (): boolean => true
const hostOf = (network: string, number: number): string => `${network}.${number}`

const some = (dice: Dice, least: number, most: number, network: string): string[] => {
  const first = between(dice, 2, 200)
  return Array.from({ length: between(dice, least, most) }, (_, index) => hostOf(network, first + index))
}

const ordinary: UsageScenario = {
  name: 'ordinary services',
  build: (setting) => {
    const { dice, calendar } = setting
    const kinds: readonly [number, string, (day: Day) => boolean][] = [
      [443, 'nginx', always],
      [5432, 'postgres', always],
      [9100, 'node_exporter', always],
      [8080, 'java', (day) => isBusinessDay(calendar, day)],
      [6379, 'redis-server', always],
      [8443, 'tomcat', (day) => isBusinessDay(calendar, day)],
      [9092, 'kafka', always],
      [25, 'master', always],
    ]
    const sources = some(dice, 1, 5, '10.1.4')
    return {
      listeners: kinds.map(([port, process]) => listener('tcp', port, process)),
      uses: kinds.flatMap(([port, , fits]) => sources.flatMap((source) => useOn(setting, fits, { source, protocol: 'tcp', port }, 9, 0.05))),
      truths: kinds.map(([port]) => needed('tcp', port, ...sources)),
    }
  },
}

const monthEndSftp: UsageScenario = {
  name: 'month-end SFTP',
  build: (setting) => {
    const { dice, calendar } = setting
    const phase = between(dice, 0, 2)
    const runs = (day: Day): boolean => isBusinessDay(calendar, day) && businessDaysToMonthEnd(calendar, day) === phase && day <= monthEndOf(day) && monthEndOf(day) - day < 12
    return {
      listeners: [listener('tcp', 2022, 'sftpgo')],
      uses: useOn(setting, runs, { source: '10.7.0.12', protocol: 'tcp', port: 2022 }, 3),
      truths: [needed('tcp', 2022, '10.7.0.12')],
    }
  },
}

const quarterly: UsageScenario = {
  name: 'quarterly job',
  build: (setting) => {
    const { dice } = setting
    const isClosing = dice() < 0.85
    // Some do it in the closing of the quarter; the others anywhere in it, and they move files.
    const phase = isClosing ? between(dice, -5, 14) : between(dice, -40, 40)
    const length = between(dice, 1, 6)
    const port = isClosing ? 7443 : 873
    const runs = (day: Day): boolean => [quarterEndOf(day - 50), quarterEndOf(day), quarterEndOf(day + 50)].some((end) => day >= end + phase && day < end + phase + length)
    return {
      listeners: [listener('tcp', port, isClosing ? 'taxreport' : 'rsync')],
      uses: useOn(setting, runs, { source: '10.7.0.30', protocol: 'tcp', port }, 22),
      truths: [needed('tcp', port, '10.7.0.30')],
    }
  },
}

const tags: UsageScenario = {
  name: 'UDP tags, silent at night',
  build: (setting) => {
    const anchors = some(setting.dice, 3, 12, '10.8.1')
    return {
      listeners: [listener('udp', 5145, 'rtls-engine')],
      uses: anchors.flatMap((source) => useOn(setting, always, { source, protocol: 'udp', port: 5145 }, 9, 0.1)),
      truths: [needed('udp', 5145, ...anchors)],
    }
  },
}

const tradingHours: UsageScenario = {
  name: 'feed in trading hours',
  build: (setting) => {
    const sources = some(setting.dice, 1, 3, '10.9.2')
    return {
      listeners: [listener('tcp', 5133, 'mdgateway')],
      uses: sources.flatMap((source) => useOn(setting, (day) => isBusinessDay(setting.calendar, day), { source, protocol: 'tcp', port: 5133 }, 9)),
      truths: [needed('tcp', 5133, ...sources)],
      profiles: ['finance'],
    }
  },
}

const backupMoved: UsageScenario = {
  name: 'backup host that changed address',
  build: (setting) => {
    const { dice, firstDay } = setting
    const moved = firstDay + Math.floor((setting.days * between(dice, 15, 75)) / 90)
    const every = dice() < 0.5 ? 1 : 7
    const weekday = between(dice, 0, 6)
    const runs = (day: Day): boolean => every === 1 || day % 7 === weekday
    return {
      listeners: [listener('tcp', 9102, 'bacula-fd')],
      uses: [
        ...useOn(setting, (day) => runs(day) && day < moved, { source: '10.5.0.10', protocol: 'tcp', port: 9102 }, 2),
        ...useOn(setting, (day) => runs(day) && day >= moved, { source: '10.5.3.77', protocol: 'tcp', port: 9102 }, 2),
      ],
      truths: [needed('tcp', 9102, '10.5.3.77')],
    }
  },
}

const decommissioned: UsageScenario = {
  name: 'decommissioned service',
  build: (setting) => {
    const { dice, firstDay, calendar } = setting
    const ended = firstDay + Math.ceil((setting.days * between(dice, 5, 50)) / 90)
    const isGone = dice() < 0.4
    const sources = some(dice, 1, 4, '10.1.6')
    const isDaily = dice() < 0.5
    return {
      listeners: [listener('tcp', 8161, 'activemq', isGone ? { until: ended + 2 } : {})],
      uses: sources.flatMap((source) => useOn(setting, (day) => day < ended && (isDaily || isBusinessDay(calendar, day)), { source, protocol: 'tcp', port: 8161 })),
      truths: [dead('tcp', 8161)],
    }
  },
}

const forgotten: UsageScenario = {
  name: 'listeners that nobody uses',
  build: ({ dice }) => {
    const candidates: readonly [TransportProtocol, number, string][] = [['tcp', 631, 'cupsd'], ['udp', 5353, 'avahi-daemon'], ['tcp', 8009, 'jsvc'], ['tcp', 11_211, 'memcached']]
    const chosen = candidates.slice(0, between(dice, 1, 3))
    return { listeners: chosen.map(([protocol, port, process]) => listener(protocol, port, process)), uses: [], truths: chosen.map(([protocol, port]) => dead(protocol, port)) }
  },
}

const scanned: UsageScenario = {
  name: 'scanner noise',
  build: (setting) => {
    const { dice, firstDay } = setting
    const every = between(dice, 1, 14)
    const ports = Array.from({ length: 40 }, (_, index) => 1 + index * between(dice, 20, 25) + index)
    const scans = (day: Day): boolean => (day - firstDay) % every === 0
    const scanner = '10.99.0.5'
    return {
      listeners: [listener('tcp', 111, 'rpcbind'), listener('tcp', 8089, 'splunkd')],
      uses: [...new Set([...ports, 111, 8089])].flatMap((port) => useOn(setting, scans, { source: scanner, protocol: 'tcp', port }, 4)),
      truths: [dead('tcp', 111), dead('tcp', 8089)],
    }
  },
}

const dhcpClients: UsageScenario = {
  name: 'DHCP clients',
  build: (setting) => {
    const { dice, firstDay, calendar } = setting
    const size = between(dice, 6, 25)
    const addressOn = (client: number, day: Day): string => hostOf('10.30.7', 20 + ((client * 7 + Math.floor((day - firstDay) / 8) * 31 + client * client) % 200))
    const clients = Array.from({ length: size }, (_, index) => index)
    const uses = clients.flatMap((client) => useOn(setting, (day) => isBusinessDay(calendar, day), { source: '', protocol: 'tcp', port: 445 }, 9, 0.2).map((use) => ({ ...use, source: addressOn(client, Math.floor(use.at / 86_400_000)) })))
    const after = clients.map((client) => addressOn(client, firstDay + setting.days + 9))
    return {
      listeners: [listener('tcp', 445, 'smbd')],
      uses,
      truths: [needed('tcp', 445, ...after)],
      ...(dice() < 0.7 ? { zones: { office: '10.30.7.0/24' } } : {}),
    }
  },
}

const ftpPassive: UsageScenario = {
  name: 'FTP passive range',
  build: (setting) => {
    const { dice } = setting
    const width = between(dice, 20, 100)
    const sources = some(dice, 1, 3, '10.4.4')
    const control = sources.flatMap((source) => useOn(setting, always, { source, protocol: 'tcp', port: 21 }, 8))
    const data = control.flatMap((use) => Array.from({ length: between(dice, 2, 8) }, () => ({ ...use, port: 40_000 + between(dice, 0, width - 1), connections: 1 })))
    return { listeners: [listener('tcp', 21, 'vsftpd')], uses: [...control, ...data], truths: [needed('tcp', 21, ...sources), needed('tcp', data[0]?.port ?? 40_000, ...sources)] }
  },
}

const rpcDynamic: UsageScenario = {
  name: 'NFS and RPC dynamic ports',
  build: (setting) => {
    const { dice, firstDay, days } = setting
    const sources = some(dice, 2, 5, '10.1.9')
    const starts = [firstDay, firstDay + Math.floor((days * between(dice, 20, 40)) / 90), firstDay + Math.floor((days * between(dice, 50, 80)) / 90)]
    const ports = starts.map(() => between(dice, 32_768, 60_999))
    const mounts = ports.map((port, index) => listener('tcp', port, 'rpc.mountd', { isEphemeral: true, from: starts[index] ?? firstDay, until: (starts[index + 1] ?? firstDay + days + 1) - 1 }))
    const portOn = (day: Day): number => ports[starts.findLastIndex((start) => start <= day)] ?? 0
    return {
      listeners: [listener('tcp', 2049, 'nfsd'), ...mounts],
      uses: sources.flatMap((source) => [
        ...useOn(setting, always, { source, protocol: 'tcp', port: 2049 }),
        ...useOn(setting, always, { source, protocol: 'tcp', port: 0 }, 10, 0.4).map((use) => ({ ...use, port: portOn(Math.floor(use.at / 86_400_000)) })),
      ]),
      truths: [needed('tcp', 2049, ...sources), needed('tcp', ports.at(-1) ?? 0, ...sources)],
      restarts: new Set(starts.slice(1)),
    }
  },
}

const multicast: UsageScenario = {
  name: 'multicast',
  build: (setting) => {
    const senders = some(setting.dice, 1, 3, '10.9.5')
    return {
      listeners: [listener('udp', 14_310, 'quote-receiver')],
      uses: senders.flatMap((source) => useOn(setting, (day) => isBusinessDay(setting.calendar, day), { source, protocol: 'udp', port: 14_310 }, 9)),
      truths: [needed('udp', 14_310, ...senders)],
    }
  },
}

export const USAGE_SCENARIOS: readonly UsageScenario[] = [ordinary, monthEndSftp, quarterly, tags, tradingHours, backupMoved, decommissioned, forgotten, scanned, dhcpClients, ftpPassive, rpcDynamic, multicast]

/** A week of public holidays somewhere in the span, which the judge may or may not be told. */
export function calendarOf(dice: Dice, firstDay: Day, days: number): BusinessCalendar {
  const start = firstDay + between(dice, 1, days - 1)
  return { ...PLAIN_CALENDAR, holidays: new Set(Array.from({ length: between(dice, 3, 8) }, (_, index) => start + index)) }
}
