import { describe, expect, test } from 'vitest'
import { BASIC_OPTIONS, MODULE_OPTIONS } from '@portcullis/core/ruleset/iptables/option.ts'
import { TARGET_NAMES } from '@portcullis/core/ruleset/iptables/target.ts'
import { CT_ORIGINAL_NAMES, CT_NAMES, FIB_NAMES, META_NAMES, PAYLOAD_NAMES } from '@portcullis/core/ruleset/nft/parseField.ts'
import { Dice } from './dice.ts'
import { randomIptables } from './randomIptables.ts'
import { randomIpsets } from './randomIpsets.ts'
import { randomNft } from './randomNft.ts'

const RULESETS = 400
const texts = (make: (dice: Dice) => string): string => Array.from({ length: RULESETS }, (_, seed) => make(new Dice(seed))).join('\n')

/** What the kernel is never asked about, and why. */
const LEFT_OUT: Readonly<Record<string, string>> = {
  '-m udplite': 'iptables has no such module: ports of UDP-Lite are asked by multiport',
  '-m icmpv6': 'another spelling of -m icmp6, which iptables-save prints',
  '--source-port': 'another spelling, which iptables-save never prints',
  '--destination-port': 'another spelling, which iptables-save never prints',
  '--source-ports': 'another spelling, which iptables-save never prints',
  '--destination-ports': 'another spelling, which iptables-save never prints',
  '--ttl': 'another spelling of --ttl-eq',
  QUEUE: 'iptables reads it as NFQUEUE 0',
  ULOG: 'gone from the kernel since 3.17',
  CLUSTERIP: 'gone from the kernel since 6.4; unmodelled',
  TPROXY: 'unmodelled: needs a socket that listens',
  SYNPROXY: 'unmodelled: answers itself',
  TEE: 'unmodelled: a second packet would be counted',
  TRACE: 'of the raw table; writes to the trace of the whole machine',
  AUDIT: 'writes to the audit log of the whole machine',
  SECMARK: 'needs a security module',
  CONNSECMARK: 'needs a security module',
  LED: 'needs a lamp',
  IDLETIMER: 'needs sysfs, which a network namespace does not own',
  RATEEST: 'needs a module that few kernels have; decides nothing',
  CHECKSUM: 'mangle alone; decides nothing',
  CLASSIFY: 'decides nothing',
  TCPMSS: 'changes options of TCP, which no match of the model reads',
  TCPOPTSTRIP: 'changes options of TCP, which no match of the model reads',
  TOS: 'would change what dscp reads, which the model takes as it arrived',
  DSCP: 'would change what dscp reads, which the model takes as it arrived',
  ECN: 'changes flags of TCP',
  TTL: 'would change what ttl reads, which the model takes as it arrived',
  HL: 'would change what ttl reads, which the model takes as it arrived',
  NETMAP: 'its target is unknown to the model',
}

describe(`random iptables rulesets, ${RULESETS} of each family, say everything that the parser models`, () => {
  const text = texts((dice) => randomIptables(dice, 4) + randomIptables(dice, 6))
  const words = new Set(text.split(/\s+/))

  test('options of the rule itself', () => {
    expect(missing(Object.keys(BASIC_OPTIONS), (name) => words.has(name))).toEqual([])
  })

  test.each(Object.entries(MODULE_OPTIONS))('module %s', (name, options) => {
    if (Object.hasOwn(LEFT_OUT, `-m ${name}`)) return
    expect(text.includes(`-m ${name} `)).toBe(true)
    const inModule = [...text.matchAll(new RegExp(`-m ${name}( [^\n]*)`, 'g'))].map((match) => match[1]).join(' ')
    expect(missing(Object.keys(options), (option) => new RegExp(`(?<= )${option}(?= |$)`, 'm').test(inModule))).toEqual([])
  })

  test('targets', () => {
    expect(missing(TARGET_NAMES, (name) => text.includes(`-j ${name} `) || text.includes(`-j ${name}\n`))).toEqual([])
  })

  test('nothing is left out that the parser does not know', () => {
    const known = new Set([...TARGET_NAMES, ...Object.entries(MODULE_OPTIONS).flatMap(([name, options]) => [`-m ${name}`, ...Object.keys(options)])])
    expect(Object.keys(LEFT_OUT).filter((name) => !known.has(name))).toEqual([])
  })

  test('types of ipset', () => {
    const sets = texts((dice) => randomIpsets(dice))
    const types = ['hash:ip', 'hash:net', 'hash:mac', 'hash:ip,port', 'hash:ip,mark', 'hash:ip,mac', 'hash:net,port', 'hash:net,net', 'hash:net,iface', 'hash:ip,port,ip', 'hash:ip,port,net', 'hash:net,port,net', 'bitmap:ip', 'bitmap:port', 'bitmap:ip,mac', 'list:set']
    expect(types.filter((type) => !new RegExp(`create \\S+ ${type}(?: |$)`, 'm').test(sets))).toEqual([])
    for (const [name] of sets.matchAll(/(?<=^create )\S+/gm)) expect([name, text.includes(`--match-set ${name} `)]).toEqual([name, true])
  })
})

describe(`random nft rulesets, ${RULESETS} of them, say everything that the parser models`, () => {
  const text = texts((dice) => randomNft(dice))

  test.each(Object.entries(PAYLOAD_NAMES))('fields of %s', (protocol, names) => {
    expect(names.filter((name) => !new RegExp(`\\b${protocol} (?:${name})\\b`).test(text))).toEqual([])
  })

  test('meta', () => {
    // nft reads these four without the word.
    expect(META_NAMES.filter((name) => !new RegExp(/^[io]if(?:name)?$/.test(name) ? `(?<!meta )\\b${name} ` : `meta ${name}\\b`).test(text))).toEqual([])
  })

  test('ct', () => {
    expect(CT_NAMES.filter((name) => !text.includes(`ct ${name} `))).toEqual([])
    expect(CT_ORIGINAL_NAMES.filter((name) => !text.includes(`ct original ${name} `))).toEqual([])
  })

  test('fib', () => {
    const asked = new Set([...text.matchAll(/fib ([a-z]+(?: \. [a-z]+)*) (type|oif) /g)].map(([, flags = '', result]) => `${result} ${flags.split(' . ').toSorted().join('.')}`))
    expect(FIB_NAMES.filter((name) => !asked.has(name))).toEqual([])
  })

  test.each(['accept', 'drop', 'reject', 'return', 'continue', 'jump', 'goto', 'queue', 'vmap', 'map', 'dnat', 'snat', 'masquerade', 'redirect', 'notrack', 'counter', 'log', 'limit', 'quota', 'update', 'add', 'numgen', 'exthdr', 'flags dynamic', 'flags interval, timeout'])('%s', (word) => {
    expect(new RegExp(`\\b${word}\\b`).test(text)).toBe(true)
  })
})

const missing = (names: readonly string[], isSaid: (name: string) => boolean): string[] => names.filter((name) => !isSaid(name) && !Object.hasOwn(LEFT_OUT, name))
