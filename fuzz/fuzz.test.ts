import { describe, expect, test } from 'vitest'
import { keptInputs } from './corpus.ts'
import { Mutation } from './mutation.ts'
import { PARSERS } from './parsers.ts'

const INPUTS = 150

describe.each(Object.entries(PARSERS))('%s', (name, { check, seeds }) => {
  test('reads its real inputs', async () => {
    expect(seeds().length).toBeGreaterThan(0)
    for (const seed of seeds()) await check(seed)
  })

  test.each(keptInputs(name).map((input) => [input.name, input.bytes] as const))('keeps its promise on %s', async (_, bytes) => {
    await check(bytes)
  })

  test(`refuses with a place, or reads, ${INPUTS} wounded inputs`, async () => {
    const mutation = new Mutation(7)
    const real = seeds()
    for (let index = 0; index < INPUTS; index += 1) await check(mutation.input(real))
  })
})
