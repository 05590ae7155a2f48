import { asUser, untilReady, type Daemon } from './daemon.ts'
import type { ServiceSpec } from './spec.ts'

export const redis: Daemon<Extract<ServiceSpec, { daemon: 'redis' }>> = async (host, spec) => {
  const bind = spec.scope === 'network' ? ['*', '-::*'] : ['127.0.0.1', '-::1']
  const options = ['--port', '6379', '--protected-mode', 'no', '--save', '', '--dir', '/tmp', '--bind', ...bind]
  host.start('redis', asUser('redis', ['redis-server', ...options]))
  await untilReady(host, 'redis', async () => (await host.run(['redis-cli', 'ping'])).stdout.trim() === 'PONG')
}
