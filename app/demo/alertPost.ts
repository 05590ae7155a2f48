import type { Lab } from '@portcullis/lab/start.ts'
import type { ReceivedAlert } from '@portcullis/lab/rollout/receiver.ts'
import { addressOf, hostNamed } from '@portcullis/lab/world.ts'
import { randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

/** Somebody on another machine who is told of what happens, over HTTP, and checks each signature. */
export interface AlertPost {
  /** For `--alerts`. */
  readonly alertsFile: string
  /** Everything that has come, in order. */
  received(): readonly ReceivedAlert[]
}

/** The name of the receiver in the file of alerts. */
export const RECEIVER = 'operations'

const PROGRAM = fileURLToPath(import.meta.resolve('@portcullis/lab/rollout/receiver.ts'))
const PORT = 9099

/** Starts the receiver on a host of the lab, and waits until it listens. */
export async function openAlertPost(lab: Lab, host: string): Promise<AlertPost> {
  const [file, secretFile, alertsFile] = ['alerts.log', 'alerts.secret', 'alerts.yaml'].map((name) => join(lab.directory, name)) as [string, string, string]
  const address = addressOf(hostNamed(lab.world, host), 4)
  writeFileSync(secretFile, `whsec_${randomBytes(24).toString('base64')}\n`, { mode: 0o600 })
  writeFileSync(alertsFile, `version: 1\nreceivers:\n  - {name: ${RECEIVER}, kind: webhook, url: "http://${address}:${PORT}/", secret: {file: ${secretFile}}}\n`)
  writeFileSync(file, '')
  lab.host(host).start('alerts', [process.execPath, PROGRAM, String(PORT), file, address, secretFile])
  for (let waitedMs = 0; readFileSync(file, 'utf8') === ''; waitedMs += POLL_MS) {
    if (waitedMs >= START_MS_MAX || lab.host(host).hasEnded('alerts')) throw new Error(`the receiver of alerts does not start: ${lab.host(host).readLog('alerts')}`)
    await sleep(POLL_MS)
  }
  const received = (): ReceivedAlert[] => readFileSync(file, 'utf8').split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as ReceivedAlert)
  return { alertsFile, received }
}

const POLL_MS = 50
const START_MS_MAX = 60_000
