import type { Fault } from '@portcullis/core/fault/fault.ts'

// What keeps a plan from being carried out, at once or in waves.

export const brokenSeal = (id: string): Fault => ({
  code: 'PLAN_BROKEN_SEAL',
  what: { en: `plan ${id.slice(0, 12)} is not what was sealed: it was edited or damaged`, zh: `计划 ${id.slice(0, 12)} 与封存时不一致：被修改或损坏` },
  next: { en: 'run portcullis plan again', zh: '请重新运行 portcullis plan' },
})

export const hostUnknown = (host: string): Fault => ({
  code: 'PLAN_HOST_UNKNOWN',
  what: { en: `the plan changes ${host}, which the policy does not name`, zh: `计划涉及 ${host}，而策略中没有该主机` },
  next: { en: 'run portcullis plan with the same policy file', zh: '请用同一策略文件重新运行 portcullis plan' },
})
