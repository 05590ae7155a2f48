import { z } from 'zod'

/** What many probes are told. */
export const port = z.int().min(1).max(65_535)
/** Instead of the managed host's own address. */
export const address = z.string().min(1).max(253).optional()
/** Absolute, so that it does not hang on where the controller was started. */
export const file = z.string().regex(/^\/[^\0]+$/).max(4096)
export const name = z.string().min(1).max(253)
