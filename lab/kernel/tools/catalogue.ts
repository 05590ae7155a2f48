import { DOCKER } from './docker.ts'
import { FAIL2BAN } from './fail2ban.ts'
import { FERM } from './ferm.ts'
import { FIREWALLD } from './firewalld.ts'
import { SHOREWALL } from './shorewall.ts'
import type { Tool } from './tool.ts'
import { UFW } from './ufw.ts'

/** By their names on the command line. */
export const TOOLS: Readonly<Record<string, Tool>> = { ufw: UFW, ferm: FERM, shorewall: SHOREWALL, fail2ban: FAIL2BAN, firewalld: FIREWALLD, docker: DOCKER }
