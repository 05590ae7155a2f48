import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { run, type Limits } from './child.ts'
import { Launcher } from './launcher.ts'

const directory = mkdtempSync(join(tmpdir(), 'launcher-'))
const LIMITS: Limits = { timeoutMs: 10_000, outputBytesMax: 4_000_000 }
let launcher: Launcher
let serial = 0

beforeAll(async () => {
  launcher = await Launcher.open(join(directory, 'launch'))
})
afterAll(() => {
  launcher.close()
  rmSync(directory, { recursive: true })
})

const begin = (argv: readonly string[]) => launcher.start(argv)
const ended = (script: string, input = '', limits = LIMITS) => run(['sh', '-c', script], input, limits, begin)

test.each<[what: string, script: string, input: string, told: object]>([
  ['what it is given comes back', 'cat', 'a line\n', { exitCode: 0, stdout: 'a line\n', stderr: '' }],
  ['its exit code', 'exit 7', '', { exitCode: 7 }],
  ['each stream by itself', 'echo out; echo err >&2; echo out', '', { stdout: 'out\nout\n', stderr: 'err\n' }],
  ['the end of its input', 'cat >/dev/null; echo ended', 'x'.repeat(300_000), { stdout: 'ended\n' }],
  ['more than a pipe holds, both ways', 'cat', 'x'.repeat(3_000_000), { stdout: 'x'.repeat(3_000_000) }],
  ['input that it does not want', 'exit 3', 'x'.repeat(3_000_000), { exitCode: 3 }],
  ['a signal that ends it is no exit code', 'kill -9 $$', '', { exitCode: 255 }],
  ['one that is read byte by byte, as sh reads', 'read -r first; read -r second; echo "$second $first"', 'one\ntwo\n', { stdout: 'two one\n' }],
  ['messages are in English, and sbin is in its path', 'echo "$LC_ALL $PATH"', '', { stdout: expect.stringMatching(/^C \/usr\/sbin:\/sbin:/) as string }],
])('%s', async (_, script, input, told) => {
  expect(await ended(script, input)).toMatchObject({ kind: 'exited', ...told })
})

test('a program that is not there', async () => {
  expect(await run(['no-such-program'], '', LIMITS, begin)).toEqual({ kind: 'exited', exitCode: 127, stdout: '', stderr: 'spawn no-such-program ENOENT' })
})

test('limits end it', async () => {
  expect(await ended('echo $$; sleep 60', '', { ...LIMITS, timeoutMs: 300 })).toEqual({ kind: 'timed-out' })
  expect(await ended('yes', '', { ...LIMITS, outputBytesMax: 1000 })).toEqual({ kind: 'too-much' })
})

test('many at once, each with its own', async () => {
  const answers = await Promise.all(Array.from({ length: 40 }, (_, index) => ended(`cat; exit ${index}`, `${index}`)))
  expect(answers.map((one) => (one.kind === 'exited' ? `${one.stdout} ${one.exitCode}` : one.kind))).toEqual(answers.map((_, index) => `${index} ${index}`))
})

test('where the small process dies, what it started goes on and ends, and it is said to be gone', async () => {
  const mortal = await Launcher.open(join(directory, 'mortal'))
  const start = (argv: readonly string[]) => mortal.start(argv)
  const program = start(['sh', '-c', 'echo $PPID; read -r line; echo "$line"; exit 5'])
  const code = new Promise((resolve) => program.once('close', resolve))
  const said: string[] = []
  program.stderr.resume()
  program.stdout.on('data', (chunk: Buffer) => {
    said.push(String(chunk))
    if (said.length > 1) return
    process.kill(Number(said[0]), 'SIGKILL')
    setTimeout(() => program.stdin.write('still here\n'), 200)
  })
  // How it ended nobody could see.
  expect([await code, said.at(-1)]).toEqual([null, 'still here\n'])
  expect(mortal.isOpen).toBe(false)
  expect(await run(['true'], '', LIMITS, start)).toMatchObject({ exitCode: 127 })
  mortal.close()
})

/** In a process of its own, which ends when nothing keeps it. */
test.each([
  ['while programs run', "const all = Array.from({ length: 20 }, () => launcher.start(['sleep', '5'])); for (const one of all) { one.stdout.resume(); one.stderr.resume() }; setTimeout(() => launcher.close(), 400)"],
  ['while programs are being started', "for (let n = 0; n < 20; n += 1) launcher.start(['cat']).stdout.resume(); setTimeout(() => launcher.close(), 15)"],
  ['at once', "launcher.start(['cat']); launcher.close()"],
  ['never, and nothing runs', "const one = launcher.start(['true']); one.stdout.resume(); one.stderr.resume()"],
])('what is closed %s keeps nobody', async (_, body) => {
  const script = `import { Launcher } from ${JSON.stringify(new URL('launcher.ts', import.meta.url).href)}; const launcher = await Launcher.open(${JSON.stringify(join(directory, `kept-${serial++}`))}); ${body}`
  expect(await run([process.execPath, '--input-type=module', '-e', script], '', { ...LIMITS, timeoutMs: 4_500 })).toEqual({ kind: 'exited', exitCode: 0, stdout: '', stderr: '' })
})

test('closing ends the small process, and it outlives nobody', async () => {
  const closed = await Launcher.open(join(directory, 'closed'))
  const told = await run(['sh', '-c', 'echo $PPID'], '', LIMITS, (argv) => closed.start(argv))
  const pid = told.kind === 'exited' ? Number(told.stdout) : 0
  expect(readFileSync(`/proc/${pid}/cmdline`, 'utf8')).toContain('launch.ts')
  closed.close()
  await expect.poll(() => isAlive(pid)).toBe(false)
})

function isAlive(pid: number): boolean {
  try {
    return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ')
  } catch {
    return false
  }
}
