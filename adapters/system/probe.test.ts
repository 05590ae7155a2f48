import { createServer, type AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { systemProbe } from './probe.ts'

test('a listening port answers, a closed one refuses, a stopped probe is unknown', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => {
    server.once('listening', resolve)
  })
  const { port } = server.address() as AddressInfo
  const target = { address: '127.0.0.1', port, timeoutMs: 1000 }
  expect((await systemProbe.connect(target)).kind).toBe('answered')
  await new Promise((resolve) => {
    server.close(resolve)
  })
  expect((await systemProbe.connect(target)).kind).toBe('refused')
  expect((await systemProbe.connect(target, AbortSignal.abort())).kind).toBe('unknown')
})

test.each([
  ['127.0.0.1', '127.0.0.1'],
  ['::1', '::1'],
])('packets to %s leave from %s', async (address, source) => {
  expect(await systemProbe.sourceTowards?.(address)).toBe(source)
})
