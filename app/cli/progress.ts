import type { Text } from '@portcullis/core/fault/fault.ts'
import type { JournalEntry } from '@portcullis/engine/store.ts'
import { say, type Cli } from './cli.ts'

export interface Progress {
  readonly report: (entry: JournalEntry) => void
  /** Takes the live line away before the result is printed. */
  end(): void
}

/**
 * Progress on stderr. With `--json` each journal entry is one line of JSON, written once the entry is durable and before
 * the action it announces is done. On a terminal one line tells how far it is; elsewhere each host gets a line when a
 * step ends it.
 */
export function startProgress(cli: Cli, isTerminal: boolean, hosts: number): Progress {
  if (cli.isJson) return { report: (entry) => cli.err(`${JSON.stringify(entry)}\n`), end: () => undefined }
  return isTerminal ? liveLine(cli, hosts) : hostLines(cli)
}

/** Erase in line (ECMA-48 section 8.3.41), after going back to its start. */
const CLEAR_LINE = '\r\u001B[K'

function liveLine(cli: Cli, hosts: number): Progress {
  const at = new Map<string, string>()
  return {
    report: ({ host, name, kind }) => {
      if (host === undefined) return
      if (kind === 'action') at.set(host, name)
      else if (isLast(name)) at.delete(host)
      const working = [...at].map(([one, step]) => `${one} ${say(cli, STEP_NAMES[step] ?? { en: step, zh: step })}`)
      const line = `${hosts - at.size}/${hosts}  ${working.join(' · ')}`
      cli.err(CLEAR_LINE + cli.errPaint.dim(line.slice(0, cli.columns - 1)))
    },
    end: () => cli.err(CLEAR_LINE),
  }
}

function hostLines(cli: Cli): Progress {
  return {
    report: ({ host, name, kind, fault }) => {
      if (host === undefined || kind !== 'signal' || !(isLast(name) || fault)) return
      const step = say(cli, STEP_NAMES[name] ?? { en: name, zh: name })
      cli.err(`${host}: ${step}${fault ? ` ${cli.errPaint.red(`✗ ${fault.code}`)}` : ` ${cli.errPaint.green('✓')}`}\n`)
    },
    end: () => undefined,
  }
}

const isLast = (name: string): boolean => ['observe', 'confirm', 'revert', 'install'].includes(name)

export const STEP_NAMES: Readonly<Record<string, Text>> = {
  observe: { en: 'observe', zh: '观测' },
  install: { en: 'install', zh: '安装' },
  connect: { en: 'connect', zh: '连接' },
  version: { en: 'version', zh: '版本' },
  stage: { en: 'stage', zh: '暂存' },
  check: { en: 'check', zh: '检查' },
  arm: { en: 'arm revert', zh: '设置自动回退' },
  swap: { en: 'swap', zh: '切换' },
  verify: { en: 'verify read-back', zh: '回读验证' },
  probe: { en: 'probe', zh: '探测' },
  confirm: { en: 'confirm', zh: '确认' },
  revert: { en: 'revert', zh: '回退' },
  cut: { en: 'cut flows', zh: '切断流' },
  warn: { en: 'flows are going to be cut', zh: '即将切断流' },
}
