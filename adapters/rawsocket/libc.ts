import { constants } from 'node:os'
import { fail, FaultError, succeed, type Fault, type Result } from '@portcullis/core/fault/fault.ts'

/** Memory that C may keep a pointer to: koffi's handle of it. */
export type NativePointer = object | bigint

/** The system calls that raw sockets need, with C's own argument order. Each answers −1 and sets errno when it fails. */
export interface Libc {
  socket(domain: number, type: number, protocol: number): number
  bind(fd: number, address: Uint8Array, length: number): number
  getsockname(fd: number, address: Uint8Array, length: Uint8Array): number
  setsockopt(fd: number, level: number, name: number, value: Uint8Array | NativePointer, length: number): number
  getsockopt(fd: number, level: number, name: number, value: Uint8Array, length: Uint8Array): number
  sendto(fd: number, data: Uint8Array, length: number, flags: number, address: Uint8Array, addressLength: number): number
  sendmmsg(fd: number, messages: NativePointer, count: number, flags: number): number
  /** sendmmsg on a thread of its own; without errno, which belongs to that thread. */
  sendmmsgApart(fd: number, messages: NativePointer, count: number, flags: number): Promise<number>
  recvmmsg(fd: number, messages: NativePointer, count: number, flags: number, timeout: null): number
  close(fd: number): number
  interfaceIndex(name: string): number
  errno(): number
  /** Zeroed memory that never moves. */
  allocate(bytes: number): NativePointer
  free(memory: NativePointer): void
  addressOf(memory: NativePointer): bigint
  /** The memory itself, not a copy. */
  view(memory: NativePointer, bytes: number): ArrayBuffer
  /** Calls back each time the descriptor is readable, until stopped. */
  watchReadable(fd: number, onReadable: () => void): { stop(): void }
}

let loading: Promise<Result<Libc>> | undefined

/** Loads koffi on first use only: most commands never open a raw socket. Fault: RAWSOCKET_UNSUPPORTED. */
export function loadLibc(): Promise<Result<Libc>> {
  loading ??= load()
  return loading
}

/** The fault of the system call that has just failed. */
export function systemCallFault(libc: Libc, call: string): Fault {
  const errno = libc.errno()
  if (errno === constants.errno.EPERM || errno === constants.errno.EACCES) return NO_CAPABILITY
  const name = errorName(errno)
  return {
    code: 'RAWSOCKET_SYSTEM_CALL',
    what: { en: `${call} failed: ${name}`, zh: `系统调用 ${call} 失败：${name}` },
  }
}

export const errorName = (errno: number): string =>
  Object.entries(constants.errno).find(([, number]) => number === errno)?.[0] ?? `errno ${errno}`

/** For the calls that cannot fail unless the code is wrong or the interface has just gone. */
export function check(libc: Libc, call: string, returned: number): number {
  if (returned < 0) throw new FaultError(systemCallFault(libc, call))
  return returned
}

async function load(): Promise<Result<Libc>> {
  // The layouts of mmsghdr and iovec below are those of 64-bit little-endian Linux.
  if (process.platform !== 'linux' || !['x64', 'arm64'].includes(process.arch)) {
    return fail(unsupported(`${process.platform}-${process.arch}`))
  }
  try {
    return succeed(bindCalls((await import('koffi')).default))
  } catch (cause) {
    return fail(unsupported(cause instanceof Error ? cause.message : String(cause)))
  }
}

function bindCalls(koffi: (typeof import('koffi'))['default']): Libc {
  // Not by file name: Node itself has libc loaded, be it glibc or musl.
  const c = koffi.load(null)
  const sendmmsg = c.func('int sendmmsg(int, void *, uint32_t, int)')
  return {
    socket: c.func('int socket(int, int, int)'),
    bind: c.func('int bind(int, const void *, uint32_t)'),
    getsockname: c.func('int getsockname(int, void *, void *)'),
    setsockopt: c.func('int setsockopt(int, int, int, void *, uint32_t)'),
    getsockopt: c.func('int getsockopt(int, int, int, void *, void *)'),
    sendto: c.func('intptr_t sendto(int, const void *, size_t, int, const void *, uint32_t)'),
    sendmmsg,
    sendmmsgApart: (...args) => new Promise((resolve, reject) => sendmmsg.async(...args, (error: Error | null, sent: number) => (error ? reject(error) : resolve(sent)))),
    recvmmsg: c.func('int recvmmsg(int, void *, uint32_t, int, void *)'),
    close: c.func('int close(int)'),
    interfaceIndex: c.func('uint32_t if_nametoindex(const char *)'),
    errno: () => koffi.errno(),
    allocate: (bytes) => koffi.alloc('uint8_t', bytes) as NativePointer,
    free: (memory) => koffi.free(memory),
    addressOf: (memory) => koffi.address(memory),
    view: (memory, bytes) => koffi.view(memory, bytes),
    watchReadable: (fd, onReadable) => {
      const handle = koffi.node.poll(fd, { readable: true }, onReadable)
      return { stop: () => handle.close() }
    },
  }
}

const NO_CAPABILITY: Fault = {
  code: 'RAWSOCKET_NO_CAPABILITY',
  what: { en: 'raw sockets need CAP_NET_RAW and CAP_NET_ADMIN', zh: '原始套接字需要 CAP_NET_RAW 和 CAP_NET_ADMIN 权限' },
  next: { en: 'run as root', zh: '请以 root 身份运行' },
}

const unsupported = (because: string): Fault => ({
  code: 'RAWSOCKET_UNSUPPORTED',
  what: { en: `raw sockets are not available here: ${because}`, zh: `此环境不支持原始套接字：${because}` },
  next: { en: 'they need 64-bit Linux on x64 or arm64', zh: '需要 x64 或 arm64 的 64 位 Linux' },
})
