import { namespaceMissing } from '../transport/linkFault.ts'
import { scriptPathHere, placement, type Way } from '../transport/way.ts'
import type { PackagedScript } from '../transport/packagedScript.ts'
import type { Host } from '@portcullis/core/policy/policy.ts'

/** A host of the lab: a network namespace of this machine, whose file system it shares but for a state directory of its own. */
export function netnsWay(host: Host, namespace: string, script: PackagedScript): Way {
  const scriptPath = scriptPathHere(host, script)
  const inside = ['ip', 'netns', 'exec', namespace]
  const environment = placement(host.transport.stateDirectory ?? `/run/portcullis-lab/${namespace}/state`)
  return {
    host,
    scriptPath,
    hasInit: false,
    script: (words) => [...inside, ...environment, 'PORTCULLIS_INIT=none', scriptPath, ...words],
    shell: (text, words) => [...inside, 'sh', '-c', text, 'portcullis-install', ...words],
    explain: (_exitCode, stderr) =>
      /^Cannot open network namespace|^setting the network namespace/m.test(stderr) ? namespaceMissing(host.name, namespace) : undefined,
  }
}
