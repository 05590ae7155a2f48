import type { Contender } from './contender.ts'
import { closeSocket, inNamespace, openServer } from '../cable/thread.ts'

/** Sockets that take what a workload sends, on each contender. They end up in the hosts' namespaces, but belong to this process. */
export class Servers {
  readonly #protocol: 'tcp' | 'udp'
  readonly #ports: readonly number[]
  readonly #open = new Map<Contender, readonly number[]>()

  constructor(protocol: 'tcp' | 'udp', targets: readonly { readonly port: number }[]) {
    this.#protocol = protocol
    this.#ports = [...new Set(targets.map(({ port }) => port))]
  }

  async at(contender: Contender): Promise<readonly number[]> {
    const open = this.#open.get(contender) ?? (await inNamespace(contender.host.netns, () => this.#ports.map((port) => openServer(this.#protocol, port))))
    this.#open.set(contender, open)
    return open
  }

  /** Which of the sockets takes what comes to the port. */
  indexOf(port: number): number {
    return this.#ports.indexOf(port)
  }

  close(contender: Contender): void {
    for (const server of this.#open.get(contender) ?? []) closeSocket(server)
    this.#open.delete(contender)
  }
}
