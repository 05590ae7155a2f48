import { printable } from './printable.ts'

/**
 * The container that a control group is of, as `docker shop (nginx:1.25)` or by the first 12 digits of its id; undefined outside of any.
 * Control groups are named by the runtime: systemd's driver `docker-ID.scope`, cgroupfs `/docker/ID`, Kubernetes `cri-containerd-ID.scope`.
 */
export function containerOf(cgroup: string | undefined, names: ReadonlyMap<string, string>): string | undefined {
  for (const part of cgroup?.split('/').toReversed() ?? []) {
    const [, prefix, id] = /^(?:([a-z-]+)[-:])?([0-9a-f]{64})(?:\.scope)?$/.exec(part) ?? []
    if (id !== undefined) return `${RUNTIMES.find(([start]) => (prefix ?? cgroup ?? '').includes(start))?.[1] ?? 'container'} ${names.get(id) ?? id.slice(0, 12)}`
    const named = /^(?:machine-(.+)\.scope|lxc\.payload\.(.+))$/.exec(part)
    if (named) return `${named[1] === undefined ? 'lxc' : 'machine'} ${printable(named[1] ?? named[2] ?? '')}`
  }
  return undefined
}

/** More telling names first: Kubernetes runs its containers by one of the others. */
const RUNTIMES: readonly (readonly [inName: string, runtime: string])[] = [
  ['kubepods', 'pod'],
  ['cri-containerd', 'pod'],
  ['crio', 'pod'],
  ['docker', 'docker'],
  ['libpod', 'podman'],
]
