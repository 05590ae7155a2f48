import { deflateRawSync, inflateRawSync } from 'node:zlib'
import { SILENT } from './answer.ts'

/** What each port told, one byte a port (answer.ts), packed for a state file. */
export const packCells = (cells: Uint8Array): string => deflateRawSync(cells).toString('base64')

/** Undefined when it is not the packing of exactly `size` known values. */
export function unpackCells(text: string, size: number): Uint8Array | undefined {
  try {
    const cells = inflateRawSync(Buffer.from(text, 'base64'), { maxOutputLength: size })
    return cells.length === size && cells.every((cell) => cell <= SILENT) ? new Uint8Array(cells) : undefined
  } catch {
    return undefined
  }
}
