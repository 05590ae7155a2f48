import type { ScanResult } from '@portcullis/adapters/prober/scanResult.ts'
import type { ResumeState, ScanSpec } from '@portcullis/adapters/prober/scanSpec.ts'
import { fail, succeed, type Fault, type Result } from '@portcullis/core/fault/fault.ts'
import { Option } from 'commander'
import { outJson, reportFaults } from '../cli.ts'
import { examples, wholeNumber, type CommandModule } from '../command.ts'
import { EXIT, type ExitCode } from '../exitCode.ts'
import { showScan, startScanProgress } from '../show/scan.ts'

interface ScanValues {
  readonly ports: string
  readonly udp?: string
  readonly rate?: number
  readonly hostRate?: number
  readonly method: 'auto' | 'syn' | 'connect'
  readonly list: NonNullable<ScanSpec['list']>
  readonly identify: boolean
  readonly udpSeconds: number
  readonly resume?: string
}

const RATE_MAX = 10_000_000

export const define: CommandModule['define'] = (command, { text, run }) => {
  command
    .argument('<target...>', text({ en: 'addresses (link-local: fe80::1%eth0), prefixes (10.0.0.0/24), ranges (10.0.0.1-9)', zh: '地址（链路本地：fe80::1%eth0）、网段（10.0.0.0/24）、范围（10.0.0.1-9）' }))
    .addOption(new Option('--ports <list>', text({ en: 'TCP ports; "" for none', zh: 'TCP 端口；"" 表示不扫描' })).default('1-65535'))
    .addOption(new Option('--udp <list>', text({ en: 'UDP ports, each asked in its usual protocol', zh: 'UDP 端口，按其常用协议询问' })))
    .addOption(new Option('--rate <n>', text({ en: 'packets a second at most; without it 200000, and more while all of them are answered', zh: '每秒最多发包数；默认 200000，若全部得到应答则可更快' })).argParser(wholeNumber(1, RATE_MAX)))
    .addOption(new Option('--host-rate <n>', text({ en: 'packets a second at most to one target', zh: '对单个目标每秒最多发包数' })).argParser(wholeNumber(1, RATE_MAX)))
    .addOption(new Option('--method <how>', text({ en: 'raw SYN frames where root, else connections', zh: '有 root 权限时用原始 SYN 帧，否则用普通连接' })).choices(['auto', 'syn', 'connect']).default('auto'))
    .addOption(new Option('--list <state...>', text({ en: 'states to list one by one', zh: '逐一列出的状态' })).choices(['open', 'closed', 'filtered', 'open|filtered', 'unknown']).default(['open', 'open|filtered']))
    .addOption(new Option('--identify', text({ en: 'ask each open port what it is, by handshakes, whatever its number', zh: '通过握手识别每个开放端口，与端口号无关' })).default(false))
    .addOption(new Option('--udp-seconds <n>', text({ en: 'patience with targets that limit their ICMP errors', zh: '目标限制 ICMP 差错速率时的等待秒数' })).default(30).argParser(wholeNumber(1, 3600)))
    .addOption(new Option('--resume <file>', text({ en: 'go on from the --json result of an interrupted scan', zh: '从被中断扫描的 --json 结果继续' })))
  examples(command, text, [
    ['portcullis scan 192.0.2.7', { en: 'every TCP port of one host', zh: '一台主机的全部 TCP 端口' }],
    ['portcullis scan 10.0.0.0/24 --ports 1-1024 --udp 53,123,161 --identify', { en: 'a network, with names', zh: '一个网段，并识别服务' }],
    ['portcullis scan fe80::1%eth0 --ports 22,443', { en: 'a neighbour without a global address', zh: '没有全局地址的邻居' }],
    ['portcullis scan 10.0.0.0/16 --rate 20000 --json > scan.json', { en: 'gently, for a program', zh: '低速扫描，供程序使用' }],
    ['portcullis scan 10.0.0.0/24 --identify --json > scan.json && portcullis import scan.json --from office', { en: 'into the port matrix, as seen from there', zh: '导入端口矩阵，视为从该处所见' }],
    ['portcullis scan 10.0.0.0/16 --rate 20000 --resume scan.json --json > rest.json', { en: 'after Ctrl-C: what was left', zh: 'Ctrl-C 之后：继续未完成的部分' }],
  ])
  run(async (cli, options, targets) => {
    const values = options as unknown as ScanValues
    const resume = values.resume === undefined ? succeed(undefined) : await readResume(values.resume)
    if (!resume.ok) return refuse(cli, resume.faults)
    const { scan } = await import('@portcullis/adapters/prober/scan.ts')
    const progress = startScanProgress(cli)
    const scanned = await scan({ ...specOf(targets, values, resume.value), rest: cli.isJson }, { signal: cli.signal, onProgress: progress.report })
    progress.end()
    if (!scanned.ok) return refuse(cli, scanned.faults)
    if (cli.isJson) outJson(cli, { format: 'portcullis-scan', version: 1, at: new Date(cli.now()).toISOString(), ...scanned.value })
    else cli.out(showScan(cli, scanned.value))
    return exitCodeOf(scanned.value)
  })
}

function refuse(cli: Parameters<typeof reportFaults>[0], faults: readonly Fault[]): ExitCode {
  reportFaults(cli, faults)
  return EXIT.usage
}

const specOf = (targets: readonly string[], values: ScanValues, resume: ResumeState | undefined): ScanSpec => ({
  targets: [...targets],
  ports: values.ports,
  udp: values.udp ?? '',
  ...(values.rate === undefined ? {} : { rate: values.rate }),
  ...(values.hostRate === undefined ? {} : { hostRate: values.hostRate }),
  method: values.method,
  list: values.list,
  identify: values.identify,
  udpSecondsMax: values.udpSeconds,
  ...(resume ? { resume } : {}),
})

/** An unknown port is no answer, even when the scan ran to its end. */
function exitCodeOf({ counts, isComplete }: ScanResult): ExitCode {
  if (!isComplete) return EXIT.interrupted
  return counts.tcp.unknown + counts.udp.unknown > 0 ? EXIT.incomplete : EXIT.ok
}

const STATE_BYTES_MAX = 256 * 1024 * 1024

/** What is in the state is checked with the spec. */
async function readResume(file: string): Promise<Result<ResumeState>> {
  const { readFile, stat } = await import('node:fs/promises')
  let text: string
  try {
    if ((await stat(file)).size > STATE_BYTES_MAX) return fail(noState(file))
    text = await readFile(file, 'utf8')
  } catch (error) {
    return fail(unreadable(file, error instanceof Error ? error.message : String(error)))
  }
  if (text.trim() === '') return fail(emptyState(file))
  try {
    const { resume, isComplete } = JSON.parse(text) as { resume?: ResumeState; isComplete?: boolean }
    return resume ? succeed(resume) : fail(isComplete === true ? completeState(file) : noState(file))
  } catch {
    return fail(noState(file))
  }
}

const unreadable = (file: string, because: string): Fault => ({
  code: 'SCAN_STATE_UNREADABLE',
  what: { en: `${file} cannot be read: ${because}`, zh: `无法读取 ${file}：${because}` },
})

const noState = (file: string): Fault => ({
  code: 'SCAN_NO_STATE',
  what: { en: `${file} is not the --json result of an interrupted scan`, zh: `${file} 不是被中断扫描的 --json 结果` },
})

/** The shell empties a file that output goes to before the command starts. */
const emptyState = (file: string): Fault => ({
  code: 'SCAN_NO_STATE',
  what: { en: `${file} is empty`, zh: `${file} 是空文件` },
  next: { en: 'write the new result to another file than the one to go on from', zh: '请将新结果写入另一个文件，不要写入续扫所用的文件' },
})

const completeState = (file: string): Fault => ({
  code: 'SCAN_COMPLETE',
  what: { en: `the scan in ${file} is complete: nothing is left to do`, zh: `${file} 中的扫描已完成，无需继续` },
})
