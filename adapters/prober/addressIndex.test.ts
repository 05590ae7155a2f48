import fc from 'fast-check'
import { expect, test } from 'vitest'
import { AddressIndex } from './addressIndex.ts'

const address = fc.oneof(fc.uint8Array({ minLength: 4, maxLength: 4 }), fc.uint8Array({ minLength: 16, maxLength: 16 }))
const familyOf = (bytes: Uint8Array): 4 | 6 => (bytes.length === 4 ? 4 : 6)

test('finds each address that was added, and no other', () => {
  fc.assert(
    fc.property(fc.uniqueArray(address, { selector: (bytes) => bytes.join('.'), maxLength: 64 }), fc.integer({ min: 0, max: 64 }), (all, split) => {
      const index = new AddressIndex(all.length)
      const added = all.slice(0, split)
      for (const [number, bytes] of added.entries()) index.add(Buffer.from(bytes), 0, familyOf(bytes), number)
      for (const [number, bytes] of all.entries()) {
        expect(index.find(Buffer.from([0, 0, ...bytes]), 2, familyOf(bytes))).toBe(number < split ? number : -1)
      }
    }),
  )
})
