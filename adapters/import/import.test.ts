import type { Observation } from '@portcullis/core/inventory/observation.ts'
import { formatAddress, parseAddress, type Address } from '@portcullis/core/net/address.ts'
import { formatPortRange, formatPortRanges } from '@portcullis/core/net/port.ts'
import * as fc from 'fast-check'
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { FaultError } from '@portcullis/core/fault/fault.ts'
import { indexFleet } from './fleetIndex.ts'
import { formatNamed, IMPORT_FORMATS } from './formats.ts'
import type { Skipped } from './importClaims.ts'
import { ImportStream, type ImportResult, type ImportSpec } from './importStream.ts'

const ip = (text: string): Address => {
  const read = parseAddress(text)
  if (!read.ok) throw new Error(text)
  return read.value
}
const NOW = Date.UTC(2026, 10, 29)
const FLEET = indexFleet([{ name: 'srv', addresses: [ip('10.77.0.2'), ip('2001:db8:77::2')] }])

interface Read {
  readonly said: readonly string[]
  readonly result: ImportResult
}

async function read(text: string, spec: Partial<ImportSpec> = {}, size = 64 * 1024): Promise<Read> {
  async function* chunks(): AsyncGenerator<string> {
    for (let at = 0; at < text.length; at += size) yield text.slice(at, at + size)
    await Promise.resolve()
  }
  const stream = new ImportStream({ file: 'f', fleet: FLEET, isLenient: false, now: NOW, ...spec })
  const said: string[] = []
  for await (const batch of stream.observations(chunks())) said.push(...batch.map(words))
  return { said, result: stream.result }
}

function words(each: Observation): string {
  switch (each.kind) {
    case 'scan':
      return [each.protocol, each.port, formatAddress(each.address), each.state, each.service].filter((word) => word !== undefined).join(' ')
    case 'scan-rest':
      return `${each.protocol} ${formatPortRanges(each.ports)} ${formatAddress(each.address)} ${each.state}`
    case 'flow':
      return [each.protocol, each.port, 'from', formatAddress(each.source), `x${each.connections}`, each.verdict, each.isAnswered === true ? 'answered' : undefined, each.service].filter((word) => word !== undefined).join(' ')
    case 'documented':
      return `${each.name} ${each.protocol} ${formatPortRange(each.ports)} ${each.address ? formatAddress(each.address) : 'everywhere'}`
    case 'reading':
      return `read all ${each.covers}`
    case 'listener':
    case 'published':
    case 'evidence':
    case 'use':
    case 'inner-listener':
      throw new Error(`no import makes a ${each.kind}`)
  }
}

const skips = (skipped: readonly Skipped[]): Record<string, number> => Object.fromEntries(skipped.map(({ reason, count }) => [reason, count]))
const fixture = (path: string): string => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8')

const FIXTURES: readonly [file: string, format: string, said: readonly string[], skipped: Readonly<Record<string, number>>][] = [
  ['portcullis/fixtures/scan.json', 'portcullis', ['tcp 8080 10.77.0.2 open http', 'udp 5514 10.77.0.2 open|filtered', 'tcp 8443 2001:db8:77::2 filtered'], { 'state undecided': 1, 'not of the fleet': 1 }],
  ['portcullis/fixtures/rest.json', 'portcullis', [
    'tcp 8080 10.77.0.2 open', 'tcp 8081 10.77.0.2 open', 'tcp 1-8079,8082-8099,8201-8299,8301-9000 10.77.0.2 closed', 'tcp 8100-8200,8300 10.77.0.2 filtered',
    'udp 500-520,528-530 10.77.0.2 open|filtered', 'udp 521-527 10.77.0.2 closed'], {}],
  ['nmap/fixtures/tcpUdp.xml', 'nmap', [
    'tcp 22 10.77.0.2 closed', 'tcp 23 10.77.0.2 filtered', 'tcp 24 10.77.0.2 closed', 'tcp 8080 10.77.0.2 open SimpleHTTPServer 0.6', 'tcp 8443 10.77.0.2 filtered',
    'tcp 9999 10.77.0.2 closed', 'udp 161 10.77.0.2 closed', 'udp 5514 10.77.0.2 open|filtered'], {}],
  ['nmap/fixtures/rest.xml', 'nmap', [
    'tcp 1-8079,8082-8099,8201-8299,8301-9000 10.77.0.2 closed', 'udp 521,526-527,529-530 10.77.0.2 closed', 'tcp 8100-8200 10.77.0.2 filtered', 'tcp 8300 10.77.0.2 filtered',
    'udp 500-520,522-525,528 10.77.0.2 open|filtered', 'tcp 8080 10.77.0.2 open', 'tcp 8081 10.77.0.2 open'], {}],
  // Its table calls 8080 "http-proxy"; nobody has asked the port.
  ['nmap/fixtures/ipv6.xml', 'nmap', ['tcp 8080 2001:db8:77::2 open', 'tcp 8081 2001:db8:77::2 closed'], {}],
  ['masscan/fixtures/states.json', 'masscan', ['tcp 9999 10.77.0.2 closed', 'tcp 8080 10.77.0.2 open'], {}],
  ['nfdump/fixtures/flows.json', 'nfdump', ['tcp 8080 from 10.77.0.9 x2 accepted answered', 'udp 5514 from 10.77.0.9 x1 accepted', 'tcp 8080 from 2001:db8:77::9 x1 accepted answered'], { 'protocol without ports': 12, 'no answer': 3 }],
  ['nfdump/fixtures/empty.json', 'nfdump', [], {}],
  ['ulogd/fixtures/packets.json', 'ulogd', ['tcp 8080 from 10.77.0.9 x6 accepted', 'tcp 8080 from 2001:db8:77::9 x2 accepted', 'tcp 8443 from 10.77.0.9 x3 denied'], {}],
  ['ulogd/fixtures/flows.json', 'ulogd', ['udp 5514 from 10.77.0.9 x4 accepted', 'tcp 8080 from 10.77.0.9 x4 accepted answered', 'udp 161 from 10.77.0.9 x1 accepted', 'tcp 8080 from 2001:db8:77::9 x1 accepted'], { 'no answer': 10, 'protocol without ports': 2 }],
  ['nessus/fixtures/two-hosts.nessus', 'nessus', ['tcp 443 10.77.0.2 open www', 'tcp 8080 10.77.0.2 open'], { 'not about ports': 1, 'told by the host itself': 1, 'not of the fleet': 1 }],
  ['openvas/fixtures/report.xml', 'openvas', ['tcp 443 10.77.0.2 open A TLScustom server answered on this port', 'udp 123 10.77.0.2 open'], { 'not about ports': 1 }],
  ['suricata/fixtures/eve.json', 'suricata', ['tcp 8080 from 10.77.0.9 x1 accepted answered http', 'udp 5514 from 10.77.0.9 x1 accepted', 'tcp 445 from 192.0.2.66 x1 denied'], { 'no answer': 1, 'not about flows': 1, 'protocol without ports': 1 }],
  ['zeek/fixtures/conn.log', 'zeek', ['tcp 8080 from 10.77.0.9 x1 accepted answered http', 'udp 5514 from 10.77.0.9 x1 accepted'], { 'no answer': 1, 'protocol without ports': 1 }],
  ['zeek/fixtures/conn.json', 'zeek', ['tcp 8080 from 10.77.0.9 x1 accepted answered http', 'udp 5514 from 10.77.0.9 x1 accepted'], {}],
  ['vpcflow/fixtures/aws-v2.log', 'vpcflow-aws', ['tcp 8080 from 10.77.0.9 x1 accepted answered', 'tcp 3389 from 192.0.2.66 x1 denied'], { 'protocol without ports': 1, 'no data': 1, 'log lost records': 1 }],
  // Two high ports: only the flags tell that 50051 is the server's.
  ['vpcflow/fixtures/aws-v5.log', 'vpcflow-aws', ['tcp 50051 from 10.77.0.9 x1 accepted answered', 'udp 53 from 2001:db8:77::9 x1 accepted'], { 'no answer': 2 }],
  ['vpcflow/fixtures/aliyun.json', 'vpcflow-aliyun', ['tcp 8080 from 10.77.0.9 x1 accepted'], { 'no data': 1 }],
  ['vpcflow/fixtures/tencent.json', 'vpcflow-tencent', ['tcp 8080 from 10.77.0.9 x1 accepted'], {}],
  ['netbox/fixtures/services.csv', 'netbox', ['web tcp 80 10.77.0.2', 'web tcp 443 10.77.0.2', 'dns udp 53 everywhere', 'read all documented'], { 'not of the fleet': 1 }],
  ['netbox/fixtures/services.json', 'netbox', ['web tcp 80 10.77.0.2', 'web tcp 443 10.77.0.2', 'read all documented'], { 'not of the fleet': 1 }],
]

describe('what each format says', () => {
  test.each(FIXTURES)('%s', async (file, format, said, skipped) => {
    const { said: found, result } = await read(fixture(file))
    expect(result.format).toBe(format)
    expect(found).toEqual(said)
    expect(skips(result.skipped)).toEqual(skipped)
  })

  test.each(FIXTURES)('%s, however it is cut', async (file, format, said) => {
    for (const size of [1, 7, 100]) expect((await read(fixture(file), { format: formatNamed(format) as ImportSpec['format'] & object }, size)).said).toEqual(said)
  })

  test('every format has a fixture', () => {
    expect(new Set(FIXTURES.map(([, format]) => format))).toEqual(new Set(IMPORT_FORMATS.map(({ name }) => name)))
  })

  test('a mark of byte order and CRLF change nothing', async () => {
    expect((await read(`\uFEFF${fixture('netbox/fixtures/services.csv').replaceAll('\n', '\r\n')}`)).said).toHaveLength(4)
  })
})

/** A file that is refused, and where; `lenient` is what is taken over all the same with --skip-malformed. */
const XML_HEAD = '<?xml version="1.0"?>\n<nmaprun start="1795853916">\n'
const HOST = '<host endtime="1795853928"><address addr="10.77.0.2" addrtype="ipv4"/><ports><port protocol="tcp" portid="22"><state state="open"/></port></ports></host>\n'
const REASON = '<extrareasons reason="no-response" count="22" proto="tcp" ports="1-21,23"/>'
const REST = `<host endtime="1795853928"><address addr="10.77.0.2" addrtype="ipv4"/><ports><extraports state="filtered" count="22">${REASON}</extraports></ports></host>\n`
const SCAN = '{"format":"portcullis-scan","version":1,"at":"2026-11-29T22:00:00.000Z","endpoints":[],"counts":{},"rest":[{"address":"10.77.0.2","protocol":"tcp","state":"filtered","ports":"1-21,23"}]}'
const EVE = '{"timestamp":"2026-11-28T08:21:32.6+0000","event_type":"flow","src_ip":"10.77.0.9","src_port":1,"dest_ip":"10.77.0.2","dest_port":22,"proto":"TCP","flow":{"pkts_toclient":1}}'
const MASSCAN = '{"ip":"10.77.0.2","timestamp":"1795853928","ports":[{"port":22,"proto":"tcp","status":"open"}]}'
const AWS = '2 1 eni-1 10.77.0.9 10.77.0.2 49362 22 6 20 4249 1795854092 1795854152 ACCEPT OK'

describe('what is refused', () => {
  test.each<[what: string, text: string, place: string, message: RegExp, lenient: number]>([
    ['no known format', 'hello', '1:1', /not recognised/, -1],
    ['nothing at all', '', '1:1', /not recognised/, -1],
    ['XML that is cut off', `${XML_HEAD}${HOST}<host endtime="1795853928"><addr`, '4:28', /in the middle of a record/, 1],
    ['XML whose tags do not match', `${XML_HEAD}${HOST}<host></ports>`, '4:7', /closes no/, 1],
    ['an entity bomb', '<?xml version="1.0"?>\n<!DOCTYPE nmaprun [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>\n<nmaprun>&b;</nmaprun>', '2:1', /declares something/, 0],
    ['an entity from a file', '<!DOCTYPE nmaprun SYSTEM "x" [<!ENTITY x SYSTEM "file:///etc/passwd">]>\n<nmaprun></nmaprun>', '1:1', /declares something/, 0],
    ['an entity that nobody knows', `${XML_HEAD}<host a="&x;"/></nmaprun>`, '3:1', /entity/, 0],
    ['a character that XML forbids', `${XML_HEAD}<host a="&#0;"/></nmaprun>`, '3:1', /entity/, 0],
    ['XML that is nested too deep', `${XML_HEAD}${'<a>'.repeat(70)}`, '3:190', /nested/, 0],
    ['XML of something else', '<nmaprun2><nmaprun ></nmaprun></nmaprun2>', '1:1', /not a <nmaprun>/, 0],
    ['a second document', `${XML_HEAD}</nmaprun><nmaprun/>`, '3:11', /second document/, 0],
    ['a port that is none', `${XML_HEAD}${HOST}${HOST.replace('"22"', '"70000"')}</nmaprun>`, '4:78', /portid is no port: "70000"/, 1],
    ['ports that are none', `${XML_HEAD}${HOST}${REST.replace('1-21', '1-x')}</nmaprun>`, '4:118', /ports is no list of ports: "1-x,23"/, 1],
    ['a range that is backwards', `${XML_HEAD}${REST.replace('1-21', '21-1')}</nmaprun>`, '3:118', /ports is no list of ports: "21-1,23"/, 0],
    ['more lists of ports than there are reasons', `${XML_HEAD}${REST.replace(REASON, REASON.repeat(257))}</nmaprun>`, `3:${118 + 256 * REASON.length}`, /more than 256 extrareasons/, 256],
    ['a list of ports longer than all ports', `${XML_HEAD}${REST.replace('1-21', '1,'.repeat(200_000))}</nmaprun>`, '3:118', /ports is no list of ports: "1,1,1,/, 0],
    ['ports of our own scan that are none', SCAN.replace('1-21', '1-70000'), '1:108', /ports is no list of ports: "1-70000,23"/, 0],
    ['our own scan of no protocol', SCAN.replace('"protocol":"tcp",', ''), '1:108', /there is no protocol/, 0],
    ['a time that is none', `${XML_HEAD}${HOST.replace('1795853928', 'yesterday')}</nmaprun>`, '3:1', /endtime is no time/, 1],
    ['a line that is not JSON', `${EVE}\n{"event_type": oops}\n${EVE}\n`, '2:1', /not JSON/, 1],
    ['a line that is cut off', `${EVE}\n${EVE.slice(0, 40)}`, '2:41', /not JSON/, 1],
    ['an address that is none', `${EVE}\n${EVE.replace('10.77.0.9', '10.77.0.999')}\n`, '2:1', /src_ip is no address: "10\.77\.0\.999"/, 1],
    ['a port below 0', EVE.replace('"dest_port":22', '"dest_port":-1'), '1:1', /dest_port is no port: "-1"/, 0],
    ['a list that is cut off', `[\n${MASSCAN},\n${MASSCAN.slice(0, 30)}`, '3:31', /in the middle of a record/, 1],
    ['brackets that do not match', `[\n${MASSCAN}\n}`, '3:1', /closes none/, 1],
    ['brackets without end', `[{"ip": ${'['.repeat(100)}`, '1:71', /nested/, 0],
    ['a line with too few columns', `${AWS}\n2 1 eni-1 10.77.0.9\n`, '2:1', /4 columns, not 14/, 1],
    ['an action that nobody knows', `${AWS}\n${AWS.replace('ACCEPT', 'MAYBE')}\n`, '2:1', /action is no ACCEPT or REJECT/, 1],
    ['columns that no header names', '#separator \\x09\n#path\tconn\n1\t2\n', '3:1', /columns/, 0],
    ['CSV whose quotes do not close', 'name,protocol,ports,device\nweb,TCP,"80,srv\n', '2:1', /in the middle of a record/, 0],
    ['CSV with a column too many', 'name,protocol,ports,device\nweb,TCP,80,srv,more\n', '2:1', /5 columns, not 4/, 0],
    ['a port by name', 'name,protocol,ports,device\nweb,TCP,http,srv\n', '2:1', /ports is no port: "http"/, 0],
  ])('%s', async (_, text, place, message, lenient) => {
    const refused = await read(text).then(() => undefined, (error: unknown) => error)
    expect(refused).toBeInstanceOf(FaultError)
    const { fault } = refused as FaultError
    expect(fault.what.en).toMatch(message)
    expect(fault.what.zh).toMatch(/\p{Script=Han}/u)
    expect(`${fault.place?.line}:${fault.place?.column}`).toBe(place)
    if (lenient >= 0) {
      const { said, result } = await read(text, { isLenient: true })
      expect(said).toHaveLength(lenient)
      expect(result.faults).toEqual([fault])
    }
  })

  test('a file that is compressed is told how to be read', async () => {
    await expect(read('\u001F\uFFFD\u0008')).rejects.toThrow(/zcat/)
  })
})

describe('input without end is not held', () => {
  const endless = (start: string, part: string, times: number) =>
    async function* chunks(): AsyncGenerator<string> {
      yield start
      for (let index = 0; index < times; index += 1) yield part
      await Promise.resolve()
    }
  const MIB = 1024 * 1024

  test.each([
    ['a line', EVE.slice(0, 60), 'x'.repeat(MIB)],
    ['an object of a list', '[{"ip":"', 'x'.repeat(MIB)],
    ['an attribute', `${XML_HEAD}<host a="`, 'x'.repeat(MIB)],
    ['a text', `${XML_HEAD}<a>`, 'x'.repeat(MIB)],
    ['a comment', `${XML_HEAD}<!-- `, 'x'.repeat(MIB)],
  ])('%s of 1 GB is refused within a few MB', async (_, start, part) => {
    let taken = 0
    async function* counted(): AsyncGenerator<string> {
      for await (const chunk of endless(start, part, 1024)()) {
        taken += 1
        yield chunk
      }
    }
    const stream = new ImportStream({ file: 'f', fleet: FLEET, isLenient: false, now: NOW, ...(start.startsWith('[') ? { format: formatNamed('masscan') as ImportSpec['format'] & object } : {}), ...(start.startsWith('{') ? { format: formatNamed('suricata') as ImportSpec['format'] & object } : {}) })
    await expect(async () => {
      for await (const batch of stream.observations(counted())) void batch
    }).rejects.toThrow(/IMPORT_TOO_LONG/)
    expect(taken).toBeLessThan(8)
  })

  test('a line that is too long is passed over, and the next is read', async () => {
    const { said, result } = await read(`${EVE}\n${'x'.repeat(3 * MIB)}\n${EVE}\n`, { isLenient: true })
    expect(said).toEqual(['tcp 22 from 10.77.0.9 x2 accepted answered'])
    expect(result.faults.map(({ place }) => place?.line)).toEqual([2])
  })
})

test('whatever a file holds, it is read or refused with a place', async () => {
  const texts = FIXTURES.map(([file]) => fixture(file))
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...texts), fc.nat(), fc.nat(30), fc.string({ maxLength: 12, unit: 'binary' }), fc.boolean(), async (text, at, gone, put, isLenient) => {
      const start = at % text.length
      const changed = text.slice(0, start) + put + text.slice(start + gone)
      try {
        await read(changed, { isLenient })
      } catch (error) {
        expect(error).toBeInstanceOf(FaultError)
        expect((error as FaultError).fault.place?.line).toBeGreaterThan(0)
      }
    }),
    { numRuns: 300 },
  )
}, 60_000)

describe('ports that a scanner did not list', () => {
  test.each<[what: string, text: string, said: readonly string[], skipped: Readonly<Record<string, number>>]>([
    ['an Nmap that does not say which they are', REST.replace(' proto="tcp" ports="1-21,23"', ''), [], { 'summarised by the scanner': 22 }],
    ['one that says it of some', REST.replace('count="22"', 'count="30"'), ['tcp 1-21,23 10.77.0.2 filtered'], { 'summarised by the scanner': 8 }],
    ['in no order, and port 0', REST.replace('1-21,23', '23,0-3,2-21'), ['tcp 1-21,23 10.77.0.2 filtered'], {}],
    ['of port 0 alone', REST.replace('1-21,23', '0').replaceAll('count="22"', 'count="1"'), [], { 'summarised by the scanner': 1 }],
    ['of protocols instead of ports', REST.replace('proto="tcp"', 'proto="ip"'), [], { 'summarised by the scanner': 22 }],
    ['whose state is undecided', REST.replace('state="filtered"', 'state="unfiltered"'), [], { 'state undecided': 22 }],
    ['of a host of others', REST.replace('10.77.0.2', '192.0.2.9'), [], { 'not of the fleet': 1 }],
  ])('%s', async (_, text, said, skipped) => {
    const { said: found, result } = await read(`${XML_HEAD}${text}</nmaprun>`)
    expect([found, skips(result.skipped)]).toEqual([said, skipped])
  })

  test('are counted as what they are', async () => {
    expect((await read(fixture('nmap/fixtures/rest.xml'))).result).toMatchObject({ observations: 7, states: { open: 2, closed: 8901, filtered: 102, 'open|filtered': 26 } })
    expect((await read(SCAN)).said).toEqual(['tcp 1-21,23 10.77.0.2 filtered'])
    expect(skips((await read(SCAN.replace('10.77.0.2', 'fe80::1%eth0'))).result.skipped)).toEqual({ 'not of the fleet': 1 })
  })
})

test('a busy endpoint makes an observation an hour, with what it was, and none is lost', async () => {
  const at = (hour: number, minute: number): string => `2026-11-28T0${hour}:${minute}:00+0000`
  const lines = [at(1, 10), at(1, 50), at(2, 10)].map((time) => EVE.replace('2026-11-28T08:21:32.6+0000', time))
  const { said, result } = await read(lines.join('\n'))
  expect(said).toEqual(['tcp 22 from 10.77.0.9 x2 accepted answered', 'tcp 22 from 10.77.0.9 x1 accepted answered'])
  expect([result.oldest, result.newest]).toEqual([Date.UTC(2026, 10, 28, 1, 10), Date.UTC(2026, 10, 28, 2, 10)])
})
