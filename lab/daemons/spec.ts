/** What runs on a host, as a value. Each kind is one real program with the ports that it takes. */
export type ServiceSpec = { readonly daemon: 'openssh' }
