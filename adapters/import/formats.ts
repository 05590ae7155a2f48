import { MASSCAN } from '../masscan/masscanJson.ts'
import { NESSUS } from '../nessus/nessusXml.ts'
import { NETBOX } from '../netbox/netboxServices.ts'
import { NFDUMP } from '../nfdump/nfdumpJson.ts'
import { NMAP } from '../nmap/nmapXml.ts'
import { OPENVAS } from '../openvas/openvasXml.ts'
import { PORTCULLIS } from '../portcullis/scanJson.ts'
import { SURICATA } from '../suricata/suricataEve.ts'
import { ULOGD } from '../ulogd/ulogdJson.ts'
import { ALIYUN_FLOW, AWS_FLOW, TENCENT_FLOW } from '../vpcflow/vpcflow.ts'
import { ZEEK } from '../zeek/zeekConn.ts'
import type { ImportFormat } from './format.ts'

/** All that can be imported; a new format is one folder and one entry. Tried in this order where nobody names one. */
export const IMPORT_FORMATS: readonly ImportFormat[] = [PORTCULLIS, NMAP, NESSUS, OPENVAS, MASSCAN, NFDUMP, ULOGD, SURICATA, ZEEK, ALIYUN_FLOW, TENCENT_FLOW, AWS_FLOW, NETBOX]

export const formatNamed = (name: string): ImportFormat | undefined => IMPORT_FORMATS.find((format) => format.name === name)

export const formatOf = (head: string): ImportFormat | undefined => IMPORT_FORMATS.find((format) => format.isHead(head))
