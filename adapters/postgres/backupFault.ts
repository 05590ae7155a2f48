import type { Fault, Text } from '@portcullis/core/fault/fault.ts'

export const backupDamaged = (file: string, because: Text): Fault => ({
  code: 'BACKUP_DAMAGED',
  what: { en: `${file}: ${because.en}`, zh: `${file}：${because.zh}` },
  next: { en: 'use another backup; nothing was changed', zh: '请使用其他备份；未作任何更改' },
})

export const backupNewer = (file: string, unknown: string): Fault => ({
  code: 'BACKUP_NEWER',
  what: { en: `${file} was written by a newer Portcullis: this one does not know "${unknown}"`, zh: `${file} 由更新版本的 Portcullis 写入：当前版本不认识“${unknown}”` },
  next: { en: 'restore it with that version; nothing was changed', zh: '请用该版本恢复；未作任何更改' },
})

export const backupUnreadable = (file: string, error: NodeJS.ErrnoException): Fault => ({
  code: 'BACKUP_FILE',
  what: { en: `${file}: ${error.code ?? ''} ${error.message}`.slice(0, 300), zh: `${file}：${error.code ?? ''} ${error.message}`.slice(0, 300) },
})

export const storeNotEmpty = (table: string): Fault => ({
  code: 'STORE_NOT_EMPTY',
  what: { en: `the store is not empty (${table}): a restore would put the backup in its place`, zh: `存储不为空（${table}）：恢复将以备份取代现有内容` },
  next: { en: 'back it up, then say --replace', zh: '请先备份，再加 --replace' },
})

export const rolloutCarriedOn = (id: string, holder: string): Fault => ({
  code: 'STORE_ROLLOUT_RUNNING',
  what: { en: `rollout ${id.slice(0, 8)} is being carried on by ${holder}`, zh: `发布 ${id.slice(0, 8)} 正由 ${holder} 推进` },
  next: { en: 'stop that controller, or wait until the rollout is over', zh: '请停止该控制端，或等待发布结束' },
})
