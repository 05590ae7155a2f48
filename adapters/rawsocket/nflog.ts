import { constants } from 'node:os'
import { fail, succeed, type Fault, type Result } from '@portcullis/core/fault/fault.ts'
import { check, errorName, loadLibc, systemCallFault, type Libc } from './libc.ts'
import { MessageBatch } from './messageBatch.ts'
import { readPackets, type NflogPacket } from './nflogMessage.ts'
import { int32, noneUnless, waitReadable } from './packetSocket.ts'

// linux/netlink.h, linux/netfilter/nfnetlink.h, linux/netfilter/nfnetlink_log.h
const AF_NETLINK = 16
const SOCK_RAW_NONBLOCKING_CLOEXEC = 3 | 0o4000 | 0o2000000
const NETLINK_NETFILTER = 12
const SOL_SOCKET = 1
const SO_RCVBUFFORCE = 33
const MSG_DONTWAIT = 0x40
const NLM_F_REQUEST_ACK = 0x1 | 0x4
const NLMSG_ERROR = 2
const NFULNL_MSG_CONFIG = (4 << 8) | 1
const NFULA_CFG_CMD = 1
const NFULA_CFG_MODE = 2
const NFULA_CFG_NLBUFSIZ = 3
const NFULA_CFG_TIMEOUT = 4
const NFULA_CFG_QTHRESH = 5
const NFULNL_CFG_CMD_BIND = 1
const NFULNL_COPY_PACKET = 2

const RECEIVE_BUFFER_BYTES = 64 * 1024 * 1024
/** The kernel's own limit of one log message, NFULNL_NLBUFSIZ_MAX in net/netfilter/nfnetlink_log.c. */
const MESSAGE_BYTES_MAX = 131_072
const RECEIVE_BATCH = 16
const ACK_WAIT_MS = 1000

export interface NflogOptions {
  /** Bytes of each packet that the kernel copies, from the network header on. */
  readonly copyBytes: number
  /** Packets that the kernel gathers before it sends them up. */
  readonly queueThreshold: number
  /** Hundredths of a second after which it sends up fewer. */
  readonly flushCentiseconds: number
}

/** The packets that rules with `log group N` hand to user space, in this network namespace. */
export interface NflogSocket {
  /** Calls back for each packet that has arrived, in order; answers how many. The payload is only valid during the call. */
  receive(onPacket: (packet: NflogPacket) => void): number
  /** Receive buffer overruns since the last call. Each lost at least one packet: how many is not told. */
  takeOverruns(): number
  waitReadable(timeoutMs: number): Promise<boolean>
  close(): void
}

/** Faults: NFLOG_GROUP_TAKEN, RAWSOCKET_NO_CAPABILITY, RAWSOCKET_UNSUPPORTED, RAWSOCKET_SYSTEM_CALL. */
export async function openNflog(group: number, options: Partial<NflogOptions> = {}): Promise<Result<NflogSocket>> {
  const loaded = await loadLibc()
  if (!loaded.ok) return loaded
  const libc = loaded.value
  const fd = libc.socket(AF_NETLINK, SOCK_RAW_NONBLOCKING_CLOEXEC, NETLINK_NETFILTER)
  if (fd < 0) return fail(systemCallFault(libc, 'socket'))
  const settings = { copyBytes: 80, queueThreshold: 64, flushCentiseconds: 5, ...options }
  const fault = await configure(libc, fd, group, settings)
  if (fault) {
    libc.close(fd)
    return fail(fault)
  }
  return succeed(nflogSocketOn(libc, fd))
}

async function configure(libc: Libc, fd: number, group: number, options: NflogOptions): Promise<Fault | undefined> {
  const address = Buffer.alloc(12)
  address.writeUInt16LE(AF_NETLINK, 0)
  check(libc, 'bind', libc.bind(fd, address, address.length))
  if (libc.setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, int32(RECEIVE_BUFFER_BYTES), 4) < 0) {
    return systemCallFault(libc, 'SO_RCVBUFFORCE')
  }
  const mode = Buffer.alloc(6)
  mode.writeUInt32BE(options.copyBytes, 0)
  mode.writeUInt8(NFULNL_COPY_PACKET, 4)
  const steps = [
    attribute(NFULA_CFG_CMD, Buffer.from([NFULNL_CFG_CMD_BIND])),
    attribute(NFULA_CFG_MODE, mode),
    attribute(NFULA_CFG_NLBUFSIZ, uint32(MESSAGE_BYTES_MAX)),
    attribute(NFULA_CFG_TIMEOUT, uint32(options.flushCentiseconds)),
    attribute(NFULA_CFG_QTHRESH, uint32(options.queueThreshold)),
  ]
  for (const step of steps) {
    const errno = await request(libc, fd, configMessage(group, step))
    if (errno !== 0) return refused(group, errno)
  }
  return undefined
}

/** Sends one message and waits for its acknowledgement: 0 or the errno it carries. */
async function request(libc: Libc, fd: number, message: Buffer): Promise<number> {
  const kernel = Buffer.alloc(12)
  kernel.writeUInt16LE(AF_NETLINK, 0)
  check(libc, 'sendto', libc.sendto(fd, message, message.length, 0, kernel, kernel.length))
  const inbox = new MessageBatch(libc, { capacity: 1, slotBytes: MESSAGE_BYTES_MAX })
  try {
    const until = performance.now() + ACK_WAIT_MS
    while (performance.now() < until) {
      if (libc.recvmmsg(fd, inbox.messagePointer(0), 1, MSG_DONTWAIT, null) < 1) await waitReadable(libc, fd, ACK_WAIT_MS)
      else if (inbox.bytes.readUInt16LE(inbox.slotOffset(0) + 4) === NLMSG_ERROR) {
        return -inbox.bytes.readInt32LE(inbox.slotOffset(0) + 16)
      }
    }
    return constants.errno.ETIMEDOUT
  } finally {
    inbox.free()
  }
}

function configMessage(group: number, body: Buffer): Buffer {
  const message = Buffer.alloc(20 + body.length)
  message.writeUInt32LE(message.length, 0)
  message.writeUInt16LE(NFULNL_MSG_CONFIG, 4)
  message.writeUInt16LE(NLM_F_REQUEST_ACK, 6)
  message.writeUInt16BE(group, 18)
  body.copy(message, 20)
  return message
}

function attribute(type: number, value: Buffer): Buffer {
  const bytes = Buffer.alloc((4 + value.length + 3) & ~3)
  bytes.writeUInt16LE(4 + value.length, 0)
  bytes.writeUInt16LE(type, 2)
  value.copy(bytes, 4)
  return bytes
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

function nflogSocketOn(libc: Libc, fd: number): NflogSocket {
  const inbox = new MessageBatch(libc, { capacity: RECEIVE_BATCH, slotBytes: MESSAGE_BYTES_MAX })
  let overruns = 0
  return {
    receive: (onPacket) => {
      const count = libc.recvmmsg(fd, inbox.messagePointer(0), RECEIVE_BATCH, MSG_DONTWAIT, null)
      // A full buffer is told once, by ENOBUFS in place of a message (netlink(7), BUGS).
      if (count < 0 && libc.errno() === constants.errno.ENOBUFS) overruns += 1
      else if (count < 0) noneUnless(libc, 'recvmmsg', [constants.errno.EAGAIN, constants.errno.EINTR])
      let packets = 0
      for (let index = 0; index < count; index++) packets += readPackets(inbox.received(index), onPacket)
      return packets
    },
    takeOverruns: () => {
      const taken = overruns
      overruns = 0
      return taken
    },
    waitReadable: (timeoutMs) => waitReadable(libc, fd, timeoutMs),
    close: () => {
      libc.close(fd)
      inbox.free()
    },
  }
}

function refused(group: number, errno: number): Fault {
  // CAP_NET_ADMIN was there for SO_RCVBUFFORCE, so this is the other meaning that nfulnl_recv_config() has for EPERM.
  if (errno === constants.errno.EPERM || errno === constants.errno.EBUSY) {
    return {
      code: 'NFLOG_GROUP_TAKEN',
      what: { en: `another process reads log group ${group}`, zh: `日志组 ${group} 已被其他进程占用` },
    }
  }
  const name = errorName(errno)
  return {
    code: 'RAWSOCKET_SYSTEM_CALL',
    what: { en: `the kernel refused log group ${group}: ${name}`, zh: `内核拒绝日志组 ${group}：${name}` },
  }
}
