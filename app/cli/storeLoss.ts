import { describeFault, type Fault, type Text } from '@portcullis/core/fault/fault.ts'
import type { JournalEntry } from '@portcullis/engine/store.ts'
import { randomUUID } from 'node:crypto'
import { reportWarnings, say, type Cli } from './cli.ts'

/**
 * Says that the store is away while a rollout is carried on, again each minute, and that it is there again: on a terminal
 * among the lines of the page, with `--json` as lines of `schemas/event.schema.json`.
 */
export class StoreLoss {
  readonly #cli: Cli
  readonly #run = randomUUID()
  #sequence = 0
  #lost: { readonly fault: Fault; readonly toldAt: number } | undefined

  constructor(cli: Cli) {
    this.#cli = cli
  }

  lost(fault: Fault): void {
    const now = this.#cli.now()
    if (!fault.code.startsWith('STORE_')) return
    if (this.#lost?.fault.code === fault.code && Math.abs(now - this.#lost.toldAt) < TOLD_AGAIN_MS) return
    this.#lost = { fault: { ...fault, next: WAITS }, toldAt: now }
    if (this.#cli.isJson) this.#event({ fault: this.#lost.fault })
    else if (!this.#cli.isTerminal) reportWarnings(this.#cli, [this.#lost.fault])
  }

  /** For a page that shows how things stand; none while the store is there. */
  lines(): readonly string[] {
    return this.#lost ? describeFault(this.#lost.fault, this.#cli.language).split('\n') : []
  }

  /** Something was written. */
  back(): void {
    if (this.#lost === undefined) return
    this.#lost = undefined
    if (this.#cli.isJson) return this.#event({})
    if (!this.#cli.isTerminal) this.#cli.err(`${say(this.#cli, { en: 'The store is there again; the rollout goes on.', zh: '存储已恢复，发布继续。' })}\n`)
  }

  #event(what: Pick<JournalEntry, 'fault'>): void {
    this.#sequence += 1
    this.#cli.err(`${JSON.stringify({ sequence: this.#sequence, run: this.#run, at: this.#cli.now(), kind: 'signal', name: 'store', ...what })}\n`)
  }
}

const TOLD_AGAIN_MS = 60_000

const WAITS: Text = {
  en: 'the rollout waits and tries again each second: nothing is changed and no gate is watched; Ctrl-C leaves it to portcullis rollout resume',
  zh: '发布等待中，每秒重试：不再变更，也不观察放行条件；可按 Ctrl-C 退出，稍后运行 portcullis rollout resume',
}
