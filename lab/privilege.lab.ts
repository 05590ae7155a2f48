import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { LAB_USERS } from './machine.ts'
import { startWorld, type Lab } from './start.ts'
import { flatWorld } from './world.ts'

/** An ordinary user of a lab host stands for one of a real machine: the inner lab has no right that the outer one gives. */
const [USER] = LAB_USERS
const MAIN = join(import.meta.dirname, 'main.ts')
const UP = ['setpriv', `--reuid=${USER.name}`, `--regid=${USER.name}`, '--init-groups', process.execPath, MAIN, 'up', '--world', 'flat:3']

let outer: Lab
beforeAll(async () => {
  outer = await startWorld(flatWorld(2), { prefix: `lab-p${process.pid}` })
})
afterAll(() => outer?.stop())

test('a user with a range of subordinate ids has a lab without root', async () => {
  const host = outer.host('host-1')
  for (const file of ['/etc/subuid', '/etc/subgid']) host.writeFile(file, `${USER.name}:300000:65536\n`)
  const inner = host.spawn(UP)
  const lines = createInterface(inner.process.stdout ?? process.stdin)[Symbol.asyncIterator]()
  // Standing means that a real sshd on each host listens.
  expect((await lines.next()).value).toMatch(/: 3 hosts in \d+ ms$/)
  expect(await host.must(['ls', `/tmp/portcullis-lab-${USER.id}`])).not.toBe('')
  await inner.kill('SIGTERM')
  await vi.waitFor(async () => expect(await host.must(['ls', `/tmp/portcullis-lab-${USER.id}`])).toBe(''), 15_000)
})

test('a user without one is told what is missing', async () => {
  const host = outer.host('host-2')
  for (const file of ['/etc/subuid', '/etc/subgid']) host.writeFile(file, '')
  const { exitCode, stderr } = await host.run(UP)
  expect(exitCode).toBe(1)
  expect(stderr).toContain(`sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 ${USER.name}`)
  expect(stderr).toContain('LAB_NO_SUBORDINATE_IDS')
})
