import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { Namespace } from '../netns.ts'
import { addContainer, counted, DOCKER_RULES, HOST, load, openTrap, OUTSIDE, reach, serve, textOf, without, type Trap } from './trap.ts'

/**
 * Traps: a published container port and a NodePort are rewritten before INPUT sees them, so a firewall that stands there
 * judges another packet than the client sent. Cure: the gate stands before destination NAT.
 */
let trap: Trap
let container: Namespace
const toPublished = () => reach(trap.outside, 'tcp', HOST.ipv4, 8080)

/** The same gate where most firewalls have theirs. */
const atInput = (text: string): string => without(text, 'hook prerouting priority -150', 'hook input priority 0')
/** The same gate behind destination NAT. */
const behindNat = (text: string): string => without(text, 'hook prerouting priority -150', 'hook prerouting priority -90')

beforeAll(async () => {
  trap = await openTrap('pub')
  container = await addContainer(trap)
  await serve(container, 'tcp', 80)
  await serve(trap.host, 'tcp', 80)
})
afterAll(() => trap[Symbol.asyncDispose]())
afterEach(() => trap.host.must(['nft', 'flush', 'ruleset']))

describe('a published port', () => {
  test('is open where nothing closes it', async () => {
    await load(trap.host, DOCKER_RULES)
    expect(await toPublished()).toBe('open')
  })

  test.each(['drop', 'reject'] as const)('is closed unless it is granted (%s)', async (refusal) => {
    await load(trap.host, DOCKER_RULES)
    await load(trap.host, textOf({ refusal }))
    expect(await toPublished()).toBe(refusal === 'drop' ? 'silent' : 'refused')
    expect(Object.keys(await counted(trap.host, 'denied4'))).toEqual([`${OUTSIDE.ipv4} . tcp . 8080`])
  })

  test('is open when the port that the client asks for is granted', async () => {
    await load(trap.host, DOCKER_RULES)
    await load(trap.host, textOf({ grants: ['tcp 8080 10.61.0.1'] }))
    expect(await toPublished()).toBe('open')
    expect(await reach(trap.outside, 'tcp', HOST.ipv4, 8080, OUTSIDE.other)).toBe('silent')
  })

  test('is not open because the port inside the container is granted', async () => {
    await load(trap.host, DOCKER_RULES)
    await load(trap.host, textOf({ grants: ['tcp 80 any'] }))
    expect(await toPublished()).toBe('silent')
  })

  test('without the cure, a gate at input never sees it', async () => {
    await load(trap.host, DOCKER_RULES)
    await load(trap.host, atInput(textOf({ refusal: 'reject' })))
    expect(await reach(trap.outside, 'tcp', HOST.ipv4, 80)).toBe('refused')
    expect(await toPublished()).toBe('open')
  })
})

describe('what a container asks the host', () => {
  test('is judged as anyone else', async () => {
    await load(trap.host, DOCKER_RULES)
    await load(trap.host, textOf({}))
    expect(await reach(container, 'tcp', HOST.ipv4, 80)).toBe('silent')
  })

  test('goes out through the host as before', async () => {
    const server = await serve(trap.outside, 'tcp', 7000)
    await load(trap.host, DOCKER_RULES)
    await load(trap.host, textOf({}))
    expect(await reach(container, 'tcp', OUTSIDE.ipv4, 7000)).toBe('open')
    await server.kill()
  })
})

/** kube-proxy's way with a NodePort whose backend is on the node: the same DNAT, to another port of the host. */
const NODE_PORT = `
table ip kube {
	chain prerouting { type nat hook prerouting priority dstnat; policy accept; fib daddr type local tcp dport 30080 redirect to :80; }
}
`
const toNodePort = () => reach(trap.outside, 'tcp', HOST.ipv4, 30_080)

describe('a NodePort', () => {
  test('is closed, though the port behind it is granted', async () => {
    await load(trap.host, NODE_PORT)
    await load(trap.host, textOf({ refusal: 'reject', grants: ['tcp 80 any'] }))
    expect(await toNodePort()).toBe('refused')
    expect(await reach(trap.outside, 'tcp', HOST.ipv4, 80)).toBe('open')
  })

  test('is open when it is granted, though the port behind it is not', async () => {
    await load(trap.host, NODE_PORT)
    await load(trap.host, textOf({ grants: ['tcp 30080 any'] }))
    expect(await toNodePort()).toBe('open')
    expect(await reach(trap.outside, 'tcp', HOST.ipv4, 80)).toBe('silent')
  })

  test.each([
    ['behind destination NAT', behindNat],
    ['at input', atInput],
  ])('without the cure, a gate %s judges the port behind it', async (_, broken) => {
    await load(trap.host, NODE_PORT)
    await load(trap.host, broken(textOf({ refusal: 'reject', grants: ['tcp 80 any'] })))
    expect(await toNodePort()).toBe('open')
  })
})

describe('boot order', () => {
  test.each([
    ['before', [textOf({}), DOCKER_RULES]],
    ['after', [DOCKER_RULES, textOf({})]],
  ] as const)('loaded %s the container runtime brings its chains, the published port is closed', async (_, order) => {
    for (const text of order) await load(trap.host, text)
    expect(await toPublished()).toBe('silent')
  })

  test('the container runtime may load its chains again', async () => {
    for (const text of [DOCKER_RULES, textOf({}), 'delete table ip docker', DOCKER_RULES]) await load(trap.host, text)
    expect(await toPublished()).toBe('silent')
  })

  test('it loads before there is any network', async () => {
    const bare = await trap.spaces.add('bare')
    await bare.must(['ip', 'link', 'set', 'lo', 'down'])
    await load(bare, textOf({}))
    // Without the cure: a rule that names an interface by its index cannot load before the interface is there.
    await expect(load(bare, without(textOf({}), 'iif "lo" accept', 'iif "eth0" accept'))).rejects.toThrow(/does not exist/)
  })
})
