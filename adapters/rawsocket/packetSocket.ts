import { constants } from 'node:os'
import { fail, succeed, type Fault, type Result } from '@portcullis/core/fault/fault.ts'
import { allocateArena } from './arena.ts'
import { check, loadLibc, systemCallFault, type Libc } from './libc.ts'
import { MessageBatch } from './messageBatch.ts'
import { encodeFilter, type Instruction } from './packetFilter.ts'

// linux/socket.h, linux/if_packet.h, linux/if_ether.h, linux/if_arp.h, asm-generic/socket.h
const AF_PACKET = 17
const SOCK_RAW_NONBLOCKING_CLOEXEC = 3 | 0o4000 | 0o2000000
const SOL_SOCKET = 1
const SO_ATTACH_FILTER = 26
const SO_SNDBUF = 7
const SO_RCVBUF = 8
const SO_SNDBUFFORCE = 32
const SO_RCVBUFFORCE = 33
const SOL_PACKET = 263
const PACKET_STATISTICS = 6
const PACKET_IGNORE_OUTGOING = 23
const ETH_P_ALL = 3
const ARPHRD_ETHER = 1
const MSG_DONTWAIT = 0x40
const SOCKADDR_LL_BYTES = 20

const RECEIVE_BUFFER_BYTES = 64 * 1024 * 1024
const RECEIVE_BATCH = 256
const SEND_BUFFER_BYTES = 4 * 1024 * 1024
/** Ethernet + IPv6 + an ICMPv6 error's quoted IPv6 and TCP start = 14 + 40 + 8 + 40 + 8; the rest is for options. */
const RECEIVE_BYTES = 192

/**
 * A raw socket on one Ethernet interface of this network namespace. It never blocks. It sees each frame that arrives there
 * before any firewall of this machine does, and none that leaves.
 */
export interface PacketSocket {
  readonly interfaceName: string
  readonly hardwareAddress: Buffer
  /** A batch whose slots are whole frames, or heads + slots (see MessageBatch). Freed with the socket. */
  newSendBatch(layout: { readonly capacity: number; readonly slotBytes: number; readonly headBytes?: number }): MessageBatch
  /** Hands messages `first` to `count` − 1 to the kernel; answers how many it took, fewer when its queue is full. */
  sendFrames(batch: MessageBatch, count: number, first?: number): number
  /**
   * The same on a thread of its own: the kernel takes a frame through a cable to another namespace, and back its answer, within
   * the call. Neither the batch may change nor the socket be closed before it has resolved.
   */
  sendFramesApart(batch: MessageBatch, count: number, first?: number): Promise<number>
  /** Frames that have arrived, oldest first, in `inbox`; 0 when there is none. Each call overwrites the one before. */
  receiveFrames(): number
  readonly inbox: MessageBatch
  /** Only frames for which the program gives a length above 0 arrive from now on. */
  attachFilter(program: readonly Instruction[]): void
  /** Frames that passed the filter and found the receive buffer full since the last call. */
  takeLost(): number
  /** True as soon as a frame waits, false after the time. */
  waitReadable(timeoutMs: number): Promise<boolean>
  close(): void
}

/**
 * Faults: RAWSOCKET_NO_CAPABILITY, RAWSOCKET_NO_INTERFACE, RAWSOCKET_NOT_ETHERNET, RAWSOCKET_UNSUPPORTED, RAWSOCKET_SYSTEM_CALL.
 * Attach a filter before the first receive: without one every frame of the interface is copied.
 */
export async function openPacketSocket(interfaceName: string): Promise<Result<PacketSocket>> {
  const loaded = await loadLibc()
  if (!loaded.ok) return loaded
  const libc = loaded.value
  const index = libc.interfaceIndex(interfaceName)
  if (index === 0) return fail(noInterface(interfaceName))
  // Protocol 0: nothing is received until bind names one, so no frame of another interface slips in before.
  const fd = libc.socket(AF_PACKET, SOCK_RAW_NONBLOCKING_CLOEXEC, 0)
  if (fd < 0) return fail(systemCallFault(libc, 'socket'))
  const setUp = configure(libc, fd, index) ?? notEthernet(libc, fd, interfaceName)
  if (setUp) {
    libc.close(fd)
    return fail(setUp)
  }
  return succeed(packetSocketOn(libc, fd, interfaceName))
}

function configure(libc: Libc, fd: number, index: number): Fault | undefined {
  const set = (level: number, name: number, value: number): number => libc.setsockopt(fd, level, name, int32(value), 4)
  // The root of a user namespace may not force them: then as large as the machine allows everyone (socket(7), rmem_max).
  if (set(SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER_BYTES) < 0 && set(SOL_SOCKET, SO_RCVBUF, RECEIVE_BUFFER_BYTES) < 0) return systemCallFault(libc, 'SO_RCVBUF')
  if (set(SOL_SOCKET, SO_SNDBUFFORCE, SEND_BUFFER_BYTES) < 0 && set(SOL_SOCKET, SO_SNDBUF, SEND_BUFFER_BYTES) < 0) return systemCallFault(libc, 'SO_SNDBUF')
  if (set(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1) < 0) return systemCallFault(libc, 'PACKET_IGNORE_OUTGOING')
  const address = Buffer.alloc(SOCKADDR_LL_BYTES)
  address.writeUInt16LE(AF_PACKET, 0)
  address.writeUInt16BE(ETH_P_ALL, 2)
  address.writeInt32LE(index, 4)
  return libc.bind(fd, address, SOCKADDR_LL_BYTES) < 0 ? systemCallFault(libc, 'bind') : undefined
}

function notEthernet(libc: Libc, fd: number, interfaceName: string): Fault | undefined {
  const { hardwareType } = nameOf(libc, fd)
  if (hardwareType === ARPHRD_ETHER) return undefined
  return {
    code: 'RAWSOCKET_NOT_ETHERNET',
    what: {
      en: `${interfaceName} is not an Ethernet interface (hardware type ${hardwareType})`,
      zh: `${interfaceName} 不是以太网接口（硬件类型 ${hardwareType}）`,
    },
  }
}

/** The socket's struct sockaddr_ll, packet(7). */
function nameOf(libc: Libc, fd: number): { hardwareType: number; hardwareAddress: Buffer } {
  const address = Buffer.alloc(SOCKADDR_LL_BYTES)
  check(libc, 'getsockname', libc.getsockname(fd, address, int32(SOCKADDR_LL_BYTES)))
  return { hardwareType: address.readUInt16LE(8), hardwareAddress: Buffer.from(address.subarray(12, 18)) }
}

function packetSocketOn(libc: Libc, fd: number, interfaceName: string): PacketSocket {
  const inbox = new MessageBatch(libc, { capacity: RECEIVE_BATCH, slotBytes: RECEIVE_BYTES })
  const batches = [inbox]
  return {
    interfaceName,
    hardwareAddress: nameOf(libc, fd).hardwareAddress,
    inbox,
    newSendBatch: (layout) => {
      const batch = new MessageBatch(libc, layout)
      batches.push(batch)
      return batch
    },
    sendFrames: (batch, count, first = 0) => {
      const sent = libc.sendmmsg(fd, batch.messagePointer(first), count - first, MSG_DONTWAIT)
      return sent < 0 ? noneUnless(libc, 'sendmmsg', SEND_LATER) : sent
    },
    sendFramesApart: async (batch, count, first = 0) => Math.max(0, await libc.sendmmsgApart(fd, batch.messagePointer(first), count - first, MSG_DONTWAIT)),
    receiveFrames: () => {
      const count = libc.recvmmsg(fd, inbox.messagePointer(0), RECEIVE_BATCH, MSG_DONTWAIT, null)
      return count < 0 ? noneUnless(libc, 'recvmmsg', RECEIVE_LATER) : count
    },
    attachFilter: (program) => attachFilter(libc, fd, program),
    takeLost: () => {
      const statistics = Buffer.alloc(8)
      check(libc, 'PACKET_STATISTICS', libc.getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, statistics, int32(8)))
      return statistics.readUInt32LE(4)
    },
    waitReadable: (timeoutMs) => waitReadable(libc, fd, timeoutMs),
    close: () => {
      libc.close(fd)
      for (const batch of batches) batch.free()
    },
  }
}

const SEND_LATER: readonly number[] = [constants.errno.EAGAIN, constants.errno.ENOBUFS, constants.errno.EINTR]

/** ENETDOWN comes once when the interface goes down; sending then tells that it is gone. */
const RECEIVE_LATER: readonly number[] = [constants.errno.EAGAIN, constants.errno.EINTR, constants.errno.ENETDOWN]

/** 0 for an error that only means "not now"; throws the fault of any other. */
export function noneUnless(libc: Libc, call: string, tolerated: readonly number[]): number {
  return tolerated.includes(libc.errno()) ? 0 : check(libc, call, -1)
}

/** struct sock_fprog holds a pointer, so both it and the program must stand in memory that does not move. */
function attachFilter(libc: Libc, fd: number, program: readonly Instruction[]): void {
  const code = encodeFilter(program)
  const arena = allocateArena(libc, 16 + code.length)
  try {
    arena.bytes.writeUInt16LE(program.length, 0)
    arena.bytes.writeBigUInt64LE(arena.pointer + 16n, 8)
    code.copy(arena.bytes, 16)
    check(libc, 'SO_ATTACH_FILTER', libc.setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, arena.pointer, 16))
  } finally {
    arena.free()
  }
}

export function waitReadable(libc: Libc, fd: number, timeoutMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const settle = (isReadable: boolean): void => {
      clearTimeout(timer)
      watch.stop()
      resolve(isReadable)
    }
    const timer = setTimeout(settle, timeoutMs, false)
    const watch = libc.watchReadable(fd, () => settle(true))
  })
}

export function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32LE(value)
  return bytes
}

const noInterface = (name: string): Fault => ({
  code: 'RAWSOCKET_NO_INTERFACE',
  what: { en: `there is no interface "${name}" here`, zh: `此处没有接口“${name}”` },
})
