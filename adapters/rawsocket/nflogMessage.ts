// linux/netfilter/nfnetlink_log.h
const NFULNL_MSG_PACKET = 4 << 8
const NLMSG_HEADER_BYTES = 16
const NFGENMSG_BYTES = 4
const NFULA_PACKET_HDR = 1
const NFULA_IFINDEX_INDEV = 4
const NFULA_PAYLOAD = 9
const NFULA_PREFIX = 10
const ATTRIBUTE_TYPE_MASK = 0x3fff

export interface NflogPacket {
  /** Ethernet type of the packet: 0x0800 or 0x86dd; 0 if the kernel did not say. */
  etherType: number
  /** Netfilter hook: 0 prerouting, 1 input, 2 forward, 3 output, 4 postrouting. */
  hook: number
  /** Index of the interface that it came in by; 0 if none. */
  inputInterface: number
  prefix: string
  /** From the network header on. */
  payload: Buffer
}

const NO_BYTES = Buffer.alloc(0)

/**
 * Reads one datagram, which holds a row of netlink messages, and calls back for each packet in it; answers how many.
 * One object is used for all calls. Throws RangeError on a length that leaves the datagram: the kernel never sends one.
 */
export function readPackets(datagram: Buffer, onPacket: (packet: NflogPacket) => void): number {
  const packet: NflogPacket = { etherType: 0, hook: 0, inputInterface: 0, prefix: '', payload: NO_BYTES }
  let count = 0
  for (let at = 0; at + NLMSG_HEADER_BYTES <= datagram.length; ) {
    const length = datagram.readUInt32LE(at)
    if (length < NLMSG_HEADER_BYTES || at + length > datagram.length) throw new RangeError(`netlink message of ${length} bytes`)
    if (datagram.readUInt16LE(at + 4) === NFULNL_MSG_PACKET) {
      readAttributes(datagram, at + NLMSG_HEADER_BYTES + NFGENMSG_BYTES, at + length, packet)
      onPacket(packet)
      count += 1
    }
    at += align(length)
  }
  return count
}

function readAttributes(datagram: Buffer, start: number, end: number, packet: NflogPacket): void {
  packet.etherType = 0
  packet.hook = 0
  packet.inputInterface = 0
  packet.prefix = ''
  packet.payload = NO_BYTES
  for (let at = start; at + 4 <= end; ) {
    const length = datagram.readUInt16LE(at)
    if (length < 4 || at + length > end) throw new RangeError(`netlink attribute of ${length} bytes`)
    readAttribute(datagram, datagram.readUInt16LE(at + 2) & ATTRIBUTE_TYPE_MASK, at + 4, at + length, packet)
    at += align(length)
  }
}

function readAttribute(datagram: Buffer, type: number, start: number, end: number, packet: NflogPacket): void {
  switch (type) {
    case NFULA_PACKET_HDR:
      packet.etherType = datagram.readUInt16BE(start)
      packet.hook = datagram.readUInt8(start + 2)
      break
    case NFULA_IFINDEX_INDEV:
      packet.inputInterface = datagram.readUInt32BE(start)
      break
    case NFULA_PREFIX:
      packet.prefix = datagram.toString('utf8', start, end - 1)
      break
    case NFULA_PAYLOAD:
      packet.payload = datagram.subarray(start, end)
      break
    default:
  }
}

const align = (bytes: number): number => (bytes + 3) & ~3
