import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { spawn } from 'node:child_process'
import { chooseIptables, coverWithNothing, run, until, write, type Tool } from './tool.ts'

const BANNED: readonly string[] = ['198.51.100.7', '10.9.0.5', '2001:db8:7::7']
const ACTIONS = { nft: 'nftables', 'iptables-nft': 'iptables', 'iptables-legacy': 'iptables' } as const

export const FAIL2BAN: Tool = {
  backends: ['nft', 'iptables-nft', 'iptables-legacy'],
  async load(place) {
    chooseIptables(place)
    coverWithNothing('/run')
    const folder = join(place.folder, 'fail2ban')
    cpSync('/etc/fail2ban', folder, { recursive: true })
    const log = write(join(place.folder, 'auth.log'), '')
    const action = ACTIONS[place.backend]
    write(join(folder, 'jail.d/defaults-debian.conf'), `[DEFAULT]\nusedns = no\n[sshd]\nenabled = true\nbackend = polling\nlogpath = ${log}\nbanaction = ${action}[type=multiport]\nport = 22,8080\n[nginx-http-auth]\nenabled = true\nbackend = polling\nlogpath = ${log}\nbanaction = ${action}[type=allports, blocktype=${place.backend === 'nft' ? 'drop' : 'DROP'}]\n`)
    const socket = join(place.folder, 'f2b.sock')
    const server = spawn('fail2ban-server', ['-f', '-c', folder, '-s', socket, '-p', join(place.folder, 'f2b.pid'), '--logtarget', join(place.folder, 'f2b.log'), 'start'], { stdio: 'ignore' })
    const client = (...words: readonly string[]): string => run('fail2ban-client', '-c', folder, '-s', socket, ...words)
    await until(() => isAnswering(client), 'fail2ban')
    for (const [index, address] of BANNED.entries()) client('set', index === 1 ? 'nginx-http-auth' : 'sshd', 'banip', address)
    await until(() => BANNED.every((address) => rulesOf(place.backend).includes(address)), 'the bans')
    return () => server.kill()
  },
}

const rulesOf = (backend: keyof typeof ACTIONS): string => (backend === 'nft' ? run('nft', 'list', 'ruleset') : run('iptables-save') + run('ip6tables-save'))

function isAnswering(client: (...words: readonly string[]) => string): boolean {
  try {
    return client('status').includes('nginx-http-auth')
  } catch {
    return false
  }
}
