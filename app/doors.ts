import { fail, type Fault } from '@portcullis/core/fault/fault.ts'
import type { Doors } from './cli/cli.ts'

/** The real doors. Each loads what it needs when it is first used. */
export const wiredDoors = (): Doors => ({
  openWorld: async (settings) => (await import('./wire.ts')).openWorld(settings),
  readPolicy: async (file) => {
    const text = await readText(file)
    return typeof text === 'string' ? (await import('./policyDoor.ts')).readPolicy(text, file) : fail(text)
  },
  policySchema: async () => (await import('@portcullis/adapters/policyfile/exportSchema.ts')).policySchemaText(),
  importAnsible: async (file) => {
    const text = await readText(file)
    return typeof text === 'string' ? (await import('./policyDoor.ts')).importAnsible(text, file) : fail(text)
  },
})

/** Larger files are not read to their end only to be refused. */
const FILE_BYTES_MAX = 64 * 1024 * 1024

async function readText(file: string): Promise<string | Fault> {
  const { readFile, stat } = await import('node:fs/promises')
  try {
    if ((await stat(file)).size > FILE_BYTES_MAX) return unreadable(file, 'larger than 64 MiB', '超过 64 MiB')
    return await readFile(file, 'utf8')
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error)
    return code === 'ENOENT' ? missing(file) : unreadable(file, code, code)
  }
}

const missing = (file: string): Fault => ({
  code: 'FILE_MISSING',
  what: { en: `there is no file ${file}`, zh: `文件 ${file} 不存在` },
  next: { en: 'name it with --policy, or begin with portcullis import ansible', zh: '请用 --policy 指定，或先运行 portcullis import ansible' },
})

const unreadable = (file: string, en: string, zh: string): Fault => ({
  code: 'FILE_UNREADABLE',
  what: { en: `${file} cannot be read: ${en}`, zh: `无法读取 ${file}：${zh}` },
})
