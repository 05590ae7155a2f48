import { untilReady, type Daemon } from './daemon.ts'

/** DCMTK's receiver of DICOM images. */
export const storescp: Daemon = async (host, _spec, site) => {
  host.start('storescp', ['storescp', '--fork', '-od', '/srv', '11112'])
  await untilReady(host, 'storescp', () => site.connects(host, 11112))
}
