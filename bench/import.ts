import { spawnSync } from 'node:child_process'
import { createReadStream, createWriteStream, mkdtempSync, rmSync, statSync } from 'node:fs'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { indexFleet } from '@portcullis/adapters/import/fleetIndex.ts'
import { formatNamed } from '@portcullis/adapters/import/formats.ts'
import { ImportStream } from '@portcullis/adapters/import/importStream.ts'

export const title = 'Read scans and flow logs to observations: 26 MB of Nmap XML (at most 1 s and 100 MB resident), 300,000 lines of each log'

const HOSTS = 1000
const ADDRESSES = Array.from({ length: HOSTS }, (_, index) => `10.${index >> 8}.${index & 255}.2`)
const LINES = 300_000

/** `import` runs all, each in a process of its own, so that memory is that of one; `import read FORMAT FILE` is such a process. */
export async function run(args: readonly string[]): Promise<void> {
  if (args[0] === 'read') return read(args[1] ?? '', args[2] ?? '')
  const folder = mkdtempSync(join(tmpdir(), 'portcullis-import-'))
  try {
    for (const [format, records] of Object.entries(INPUTS).filter(([name]) => args.length === 0 || args.includes(name))) {
      const file = join(folder, format)
      await write(file, records())
      // The first run warms the file cache, and nothing else.
      for (const round of [1, 2]) {
        const child = spawnSync(process.execPath, [join(import.meta.dirname, 'main.ts'), 'import', 'read', format, file], { encoding: 'utf8' })
        if (round === 2) process.stdout.write(child.stdout + child.stderr)
      }
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

async function read(format: string, file: string): Promise<void> {
  const fleet = indexFleet(ADDRESSES.map((address, index) => ({ name: `host-${index}`, addresses: [{ family: 4, value: valueOf(address) }] })))
  const found = formatNamed(format)
  const before = process.resourceUsage().maxRSS
  const cpu = process.cpuUsage()
  const started = performance.now()
  const stream = new ImportStream({ file, fleet, isLenient: false, now: Date.UTC(2026, 0, 1), ...(found ? { format: found } : {}) })
  let observations = 0
  const chunks = createReadStream(file, { encoding: 'utf8', highWaterMark: 16 * 1024 }) as AsyncIterable<string>
  for await (const batch of stream.observations(chunks)) observations += batch.length
  const seconds = (performance.now() - started) / 1000
  const { user, system } = process.cpuUsage(cpu)
  const { records } = stream.result
  const megabytes = statSync(file).size / 1e6
  const rss = (process.resourceUsage().maxRSS * 1024) / 1e6
  console.log(
    `${format.padEnd(16)} ${megabytes.toFixed(1).padStart(6)} MB  ${String(records).padStart(7)} records → ${String(observations).padStart(7)} observations  ${seconds.toFixed(2)} s (${((user + system) / 1e6).toFixed(2)} s of CPU)  ${Math.round(records / seconds / 1000).toString().padStart(5)} k records/s  ${rss.toFixed(0)} MB resident at most (${((before * 1024) / 1e6).toFixed(0)} before)`,
  )
}

const INPUTS: Readonly<Record<string, () => Iterable<string>>> = {
  nmap: nmapXml,
  masscan: () => listOf((index) => `{   "ip": "${hostOf(index)}",   "timestamp": "${1_795_000_000 + index}", "ports": [ {"port": ${(index % 60_000) + 1}, "proto": "tcp", "status": "open", "reason": "syn-ack", "ttl": 64} ] }`),
  nfdump: () =>
    listOf((index) => `{\n\t"type" : "FLOW",\n\t"first" : "2026-11-28T08:18:33.643",\n\t"last" : "2026-11-28T08:18:34.643",\n\t"in_packets" : 9,\n\t"in_bytes" : 1072,\n\t"proto" : 6,\n\t"tcp_flags" : "...AP.SF",\n\t"src_port" : ${40_000 + (index % 9000)},\n\t"dst_port" : 443,\n\t"src4_addr" : "${clientOf(index)}",\n\t"dst4_addr" : "${hostOf(index)}"\n}`),
  ulogd: () =>
    linesOf((index) => `{"timestamp": "2026-11-28T08:21:32.618729", "oob.prefix": "accept-in: ", "ip.protocol": 6, "src_port": ${40_000 + (index % 9000)}, "dest_port": 443, "tcp.ack": 0, "tcp.syn": 1, "src_ip": "${clientOf(index)}", "dest_ip": "${hostOf(index)}"}`),
  suricata: () =>
    linesOf((index) => `{"timestamp":"2026-11-28T08:21:32.618729+0000","flow_id":${index},"event_type":"flow","src_ip":"${clientOf(index)}","src_port":${40_000 + (index % 9000)},"dest_ip":"${hostOf(index)}","dest_port":443,"proto":"TCP","app_proto":"tls","flow":{"pkts_toserver":9,"pkts_toclient":8,"bytes_toserver":1200,"bytes_toclient":5200,"start":"2026-11-28T08:21:30.618729+0000","end":"2026-11-28T08:21:32.618729+0000","state":"closed","reason":"timeout"}}`),
  zeek: zeekTsv,
  'vpcflow-aws': () => linesOf((index) => `2 123456789010 eni-1235b8ca123456789 ${clientOf(index)} ${hostOf(index)} ${40_000 + (index % 9000)} 443 6 20 4249 1795854092 1795854152 ACCEPT OK`),
}

const hostOf = (index: number): string => ADDRESSES[index % HOSTS] ?? ''
const clientOf = (index: number): string => `192.0.2.${(index * 7) % 254}`

function* linesOf(line: (index: number) => string): Iterable<string> {
  for (let index = 0; index < LINES; index += 1) yield `${line(index)}\n`
}

function* listOf(item: (index: number) => string): Iterable<string> {
  yield '[\n'
  for (let index = 0; index < LINES; index += 1) yield `${index === 0 ? '' : ',\n'}${item(index)}`
  yield '\n]\n'
}

/** As nmap writes them: 1000 hosts with 150 ports each are 26 MB. */
function* nmapXml(): Iterable<string> {
  yield '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE nmaprun>\n<nmaprun scanner="nmap" args="nmap" start="1795853916" version="7.93" xmloutputversion="1.05">\n'
  for (const address of ADDRESSES) {
    yield `<host starttime="1795853916" endtime="1795853928"><status state="up" reason="arp-response" reason_ttl="0"/>\n<address addr="${address}" addrtype="ipv4"/>\n<hostnames>\n</hostnames>\n<ports>`
    for (let port = 1; port <= 150; port += 1) yield `<port protocol="tcp" portid="${port}"><state state="${port % 3 ? 'open' : 'filtered'}" reason="syn-ack" reason_ttl="64"/><service name="http" product="nginx" version="1.22.1" method="probed" conf="10"/></port>\n`
    yield '</ports>\n<times srtt="21" rttvar="677" to="100000"/>\n</host>\n'
  }
  yield '<runstats><finished time="1795853928"/></runstats>\n</nmaprun>\n'
}

function* zeekTsv(): Iterable<string> {
  yield '#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tconn\n#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tservice\tduration\torig_bytes\tresp_bytes\tconn_state\n'
  yield* linesOf((index) => `1795854092.123456\tC${index}\t${clientOf(index)}\t${40_000 + (index % 9000)}\t${hostOf(index)}\t443\ttcp\tssl\t1.5\t1200\t5200\tSF`)
}

async function write(file: string, parts: Iterable<string>): Promise<void> {
  const stream = createWriteStream(file)
  for (const part of parts) if (!stream.write(part)) await once(stream, 'drain')
  stream.end()
  await once(stream, 'close')
}

const valueOf = (address: string): bigint => address.split('.').reduce((value, part) => (value << 8n) | BigInt(part), 0n)
