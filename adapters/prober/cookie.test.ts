import { expect, test } from 'vitest'
import { cookieOf } from './cookie.ts'

test('HalfSipHash-2-4 of 00 01 02 03 under the key 00 … 07, as in the reference vectors', () => {
  expect(cookieOf(0x03020100, 0x07060504, 0x03020100)).toBe(0x89466e2a)
})

test('another key or another question gives another cookie', () => {
  const cookies = new Set<number>()
  for (let port = 0; port < 4096; port++) {
    cookies.add(cookieOf(1, 2, port))
    cookies.add(cookieOf(1, 3, port))
  }
  // 8,192 draws from 2^32 collide 0.008 times on average.
  expect(cookies.size).toBeGreaterThan(8190)
})
