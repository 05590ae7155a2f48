import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { streamTextFile } from './textFile.ts'

const folder = mkdtempSync(join(tmpdir(), 'text-file-'))
afterAll(() => rmSync(folder, { recursive: true }))

test('a pipe is read as it comes, and left at once when the signal is given, though nobody ends it', async () => {
  const pipe = join(folder, 'pipe')
  execFileSync('mkfifo', [pipe])
  const stop = new AbortController()
  const chunks = streamTextFile(pipe, stop.signal)
  const first = chunks.next()
  const writer = await open(pipe, 'w')
  await writer.write('one')
  expect((await first).value).toBe('one')
  const second = chunks.next()
  stop.abort()
  await expect(second).rejects.toThrow('aborted')
  await writer.close()
})

test('a pipe ends with its writer', async () => {
  const pipe = join(folder, 'ended')
  execFileSync('mkfifo', [pipe])
  const read = whole(streamTextFile(pipe))
  const writer = await open(pipe, 'w')
  await writer.write('two')
  await writer.close()
  expect(await read).toBe('two')
})

test('a file is read whole', async () => {
  const file = join(folder, 'file')
  writeFileSync(file, '端口'.repeat(100_000))
  expect(await whole(streamTextFile(file))).toBe('端口'.repeat(100_000))
})

async function whole(chunks: AsyncIterable<string>): Promise<string> {
  let text = ''
  for await (const chunk of chunks) text += chunk
  return text
}
