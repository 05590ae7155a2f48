import { backUp, restore } from '@portcullis/adapters/postgres/backup.ts'
import { openStore } from '@portcullis/adapters/postgres/openStore.ts'
import { retire } from '@portcullis/adapters/postgres/retention.ts'
import { fail, FaultError, succeed, type Result } from '@portcullis/core/fault/fault.ts'
import { resolve } from 'node:path'
import { asStoreFault } from '@portcullis/adapters/postgres/storeFault.ts'
import type { StoreKeeper, StorePlaceSettings } from './cli/cli.ts'

/** The store as a whole, for whoever keeps it. */
export async function openKeeper({ state, database }: StorePlaceSettings): Promise<Result<StoreKeeper>> {
  const opened = await openStore(database === undefined ? { kind: 'folder', folder: resolve(state) } : { kind: 'server', url: database })
  if (!opened.ok) return opened
  const store = opened.value
  const asked = async <T>(signal: AbortSignal, task: () => Promise<Result<T>>): Promise<Result<T>> => {
    try {
      return await task()
    } catch (error) {
      if (signal.aborted) throw error
      return fail((error instanceof FaultError ? error : asStoreFault(database === undefined ? state : 'the database', error)).fault)
    }
  }
  return succeed({
    backUp: (file, options) => asked(options.signal, () => backUp(store.database, resolve(file), options)),
    restore: (file, options) => asked(options.signal, () => restore(store.database, resolve(file), options)),
    retire: (options) => asked(options.signal, async () => succeed(await retire(store.database, options))),
    close: () => store.close(),
  })
}
