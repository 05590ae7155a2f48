import type { Text } from '../fault/fault.ts'
import { parsePortRange } from '../net/port.ts'
import { isTransportProtocol } from '../net/protocol.ts'
import { makeService } from './service.ts'
import type { Service, ServicePort } from './policy.ts'

type Row = readonly [name: string, title: Text, ports: string]

const text = (en: string, zh: string): Text => ({ en, zh })

/**
 * Services that every policy can name without defining them. Ports are those of the IANA registry
 * (https://www.iana.org/assignments/service-names-port-numbers) or, where a product never registered, its documented default.
 */
const ROWS: readonly Row[] = [
  // Remote work
  ['ssh', text('SSH', 'SSH 远程登录'), '22/tcp'],
  ['sftp', text('SFTP (over SSH)', 'SFTP 文件传输（经 SSH）'), '22/tcp'],
  ['mosh', text('Mosh', 'Mosh 移动终端'), '60000-61000/udp'],
  ['rdp', text('Remote Desktop', '远程桌面 RDP'), '3389/tcp 3389/udp'],
  ['vnc', text('VNC, displays 0 to 99', 'VNC 远程桌面（显示 0 到 99）'), '5900-5999/tcp'],
  ['winrm', text('Windows Remote Management', 'Windows 远程管理'), '5985-5986/tcp'],
  // Web
  ['http', text('HTTP', 'HTTP 网页'), '80/tcp'],
  ['https', text('HTTPS', 'HTTPS 网页'), '443/tcp'],
  ['http3', text('HTTPS and HTTP/3', 'HTTPS 与 HTTP/3 网页'), '443/tcp 443/udp'],
  ['http-alt', text('HTTP on port 8080', 'HTTP（8080 端口）'), '8080/tcp'],
  // Names, time, addresses
  ['dns', text('DNS', 'DNS 域名解析'), '53/tcp 53/udp'],
  ['dns-over-tls', text('DNS over TLS', 'DNS over TLS 加密解析'), '853/tcp'],
  ['mdns', text('Multicast DNS', '组播 DNS'), '5353/udp'],
  ['ntp', text('Network time', 'NTP 网络时间'), '123/udp'],
  ['dhcp-server', text('DHCP server', 'DHCP 服务器'), '67/udp'],
  ['tftp', text('TFTP', 'TFTP 文件传输'), '69/udp'],
  // Directory and login
  ['ldap', text('LDAP', 'LDAP 目录'), '389/tcp 389/udp'],
  ['ldaps', text('LDAP over TLS', 'LDAPS 加密目录'), '636/tcp'],
  ['kerberos', text('Kerberos', 'Kerberos 认证'), '88/tcp 88/udp'],
  ['kpasswd', text('Kerberos password change', 'Kerberos 改密'), '464/tcp 464/udp'],
  ['radius', text('RADIUS', 'RADIUS 认证计费'), '1812-1813/udp'],
  // Files
  ['smb', text('SMB file sharing', 'SMB 文件共享'), '445/tcp'],
  ['nfs', text('NFS version 4', 'NFS v4 文件系统'), '2049/tcp'],
  ['rpcbind', text('RPC port mapper', 'RPC 端口映射'), '111/tcp 111/udp'],
  ['rsync', text('rsync daemon', 'rsync 同步服务'), '873/tcp'],
  ['iscsi', text('iSCSI target', 'iSCSI 存储'), '3260/tcp'],
  // Mail
  ['smtp', text('SMTP between mail servers', 'SMTP 邮件投递'), '25/tcp'],
  ['submission', text('Mail submission', '邮件提交'), '465/tcp 587/tcp'],
  ['imap', text('IMAP', 'IMAP 收信'), '143/tcp'],
  ['imaps', text('IMAP over TLS', 'IMAPS 加密收信'), '993/tcp'],
  ['pop3s', text('POP3 over TLS', 'POP3S 加密收信'), '995/tcp'],
  // Databases and caches
  ['postgresql', text('PostgreSQL', 'PostgreSQL 数据库'), '5432/tcp'],
  ['mysql', text('MySQL, MariaDB', 'MySQL / MariaDB 数据库'), '3306/tcp'],
  ['mssql', text('Microsoft SQL Server', 'SQL Server 数据库'), '1433/tcp'],
  ['oracle', text('Oracle listener', 'Oracle 数据库监听'), '1521/tcp'],
  ['mongodb', text('MongoDB', 'MongoDB 数据库'), '27017/tcp'],
  ['redis', text('Redis, Valkey', 'Redis / Valkey 缓存'), '6379/tcp'],
  ['memcached', text('memcached', 'memcached 缓存'), '11211/tcp'],
  ['clickhouse', text('ClickHouse', 'ClickHouse 分析数据库'), '8123/tcp 9000/tcp'],
  ['cassandra', text('Cassandra clients', 'Cassandra 数据库客户端'), '9042/tcp'],
  // Search and streams
  ['elasticsearch', text('Elasticsearch HTTP', 'Elasticsearch 搜索接口'), '9200/tcp'],
  ['elasticsearch-cluster', text('Elasticsearch between nodes', 'Elasticsearch 节点间通信'), '9300/tcp'],
  ['opensearch', text('OpenSearch HTTP', 'OpenSearch 搜索接口'), '9200/tcp'],
  ['kibana', text('Kibana', 'Kibana 控制台'), '5601/tcp'],
  ['kafka', text('Kafka broker', 'Kafka 消息代理'), '9092-9093/tcp'],
  ['rabbitmq', text('RabbitMQ, AMQP', 'RabbitMQ 消息队列'), '5671-5672/tcp'],
  ['rabbitmq-management', text('RabbitMQ management', 'RabbitMQ 管理界面'), '15672/tcp'],
  ['nats', text('NATS', 'NATS 消息系统'), '4222/tcp'],
  ['mqtt', text('MQTT', 'MQTT 物联网消息'), '1883/tcp'],
  ['mqtts', text('MQTT over TLS', 'MQTTS 加密物联网消息'), '8883/tcp'],
  // Coordination and secrets
  ['zookeeper', text('ZooKeeper clients', 'ZooKeeper 客户端'), '2181/tcp'],
  ['zookeeper-cluster', text('ZooKeeper between nodes', 'ZooKeeper 节点间通信'), '2888/tcp 3888/tcp'],
  ['etcd', text('etcd clients', 'etcd 客户端'), '2379/tcp'],
  ['etcd-peer', text('etcd between nodes', 'etcd 节点间通信'), '2380/tcp'],
  ['consul', text('Consul HTTP API', 'Consul 接口'), '8500-8501/tcp'],
  ['consul-cluster', text('Consul between nodes', 'Consul 节点间通信'), '8300-8302/tcp 8301-8302/udp'],
  ['vault', text('Vault', 'Vault 密钥管理'), '8200/tcp'],
  // Containers
  ['kube-api', text('Kubernetes API', 'Kubernetes 接口'), '6443/tcp'],
  ['kubelet', text('kubelet', 'kubelet 节点代理'), '10250/tcp'],
  ['nodeport', text('Kubernetes NodePorts', 'Kubernetes NodePort 端口'), '30000-32767/tcp 30000-32767/udp'],
  ['docker-api', text('Docker API over TLS', 'Docker 接口（TLS）'), '2376/tcp'],
  ['docker-registry', text('Container registry', '容器镜像仓库'), '5000/tcp'],
  ['vxlan', text('VXLAN', 'VXLAN 隧道'), '4789/udp'],
  // Watching
  ['snmp', text('SNMP agent', 'SNMP 代理'), '161/udp'],
  ['snmp-trap', text('SNMP traps', 'SNMP 告警'), '162/udp'],
  ['syslog', text('syslog', 'syslog 日志'), '514/tcp 514/udp'],
  ['syslog-tls', text('syslog over TLS', 'syslog 加密日志'), '6514/tcp'],
  ['prometheus', text('Prometheus', 'Prometheus 监控'), '9090/tcp'],
  ['node-exporter', text('Prometheus node exporter', 'Prometheus 主机采集器'), '9100/tcp'],
  ['alertmanager', text('Alertmanager', 'Alertmanager 告警管理'), '9093/tcp'],
  ['grafana', text('Grafana', 'Grafana 看板'), '3000/tcp'],
  ['otlp', text('OpenTelemetry', 'OpenTelemetry 采集'), '4317-4318/tcp'],
  ['zabbix-agent', text('Zabbix agent', 'Zabbix 代理'), '10050/tcp'],
  ['zabbix-server', text('Zabbix server', 'Zabbix 服务器'), '10051/tcp'],
  // Medicine
  ['dicom', text('DICOM images', 'DICOM 医学影像'), '104/tcp 11112/tcp'],
  ['dicom-tls', text('DICOM over TLS', 'DICOM 加密医学影像'), '2762/tcp'],
  ['hl7-mllp', text('HL7 version 2 over MLLP', 'HL7 v2 消息（MLLP）'), '2575/tcp'],
  // Voice
  ['sip', text('SIP', 'SIP 语音信令'), '5060/tcp 5060/udp'],
  ['sips', text('SIP over TLS', 'SIP 加密语音信令'), '5061/tcp'],
  ['rtp', text('RTP media', 'RTP 语音媒体'), '16384-32767/udp'],
  // Tunnels
  ['wireguard', text('WireGuard', 'WireGuard 隧道'), '51820/udp'],
  ['openvpn', text('OpenVPN', 'OpenVPN 隧道'), '1194/tcp 1194/udp'],
  ['ike', text('IPsec key exchange', 'IPsec 密钥交换'), '500/udp 4500/udp'],
]

export const CATALOGUE: ReadonlyMap<string, Service> = new Map(
  ROWS.map(([name, titles, ports]) => [name, makeService(name, titles.en, ports.split(' ').flatMap(portOf), titles)]),
)

function portOf(written: string): ServicePort[] {
  const [range = '', protocol = ''] = written.split('/')
  const ports = parsePortRange(range)
  return ports.ok && isTransportProtocol(protocol) ? [{ protocol, ports: ports.value }] : []
}
