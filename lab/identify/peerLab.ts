import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { accessSync, constants, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ScanResult } from '@portcullis/adapters/prober/scanResult.ts'
import type { ScanSpec } from '@portcullis/adapters/prober/scanSpec.ts'
import { openNamespaces, type Namespace } from '../netns.ts'
import { PEERS, type Peer, type Served } from './peers.ts'

/** One endpoint, what stands there, and what the prober has said. */
export interface Verdict {
  readonly program: string
  readonly protocol: 'tcp' | 'udp'
  readonly port: number
  readonly place: 'usual' | 'moved'
  readonly expected: string
  readonly said: string
  readonly verdict: 'right' | 'wrong' | 'unknown' | 'not started'
}

const PROBER = new URL('../../adapters/prober/main.ts', import.meta.url).pathname
const START_MS_MAX = 150_000
const MOVED_BY = 20_000
const AT_ONCE = 8

/**
 * Starts each peer that is installed on its usual port and once more on another one's usual port, scans it, and takes it down again.
 * Each try has a namespace of its own, so that several peers may want the same port.
 */
export async function identifyPeers(chosen: (peer: Peer) => boolean, onVerdict: (verdict: Verdict) => void = () => undefined): Promise<{ verdicts: Verdict[]; absent: string[] }> {
  const peers = PEERS.filter(chosen)
  const absent = [...new Set(peers.filter(({ program }) => !isInstalled(program)).map(({ program }) => program))]
  const tries = peers.filter(({ program }) => !absent.includes(program)).flatMap((peer) => [{ peer, place: 'usual' as const }, { peer, place: 'moved' as const }])
  const verdicts: Verdict[] = []
  const keys = makeKeys()
  const queue = tries.entries()
  const work = async (): Promise<void> => {
    for (const [number, { peer, place }] of queue) {
      for (const verdict of await tryPeer(peer, place, number, keys)) {
        verdicts.push(verdict)
        onVerdict(verdict)
      }
    }
  }
  try {
    await Promise.all(Array.from({ length: AT_ONCE }, work))
  } finally {
    rmSync(keys, { recursive: true, force: true })
  }
  return { verdicts, absent }
}

function makeKeys(): string {
  const folder = mkdtempSync('/tmp/portcullis-identify-keys-')
  const [key, certificate] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
  execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=peer.example', '-keyout', key, '-out', certificate], { stdio: 'ignore' })
  writeFileSync(join(folder, 'both.pem'), `${readFileSync(certificate, 'utf8')}${readFileSync(key, 'utf8')}`)
  return folder
}

async function tryPeer(peer: Peer, place: 'usual' | 'moved', number: number, keys: string): Promise<Verdict[]> {
  await using spaces = openNamespaces(`id-${process.pid}-${number}`)
  const space = await spaces.add('peer')
  const folder = mkdtempSync('/tmp/portcullis-identify-')
  const portOf = (served: Served): number => (place === 'usual' ? served.port : peer.cannotMove ? served.port + MOVED_BY : movedPort(served))
  const standsOn = (standard: number): number => {
    const served = peer.serves.find(({ port }) => port === standard)
    return served && !peer.cannotMove ? portOf(served) : standard
  }
  const processes = [launch(space, folder, keys, peer.script(standsOn))]
  if (peer.cannotMove && place === 'moved') processes.push(...peer.serves.map((served) => relay(space, served, portOf(served))))
  try {
    const isUp = await untilListening(space, peer.serves.map((served) => ({ ...served, port: portOf(served) })), processes)
    const result = isUp ? await scan(space, peer.serves.map((served) => ({ ...served, port: portOf(served) }))) : undefined
    return peer.serves.map((served) => judge(peer, served, place, portOf(served), result))
  } finally {
    for (const child of processes) child.kill('SIGKILL')
    await sleep(50)
    rmSync(folder, { recursive: true, force: true })
  }
}

function judge({ program }: Peer, { protocol, service: expected }: Served, place: Verdict['place'], port: number, result: ScanResult | undefined): Verdict {
  const endpoint = result?.endpoints.find((one) => one.protocol === protocol && one.port === port)
  const said = endpoint?.service ?? 'unknown'
  const verdict = !result ? 'not started' : said === expected ? 'right' : said === 'unknown' ? 'unknown' : 'wrong'
  return { program, protocol, port, place, expected, said: result ? said : '', verdict }
}

/** The usual port of some other service: a number that suggests something else. The same for both transports, as daemons have one setting for both. */
export function movedPort({ port }: Served): number {
  const ports = [...new Set(PEERS.filter((peer) => !peer.cannotMove).flatMap(({ serves }) => serves.map((one) => one.port)))].toSorted((a, b) => a - b)
  return ports[(ports.indexOf(port) + Math.floor(ports.length / 2)) % ports.length] ?? port
}

/** Dies with everything it has started: it is the first process of a process namespace. */
function launch({ netns }: Namespace, folder: string, keys: string, script: string): ChildProcess {
  const log = openSync(join('/tmp', `portcullis-identify-${process.pid}.log`), 'a')
  const world = `set -e; mount --make-rprivate /; mount -t tmpfs none ${folder}; mkdir ${folder}/d; chmod 755 ${folder} ${folder}/d
for i in etc var; do mkdir ${folder}/$i ${folder}/$i.work; mount -t overlay none -o lowerdir=/$i,upperdir=${folder}/$i,workdir=${folder}/$i.work /$i; done
mount -t tmpfs -o mode=755 none /run; mount -t tmpfs -o mode=1777 none /dev/shm; mkdir -p /run/lock; chmod 1777 /run/lock
cp ${keys}/*.pem /etc; chmod 644 /etc/key.pem /etc/both.pem; echo 0 >/proc/sys/net/ipv4/ip_unprivileged_port_start
set +e; export D=${folder}/d PATH=$PATH:/usr/sbin:/sbin; cd $D
${script}`
  return spawn('ip', ['netns', 'exec', netns, 'unshare', '--mount', '--uts', '--ipc', '--pid', '--fork', '--kill-child', '--mount-proc', 'sh', '-c', world], { stdio: ['ignore', log, log] })
}

function relay({ netns }: Namespace, { protocol, port }: Served, moved: number): ChildProcess {
  const [listen, to] = protocol === 'tcp' ? ['TCP-LISTEN', 'TCP'] : ['UDP-LISTEN', 'UDP']
  return spawn('ip', ['netns', 'exec', netns, 'socat', `${listen}:${moved},fork,reuseaddr`, `${to}:127.0.0.1:${port}`], { stdio: 'ignore' })
}

async function untilListening({ netns }: Namespace, served: readonly Served[], processes: readonly ChildProcess[]): Promise<boolean> {
  const endMs = performance.now() + START_MS_MAX
  while (performance.now() < endMs) {
    const sockets = execFileSync('ip', ['netns', 'exec', netns, 'ss', '-Hlntu'], { encoding: 'utf8' })
    if (served.every(({ protocol, port }) => new RegExp(`^${protocol}.*[:*]${port} `, 'm').test(sockets))) return true
    if (processes.some(({ exitCode }) => exitCode !== null)) return false
    await sleep(200)
  }
  return false
}

async function scan(space: Namespace, served: readonly Served[]): Promise<ScanResult> {
  const portsOf = (protocol: Served['protocol']): string => served.filter((one) => one.protocol === protocol).map(({ port }) => port).join(',')
  const spec: ScanSpec = { targets: ['127.0.0.1'], ports: portsOf('tcp'), udp: portsOf('udp'), identify: true, udpSecondsMax: 1 }
  return JSON.parse(await space.must([process.execPath, PROBER, '--json-spec', '-'], { input: JSON.stringify(spec) })) as ScanResult
}

function isInstalled(program: string): boolean {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin', '/usr/share/zookeeper/bin']
  return folders.some((folder) => isExecutable(join(folder, program)))
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}
