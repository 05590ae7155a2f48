import { SCRIPT_PATH } from '../transport/packagedScript.ts'
import { placement, type Way } from '../transport/way.ts'
import type { Host } from '@portcullis/core/policy/policy.ts'

/** The machine that the controller itself runs on. */
export function localWay(host: Host): Way {
  const scriptPath = host.transport.scriptPath ?? SCRIPT_PATH
  const environment = placement(host.transport.stateDirectory)
  return {
    host,
    scriptPath,
    hasInit: true,
    script: (words) => [...(environment.length > 0 ? environment : ['env']), scriptPath, ...words],
    shell: (text, words) => ['sh', '-c', text, 'portcullis-install', ...words],
    explain: () => undefined,
  }
}
