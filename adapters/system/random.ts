import type { Random } from '@portcullis/engine/ports.ts'
import { randomInt, randomUUID } from 'node:crypto'

const STEPS = 2 ** 47

export const systemRandom: Random = { next: () => randomInt(STEPS) / STEPS, uuid: () => randomUUID() }
