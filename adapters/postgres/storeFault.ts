import { FaultError, type Fault } from '@portcullis/core/fault/fault.ts'

export const storeInUse = (folder: string, pid: number | undefined): Fault => ({
  code: 'STORE_IN_USE',
  what: {
    en: `the store in ${folder} is being opened or closed by ${pid === undefined ? 'another process' : `process ${pid}`}`,
    zh: `${folder} 中的存储正被${pid === undefined ? '另一进程' : `进程 ${pid}`}打开或关闭`,
  },
  next: { en: 'try again when it is done', zh: '请待其完成后重试' },
})

export const storeFolder = (folder: string, en: string, zh: string): Fault => ({
  code: 'STORE_FOLDER',
  what: { en: `the store cannot live in ${folder}: ${en}`, zh: `存储无法放在 ${folder}：${zh}` },
  next: { en: 'name another folder with --state', zh: '请用 --state 指定其他目录' },
})

/** `log`: the last lines that the server or its initialisation wrote. */
export const storeServer = (doing: { en: string; zh: string }, log: string): Fault => ({
  code: 'STORE_SERVER',
  what: { en: `the store's own PostgreSQL ${doing.en}${log === '' ? '' : `: ${log}`}`, zh: `存储自带的 PostgreSQL ${doing.zh}${log === '' ? '' : `：${log}`}` },
})

export const storePlatform = (platform: string): Fault => ({
  code: 'STORE_PLATFORM',
  what: { en: `there is no embedded PostgreSQL for ${platform}`, zh: `没有适用于 ${platform} 的内置 PostgreSQL` },
  next: { en: 'name a PostgreSQL with --database, or run npm run setup again', zh: '请用 --database 指定 PostgreSQL，或重新运行 npm run setup' },
})

export const storeNewer = (migration: string): Fault => ({
  code: 'STORE_NEWER',
  what: { en: `the store was written by a newer Portcullis: this one does not know its step "${migration}"`, zh: `该存储由更新版本的 Portcullis 写入：当前版本不认识其步骤“${migration}”` },
  next: { en: 'use that version, or a store of your own; nothing was changed', zh: '请使用该版本或另建存储；未作任何更改' },
})

export const storeOldServer = (version: string): Fault => ({
  code: 'STORE_OLD_SERVER',
  what: { en: `PostgreSQL ${version} is too old: 15 is the oldest that is supported`, zh: `PostgreSQL ${version} 过旧：最低支持 15` },
})

/** `server`: where it is, without a password. */
export const storeUnreachable = (server: string, cause: unknown): Fault => ({
  code: 'STORE_UNREACHABLE',
  what: { en: `the store at ${server} cannot be reached: ${causeText(cause)}`, zh: `无法连接 ${server} 的存储：${causeText(cause)}` },
})

export const storeCorrupt = (what: string): Fault => ({
  code: 'STORE_CORRUPT',
  what: { en: `the store holds what this version cannot read: ${what}`, zh: `存储中有当前版本无法读取的内容：${what}` },
})

/** SQLSTATE classes of a connection that failed or a server that went away (PostgreSQL, appendix A). */
const CONNECTION_STATES = /^(?:08|57P|28|3D)/

/** Whether the server is there and does not take what it was given. */
export const isRefusal = (error: unknown): boolean => error instanceof FaultError && error.fault.code === 'STORE_REFUSED'

/** Whatever a query threw, as the fault that the Store port promises. */
export function asStoreFault(server: string, error: unknown): FaultError {
  if (error instanceof FaultError) return error
  const state = (error as { code?: unknown } | undefined)?.code
  const isOfServer = typeof state === 'string' && /^[0-9A-Z]{5}$/.test(state) && !CONNECTION_STATES.test(state)
  return new FaultError(isOfServer ? refused(state, error) : storeUnreachable(server, error), error)
}

const refused = (state: string, cause: unknown): Fault => ({
  code: 'STORE_REFUSED',
  what: { en: `the store refused a statement: ${causeText(cause)} (SQLSTATE ${state})`, zh: `存储拒绝了一条语句：${causeText(cause)}（SQLSTATE ${state}）` },
})

/** node-postgres writes no password and no statement into its messages. */
function causeText(cause: unknown): string {
  const text = cause instanceof AggregateError ? cause.errors.map(String).join(', ') : cause instanceof Error ? cause.message : String(cause)
  return text.slice(0, 300)
}
