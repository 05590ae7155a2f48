import type { PlanReport } from '@portcullis/engine/planChange.ts'

/** A plan as `--json` prints it: sealed, or with why it was not. Of `schemas/plan.schema.json`. */
export const planJson = ({ kind, plan, drafted, faults, unread }: PlanReport) => ({
  format: 'portcullis-plan',
  version: 1,
  kind,
  ...(plan ? { plan } : {}),
  ...(plan ? {} : { draft: drafted.hosts.map(({ draft, findings }) => ({ ...draft, findings })) }),
  unchanged: drafted.unchanged,
  findings: drafted.findings,
  faults,
  unread,
})
