import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** `portcullis-host` as this version of Portcullis ships it. */
export interface PackagedScript {
  /** Of the file on the controller; hosts that share its file system run it from here. */
  readonly path: string
  readonly text: string
  /** SHA-256, lower-case hexadecimal. */
  readonly digest: string
  readonly version: string
}

/** Where `install` puts it, and where a link looks for it unless the transport says otherwise. */
export const SCRIPT_PATH = '/usr/local/sbin/portcullis-host'

export function readPackagedScript(): PackagedScript {
  const path = fileURLToPath(new URL('../../host/portcullis-host', import.meta.url))
  const text = readFileSync(path, 'utf8')
  const version = /^VERSION=([0-9.]+)$/m.exec(text)?.[1]
  if (version === undefined) throw new Error(`${path} states no VERSION`)
  return { path, text, digest: sha256(text), version }
}

export const readBootUnit = (): string => readFileSync(new URL('../../host/portcullis.service', import.meta.url), 'utf8')

export const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')
