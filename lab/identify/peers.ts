/**
 * Real daemons of Debian that the prober must name, and how each is started, as text for sh(1) that ends in the daemon itself.
 * It runs as root in a namespace of its own, with a throw-away /etc, /run and /var, `$D` an empty folder, and a key pair at
 * /etc/key.pem and /etc/cert.pem (together: /etc/both.pem).
 */
export interface Peer {
  readonly program: string
  /** Part of what setup/packages.txt installs. The others are there when somebody has installed them. */
  readonly isInSetup?: true
  readonly serves: readonly Served[]
  /** Its port is compiled in: a relay stands on the moved one. */
  readonly cannotMove?: true
  readonly script: (port: (standard: number) => number) => string
}

export interface Served {
  readonly protocol: 'tcp' | 'udp'
  /** Where everyone expects it. */
  readonly port: number
  /** What the prober should say. */
  readonly service: string
}

const tcp = (port: number, service: string): Served => ({ protocol: 'tcp', port, service })
const udp = (port: number, service: string): Served => ({ protocol: 'udp', port, service })
const AS_NOBODY = 'setpriv --reuid nobody --regid nogroup --clear-groups'

export const PEERS: readonly Peer[] = [
  {
    program: 'sshd',
    isInSetup: true,
    serves: [tcp(22, 'ssh')],
    script: (port) => `mkdir -p /run/sshd; ssh-keygen -q -t ed25519 -N '' -f $D/key; exec /usr/sbin/sshd -D -f /dev/null -o PidFile=none -p ${port(22)} -h $D/key`,
  },
  {
    program: 'nginx',
    isInSetup: true,
    serves: [tcp(80, 'http'), tcp(443, 'https')],
    script: (port) => `cat >$D/conf <<END
daemon off; user root; pid $D/pid; error_log /dev/null; events {}
http { access_log off; server { listen ${port(80)}; return 200 plain; } server { listen ${port(443)} ssl; ssl_certificate /etc/cert.pem; ssl_certificate_key /etc/key.pem; return 200 secret; } }
END
exec nginx -c $D/conf`,
  },
  {
    program: 'pg_ctlcluster',
    isInSetup: true,
    serves: [tcp(5432, 'postgresql')],
    script: (port) => `P=$(ls -d /usr/lib/postgresql/*/bin | tail -1); chown nobody $D; ${AS_NOBODY} $P/initdb -D $D/data -A trust; exec ${AS_NOBODY} $P/postgres -D $D/data -p ${port(5432)} -k $D`,
  },
  { program: 'redis-server', isInSetup: true, serves: [tcp(6379, 'redis')], script: (port) => `cd $D; exec redis-server --port ${port(6379)} --save ''` },
  {
    program: 'dnsmasq',
    isInSetup: true,
    serves: [tcp(53, 'dns'), udp(53, 'dns')],
    script: (port) => `exec dnsmasq --no-daemon --conf-file=/dev/null --no-resolv --no-hosts --port=${port(53)} --user=root --pid-file=`,
  },
  { program: 'rpcbind', isInSetup: true, cannotMove: true, serves: [tcp(111, 'rpcbind'), udp(111, 'rpcbind')], script: () => 'exec rpcbind -f' },
  {
    program: 'inetutils-inetd',
    isInSetup: true,
    // A text of the server's own choice names nobody (RFC 867).
    serves: [tcp(21, 'ftp'), tcp(23, 'telnet'), tcp(13, 'unknown')],
    script: (port) => `cat >$D/conf <<END
${port(21)} stream tcp nowait root /usr/sbin/ftpd ftpd
${port(23)} stream tcp nowait root /usr/sbin/telnetd telnetd
127.0.0.1:${port(13)} stream tcp nowait root /bin/date date
END
mkdir $D/none; exec inetutils-inetd --debug $D/conf $D/none`,
  },
  { program: 'storescp', isInSetup: true, serves: [tcp(104, 'dicom')], script: (port) => `cd $D; exec storescp ${port(104)}` },
  {
    program: 'prometheus',
    isInSetup: true,
    serves: [tcp(9090, 'http')],
    script: (port) => `echo 'global: {}' >$D/conf; exec prometheus --config.file=$D/conf --storage.tsdb.path=$D/data --web.listen-address=:${port(9090)}`,
  },
  {
    program: 'prometheus-alertmanager',
    isInSetup: true,
    serves: [tcp(9093, 'http')],
    script: (port) => `printf 'route: {receiver: none}\\nreceivers: [{name: none}]\\n' >$D/conf; exec prometheus-alertmanager --config.file=$D/conf --storage.path=$D --cluster.listen-address= --web.listen-address=:${port(9093)}`,
  },
  { program: 'prometheus-node-exporter', isInSetup: true, serves: [tcp(9100, 'http')], script: (port) => `exec prometheus-node-exporter --web.listen-address=:${port(9100)}` },
  { program: 'vsftpd', serves: [tcp(21, 'ftp')], script: (port) => `mkdir -p $D/empty; printf 'listen=YES\\nbackground=NO\\nsecure_chroot_dir=%s\\nlisten_port=${port(21)}\\n' $D/empty >$D/conf; exec vsftpd $D/conf` },
  {
    program: 'proftpd',
    serves: [tcp(21, 'ftp')],
    script: (port) => `printf 'ServerName x\\nPort ${port(21)}\\nUser root\\nGroup root\\nPidFile %s/pid\\nScoreboardFile %s/score\\nDelayTable none\\n' $D $D >$D/conf; exec proftpd -n -c $D/conf`,
  },
  {
    program: 'mariadbd',
    serves: [tcp(3306, 'mysql')],
    script: (port) => `mariadb-install-db --no-defaults --user=root --datadir=$D/data --skip-test-db >/dev/null; exec mariadbd --no-defaults --user=root --datadir=$D/data --socket=$D/socket --port=${port(3306)}`,
  },
  {
    program: 'mosquitto',
    serves: [tcp(1883, 'mqtt'), tcp(8883, 'mqtt+tls')],
    script: (port) => `printf 'user root\\nallow_anonymous true\\nlistener ${port(1883)}\\nlistener ${port(8883)}\\ncertfile /etc/cert.pem\\nkeyfile /etc/key.pem\\n' >$D/conf; exec mosquitto -c $D/conf`,
  },
  {
    program: 'rabbitmq-server',
    serves: [tcp(5672, 'amqp'), tcp(4369, 'epmd')],
    script: (port) => `hostname localhost; export HOME=$D ERL_EPMD_PORT=${port(4369)} RABBITMQ_NODE_PORT=${port(5672)} RABBITMQ_DIST_PORT=35672 RABBITMQ_MNESIA_BASE=$D RABBITMQ_LOG_BASE=$D RABBITMQ_NODENAME=r@localhost
echo 123456 >$D/.erlang.cookie; chmod 400 $D/.erlang.cookie; cp $D/.erlang.cookie /var/lib/rabbitmq/; exec /usr/lib/rabbitmq/bin/rabbitmq-server`,
  },
  {
    program: 'postfix',
    serves: [tcp(25, 'smtp')],
    script: (port) => `sed -i 's/^smtp .*inet .*/${port(25)} inet n - n - - smtpd/' /etc/postfix/master.cf; postconf -e myhostname=mail.example inet_interfaces=all; exec postfix start-fg`,
  },
  { program: 'exim4', serves: [tcp(25, 'smtp')], script: (port) => `printf 'primary_hostname = mail.example\\nspool_directory = %s\\nexim_user = root\\nexim_group = root\\nlog_file_path = %s/log\\n' $D $D >$D/conf; exec exim4 -C $D/conf -bdf -oX ${port(25)}` },
  {
    program: 'dovecot',
    serves: [tcp(143, 'imap'), tcp(110, 'pop3'), tcp(993, 'imap+tls'), tcp(995, 'pop3+tls')],
    script: (port) => `cat >$D/conf <<END
protocols = imap pop3
base_dir = $D/base
log_path = /dev/null
ssl = yes
ssl_cert = </etc/cert.pem
ssl_key = </etc/key.pem
service imap-login {
  inet_listener imap {
    port = ${port(143)}
  }
  inet_listener imaps {
    port = ${port(993)}
  }
}
service pop3-login {
  inet_listener pop3 {
    port = ${port(110)}
  }
  inet_listener pop3s {
    port = ${port(995)}
  }
}
END
exec dovecot -F -c $D/conf`,
  },
  {
    program: 'slapd',
    serves: [tcp(389, 'ldap'), tcp(636, 'ldap+tls')],
    script: (port) => `printf 'include /etc/ldap/schema/core.schema\\nTLSCertificateFile /etc/cert.pem\\nTLSCertificateKeyFile /etc/key.pem\\nTLSVerifyClient never\\n' >$D/conf; exec slapd -d 0 -f $D/conf -h 'ldap://0.0.0.0:${port(389)}/ ldaps://0.0.0.0:${port(636)}/'`,
  },
  {
    program: 'smbd',
    serves: [tcp(445, 'smb'), tcp(139, 'smb')],
    script: (port) => `printf '[global]\\nsmb ports = ${port(445)} ${port(139)}\\nlock directory = %s\\nstate directory = %s\\ncache directory = %s\\npid directory = %s\\nprivate dir = %s\\nlog file = /dev/null\\n' $D $D $D $D $D >$D/conf; exec smbd -F --no-process-group -s $D/conf`,
  },
  { program: 'xrdp', serves: [tcp(3389, 'rdp')], script: (port) => `sed -i 's/^port=3389/port=${port(3389)}/; s/^fork=true/fork=false/' /etc/xrdp/xrdp.ini; mkdir -p /run/xrdp; exec xrdp --nodaemon` },
  { program: 'Xtigervnc', serves: [tcp(5900, 'vnc')], script: (port) => `exec Xtigervnc :${port(5900) % 97} -rfbport ${port(5900)} -SecurityTypes None -localhost 0 -nolisten unix` },
  { program: 'memcached', serves: [tcp(11211, 'memcached'), udp(11211, 'memcached')], script: (port) => `exec memcached -u nobody -p ${port(11211)} -U ${port(11211)}` },
  {
    program: 'haproxy',
    serves: [tcp(8443, 'https')],
    script: (port) => `printf 'defaults\\n mode http\\n timeout client 5s\\n timeout server 5s\\n timeout connect 5s\\nfrontend f\\n bind :${port(8443)} ssl crt /etc/both.pem alpn h2,http/1.1\\n http-request return status 200\\n' >$D/conf; exec haproxy -db -f $D/conf`,
  },
  { program: 'squid', serves: [tcp(3128, 'http')], script: (port) => `printf 'http_port ${port(3128)}\\npid_filename %s/pid\\ncache_log /dev/null\\naccess_log none\\ncache deny all\\n' $D >$D/conf; exec squid -N -f $D/conf` },
  { program: 'rsync', serves: [tcp(873, 'rsync')], script: (port) => `: >$D/conf; exec rsync --daemon --no-detach --config=$D/conf --port=${port(873)}` },
  { program: 'cupsd', serves: [tcp(631, 'http')], script: (port) => `printf 'Listen *:${port(631)}\\nServerAlias *\\n' >$D/conf; exec cupsd -f -c $D/conf` },
  { program: 'etcd', serves: [tcp(2379, 'http')], script: (port) => `exec etcd --data-dir $D/data --listen-client-urls http://0.0.0.0:${port(2379)} --advertise-client-urls http://127.0.0.1:${port(2379)} --listen-peer-urls http://127.0.0.1:0` },
  {
    program: 'zkServer.sh',
    serves: [tcp(2181, 'zookeeper')],
    script: (port) => `printf 'dataDir=%s\\nclientPort=${port(2181)}\\nadmin.enableServer=false\\n' $D >$D/zoo.cfg; export ZOO_LOG_DIR=$D; exec /usr/share/zookeeper/bin/zkServer.sh start-foreground $D/zoo.cfg`,
  },
  {
    program: 'turnserver',
    serves: [tcp(3478, 'stun'), udp(3478, 'stun')],
    script: (port) => `exec turnserver -n --no-cli --no-tls --no-dtls --listening-ip=127.0.0.1 --min-port=50000 --max-port=50100 --listening-port=${port(3478)} --log-file=stdout --pidfile=$D/pid --db=$D/db`,
  },
  ...(['tcp', 'udp'] as const).map((protocol): Peer => ({
    program: 'openvpn',
    serves: [{ protocol, port: 1194, service: 'openvpn' }],
    script: (port) => `exec openvpn --dev null --proto ${protocol === 'tcp' ? 'tcp-server' : 'udp'} --port ${port(1194)} --tls-server --dh none --ca /etc/cert.pem --cert /etc/cert.pem --key /etc/key.pem`,
  })),
  {
    program: 'named',
    serves: [tcp(53, 'dns'), udp(53, 'dns')],
    script: (port) => `printf 'options { directory "%s"; pid-file none; listen-on port ${port(53)} { any; }; listen-on-v6 { none; }; recursion no; }; controls {};\\n' $D >/etc/bind/portcullis.conf; exec named -f -c /etc/bind/portcullis.conf`,
  },
  { program: 'snmpd', serves: [udp(161, 'snmp')], script: (port) => `echo 'rocommunity public' >$D/conf; exec snmpd -f -C -c $D/conf -p $D/pid udp:${port(161)}` },
  { program: 'in.tftpd', serves: [udp(69, 'tftp')], script: (port) => `chown nobody $D; exec in.tftpd -L -u nobody -a 0.0.0.0:${port(69)} -s $D` },
  { program: 'ntpd', cannotMove: true, serves: [udp(123, 'ntp')], script: () => `printf 'server 127.127.1.0\\n' >$D/conf; exec ntpd -n -g -c $D/conf` },
  {
    program: 'ipsec',
    serves: [udp(500, 'ike'), udp(4500, 'ike')],
    script: (port) => `printf 'charon {\\n port = ${port(500)}\\n port_nat_t = ${port(4500)}\\n}\\ninclude strongswan.d/charon/*.conf\\n' >/etc/strongswan.conf; exec /usr/lib/ipsec/charon`,
  },
  // It answers only clients that it knows by address, and their Status-Server only with the secret (RFC 5997).
  { program: 'freeradius', serves: [udp(1812, 'radius')], script: (port) => `sed -i '0,/port = 0/s//port = ${port(1812)}/' /etc/freeradius/3.0/sites-available/default; exec freeradius -f -l stdout` },
  {
    program: 'avahi-daemon',
    cannotMove: true,
    serves: [udp(5353, 'mdns')],
    script: () => `printf '[server]\\nenable-dbus=no\\nallow-interfaces=lo\\n' >$D/conf; exec avahi-daemon --no-drop-root --no-chroot --no-rlimits -f $D/conf`,
  },
]
