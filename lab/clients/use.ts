/** One real use of a service by a client, as a value: what is done, to which address. */
export type Use =
  | (Target & { readonly kind: 'connect' })
  | (Target & { readonly kind: 'https'; readonly serverName: string; readonly authorityFile: string })
  | (Target & { readonly kind: 'http' })
  | (Target & { readonly kind: 'sql'; readonly password: string })
  | (Target & { readonly kind: 'redis' })
  | (Target & { readonly kind: 'dnsUdp'; readonly name: string })
  | (Target & { readonly kind: 'dnsTcp'; readonly name: string })
  | (Target & { readonly kind: 'ssh'; readonly identityFile: string; readonly knownHostsFile: string })
  | (Target & { readonly kind: 'sftp'; readonly identityFile: string; readonly knownHostsFile: string })
  | (Target & { readonly kind: 'dicom' })
  | (Target & { readonly kind: 'feed'; readonly ticks: number })
  | (Target & { readonly kind: 'datagram'; readonly text: string; readonly reply: string })
  /** One-way: the proof is the line in the server's file, which a lab can read from anywhere. */
  | (Target & { readonly kind: 'syslog'; readonly arrivesIn: string })

export type UseKind = Use['kind']

interface Target {
  readonly address: string
  readonly port: number
}

/** What came of a use: either the service did its work, or why it did not. */
export interface Evidence {
  readonly kind: UseKind
  readonly address: string
  readonly port: number
  readonly ok: boolean
  readonly durationMs: number
  /** What the service answered, or what failed. */
  readonly detail: string
}
