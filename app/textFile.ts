import { fail, succeed, type Fault, type Result, type Text } from '@portcullis/core/fault/fault.ts'
import { constants, createReadStream, openSync } from 'node:fs'
import { readFile, realpath, rename, rm, stat, writeFile } from 'node:fs/promises'
import { Socket } from 'node:net'
import { addAbortSignal, type Readable } from 'node:stream'

/** Larger files are not read to their end only to be refused. */
const FILE_BYTES_MAX = 64 * 1024 * 1024

/** The name that stands for standard input. */
export const STDIN = '-'

/** Reads a file whole, at most 64 MiB, or standard input for `-`. Faults: FILE_MISSING, FILE_UNREADABLE. `ifMissing` says what to do then. */
export async function readTextFile(file: string, ifMissing?: Text): Promise<Result<string>> {
  try {
    if (file === STDIN) return await readStdin()
    if ((await stat(file)).size > FILE_BYTES_MAX) return fail(unreadable(file, TOO_LARGE))
    return succeed(await readFile(file, 'utf8'))
  } catch (error) {
    return fail(fileFault(file, error, ifMissing))
  }
}

/** Whole or not at all, and only where nobody has changed the file since it was read. Faults: FILE_CHANGED, FILE_UNWRITABLE. */
export async function replaceTextFile(file: string, before: string, text: string): Promise<Result<void>> {
  const target = await realpath(file).catch(() => file)
  const beside = `${target}.${process.pid}.tmp`
  try {
    if ((await readFile(target, 'utf8')) !== before) return fail(changed(file))
    const { mode } = await stat(target)
    await writeFile(beside, text, { mode, flag: 'wx', flush: true })
    await rename(beside, target)
    return succeed(undefined)
  } catch (error) {
    await rm(beside, { force: true })
    return fail(unwritable(file, error))
  }
}

/** Faults: FILE_UNWRITABLE. */
export async function writeTextFile(file: string, text: string): Promise<Result<void>> {
  try {
    await writeFile(file, text)
    return succeed(undefined)
  } catch (error) {
    return fail(unwritable(file, error))
  }
}

function unwritable(file: string, error: unknown): Fault {
  const because = reasonOf(error)
  return { code: 'FILE_UNWRITABLE', what: { en: `${file} cannot be written: ${because.en}`, zh: `无法写入 ${file}：${because.zh}` } }
}

const changed = (file: string): Fault => ({
  code: 'FILE_CHANGED',
  what: { en: `${file} has changed since it was read`, zh: `${file} 在读取之后已被修改` },
  next: { en: 'run it again', zh: '请重新运行' },
})

/** A file, or standard input for `-`, as it comes; no more is read than is taken. Throws what {@link fileFault} reads, and an AbortError once the signal is given. */
export async function* streamTextFile(file: string, signal?: AbortSignal): AsyncGenerator<string, void, undefined> {
  const stream = file === STDIN ? process.stdin : await openStream(file)
  if (signal) addAbortSignal(signal, stream)
  yield* stream.setEncoding('utf8') as AsyncIterable<string>
}

/** A thread that reads from a pipe in which nothing comes cannot be called back, and would keep the process from ending: a pipe is waited for instead. */
async function openStream(file: string): Promise<Readable> {
  if (!(await stat(file)).isFIFO()) return createReadStream(file, { highWaterMark: CHUNK_BYTES })
  return new Socket({ fd: openSync(file, constants.O_RDONLY | constants.O_NONBLOCK), readable: true, writable: false })
}

/** Larger chunks are no faster; what is held of one at each collection makes the young generation grow (V8), and with it the memory of the process. */
const CHUNK_BYTES = 16 * 1024

export function fileFault(file: string, error: unknown, ifMissing?: Text): Fault {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') return unreadable(file, reasonOf(error))
  return {
    code: 'FILE_MISSING',
    what: { en: `there is no file ${file}`, zh: `文件 ${file} 不存在` },
    ...(ifMissing ? { next: ifMissing } : {}),
  }
}

const REASONS: Readonly<Record<string, Text>> = {
  EACCES: { en: 'no permission', zh: '没有权限' },
  EISDIR: { en: 'it is a folder', zh: '是一个目录' },
  ENOENT: { en: 'there is no such folder', zh: '目录不存在' },
  ENOSPC: { en: 'the disk is full', zh: '磁盘已满' },
  EROFS: { en: 'the disk is read-only', zh: '磁盘为只读' },
}

/** What the system said; what is no word of the system is thrown on. */
function reasonOf(error: unknown): Text {
  const { code } = error as NodeJS.ErrnoException
  if (code === undefined) throw error
  return REASONS[code] ?? { en: code, zh: code }
}

async function readStdin(): Promise<Result<string>> {
  let text = ''
  for await (const chunk of streamTextFile(STDIN)) {
    text += chunk
    if (text.length > FILE_BYTES_MAX) return fail(unreadable(STDIN, TOO_LARGE))
  }
  return succeed(text)
}

const TOO_LARGE: Text = { en: 'larger than 64 MiB', zh: '超过 64 MiB' }

const unreadable = (file: string, because: Text): Fault => ({
  code: 'FILE_UNREADABLE',
  what: { en: `${file} cannot be read: ${because.en}`, zh: `无法读取 ${file}：${because.zh}` },
})
