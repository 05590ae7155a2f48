import { fail, succeed, type Fault, type Result } from '@portcullis/core/fault/fault.ts'
import type { ZodType } from 'zod'
import type { Section } from './section.ts'

/** Reads a section that a tool wrote as JSON. Fault FACTS_SECTION: not JSON, or not of that tool's shape, with the place. */
export function readJson<T>(section: Section, source: string, shape: ZodType<T>): Result<T> {
  let value: unknown
  try {
    value = JSON.parse(section.text)
  } catch (error) {
    const offset = Number(/position ([0-9]+)/.exec(String(error))?.[1] ?? 0)
    return fail(badSection(section, source, offset, 'it is not JSON', '不是 JSON'))
  }
  const read = shape.safeParse(value)
  if (read.success) return succeed(read.data)
  const [issue] = read.error.issues
  const pointer = `/${issue?.path.map(String).join('/') ?? ''}`.slice(0, 120)
  return fail(badSection(section, source, 0, `${pointer}: ${issue?.message ?? ''}`, `${pointer}：${issue?.message ?? ''}`))
}

function badSection(section: Section, source: string, offset: number, en: string, zh: string): Fault {
  const before = section.text.slice(0, offset)
  return {
    code: 'FACTS_SECTION',
    what: { en: `section ${section.name} of the host's answer cannot be read: ${en}`, zh: `无法读取主机应答的 ${section.name} 分段：${zh}` },
    place: { file: source, line: section.line + before.split('\n').length - 1, column: offset - before.lastIndexOf('\n') },
  }
}
