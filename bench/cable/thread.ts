import { closeSync, openSync } from 'node:fs'
import { constants, cpus } from 'node:os'
import koffi from 'koffi'

// linux/sched.h, asm-generic/socket.h, linux/in.h, linux/socket.h, linux/tcp.h
const CLONE_NEWNET = 0x4000_0000
const SCHED_OTHER = 0
const SCHED_FIFO = 1
const SCHED_RESET_ON_FORK = 0x4000_0000
const AF_INET = 2
const SOCK_STREAM = 1
const SOCK_DGRAM = 2
const SOCK_NONBLOCK_CLOEXEC = 0o4000 | 0o2000000
const MSG_TRUNC_DONTWAIT = 0x20 | 0x40
const MSG_NOSIGNAL_DONTWAIT = 0x4000 | 0x40
const SOL_SOCKET = 1
const SO_LINGER = 13
const SO_BINDTODEVICE = 25
const IPPROTO_TCP = 6
const TCP_NODELAY = 1
/** Connections that wait to be accepted at one listener; the kernel allows fewer unless told (listen(2)). */
export const BACKLOG = 32_768

const c = koffi.load(null)
const calls = {
  setns: c.func('int setns(int, int)'),
  affinity: c.func('int sched_setaffinity(int, size_t, const void *)'),
  scheduler: c.func('int sched_setscheduler(int, int, const void *)'),
  socket: c.func('int socket(int, int, int)'),
  bind: c.func('int bind(int, const void *, uint32_t)'),
  connect: c.func('int connect(int, const void *, uint32_t)'),
  sendto: c.func('intptr_t sendto(int, const void *, size_t, int, const void *, uint32_t)'),
  listen: c.func('int listen(int, int)'),
  accept: c.func('int accept4(int, void *, void *, int)'),
  setsockopt: c.func('int setsockopt(int, int, int, const void *, uint32_t)'),
  recv: c.func('intptr_t recv(int, void *, size_t, int)'),
  send: c.func('intptr_t send(int, const void *, size_t, int)'),
  close: c.func('int close(int)'),
}

/**
 * Keeps the calling thread on one processor, so that what it starts in the kernel runs there as well, and lets nothing
 * but the kernel come between. Answers how to end it. Processes started meanwhile keep to that processor, but not to that priority.
 */
export function holdProcessor(cpu: number): () => void {
  const priority = Buffer.from(Int32Array.of(1).buffer)
  setAffinity([cpu])
  must('sched_setscheduler', calls.scheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, priority))
  return () => {
    must('sched_setscheduler', calls.scheduler(0, SCHED_OTHER, Buffer.alloc(4)))
    setAffinity(cpus().map((_, index) => index))
  }
}

function setAffinity(allowed: readonly number[]): void {
  const mask = Buffer.alloc(128)
  for (const cpu of allowed) mask.writeUInt8(mask.readUInt8(cpu >> 3) | (1 << (cpu % 8)), cpu >> 3)
  must('sched_setaffinity', calls.affinity(0, mask.length, mask))
}

/**
 * Runs something with this thread in a named network namespace; sockets that it opens stay there.
 * It must not wait for anything but this thread itself: whatever ran meanwhile would stand in that namespace too.
 */
export async function inNamespace<T>(netns: string, act: () => T | Promise<T>): Promise<T> {
  const home = openSync('/proc/thread-self/ns/net', 'r')
  const there = openSync(`/run/netns/${netns}`, 'r')
  try {
    must('setns', calls.setns(there, CLONE_NEWNET))
    return await act()
  } finally {
    must('setns', calls.setns(home, CLONE_NEWNET))
    closeSync(there)
    closeSync(home)
  }
}

/** A socket that takes what comes to a port of this namespace, on every IPv4 address. */
export function openServer(protocol: 'tcp' | 'udp', port: number): number {
  const fd = openSocket(protocol)
  bind(fd, internetAddress(0, port))
  if (protocol === 'tcp') must('listen', calls.listen(fd, BACKLOG))
  return fd
}

/** A socket that sends from the given address and port over one device of this namespace; a connection of it is reset when it is closed. */
export function openClient(protocol: 'tcp' | 'udp', device: string, from: Buffer): number {
  const fd = openSocket(protocol)
  const name = Buffer.from(device)
  must('SO_BINDTODEVICE', calls.setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, name.length))
  if (protocol === 'tcp') setOption(fd, SOL_SOCKET, SO_LINGER, [1, 0])
  bind(fd, from)
  return fd
}

/** struct sockaddr_in, ip(7). */
export function internetAddress(address: number, port: number): Buffer {
  const bytes = Buffer.alloc(16)
  bytes.writeUInt16LE(AF_INET, 0)
  bytes.writeUInt16BE(port, 2)
  bytes.writeUInt32BE(address, 4)
  return bytes
}

/** Over a cable within one machine the whole handshake happens before it returns. */
export const beginConnection = (fd: number, to: Buffer): number => calls.connect(fd, to, to.length)

export const sendDatagram = (fd: number, bytes: Buffer, to: Buffer): number => calls.sendto(fd, bytes, bytes.length, MSG_NOSIGNAL_DONTWAIT, to, to.length)

function openSocket(protocol: 'tcp' | 'udp'): number {
  const type = protocol === 'tcp' ? SOCK_STREAM : SOCK_DGRAM
  return must('socket', calls.socket(AF_INET, type | SOCK_NONBLOCK_CLOEXEC, 0))
}

function bind(fd: number, address: Buffer): void {
  must(`bind to port ${address.readUInt16BE(2)}`, calls.bind(fd, address, address.length))
}

/** A connection that waits to be accepted, or undefined. It sends at once what it is given, and is reset when it is closed. */
export function acceptFrom(server: number): number | undefined {
  const fd = calls.accept(server, null, null, SOCK_NONBLOCK_CLOEXEC)
  if (fd < 0) return undefined
  setOption(fd, IPPROTO_TCP, TCP_NODELAY, [1])
  setOption(fd, SOL_SOCKET, SO_LINGER, [1, 0])
  return fd
}

function setOption(fd: number, level: number, name: number, value: readonly number[]): void {
  const bytes = Buffer.from(Int32Array.from(value).buffer)
  must('setsockopt', calls.setsockopt(fd, level, name, bytes, bytes.length))
}

/** Takes the oldest datagram without copying it, tcp(7) and udp(7): MSG_TRUNC; false where there is none. */
export const discardDatagram = (fd: number): boolean => calls.recv(fd, null, 0, MSG_TRUNC_DONTWAIT) >= 0

/** Takes what a connection has brought without copying it; answers how many bytes. */
export const discardReceived = (fd: number): number => Math.max(0, calls.recv(fd, null, 1 << 20, MSG_TRUNC_DONTWAIT))

export const sendBytes = (fd: number, bytes: Buffer): number => calls.send(fd, bytes, bytes.length, MSG_NOSIGNAL_DONTWAIT)

export const closeSocket = (fd: number): void => {
  calls.close(fd)
}

function must(call: string, returned: number): number {
  if (returned >= 0) return returned
  const name = Object.entries(constants.errno).find(([, number]) => number === koffi.errno())?.[0]
  throw new Error(`${call} failed: ${name ?? koffi.errno()}`)
}
