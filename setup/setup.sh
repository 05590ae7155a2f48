#!/bin/sh
# Installs what is missing, and nothing else: Debian packages (setup/packages.txt), the npm packages of the lockfile.
# Idempotent; with nothing missing it only compares stamps and package names.
set -eu
cd "$(dirname "$0")/.."

say() { printf 'setup: %s\n' "$*" >&2; }

missing_packages() {
  dpkg-query -W -f '${Package} ${db:Status-Status}\n' 2>/dev/null |
    awk 'NR == FNR { if ($2 == "installed") have[$1] = 1; next } /^[a-z0-9]/ && !($1 in have) { print $1 }' - setup/packages.txt
}

# The lab starts its own copies of these daemons. Installing them must not start them on this machine, now or at the
# next boot: invoke-rc.d(8) asks policy-rc.d, and a masked unit cannot be enabled by a package's postinst.
without_starting_daemons() {
  policy=/usr/sbin/policy-rc.d
  ours=no
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    ours=yes
  fi
  masked=
  if [ -d /run/systemd/system ]; then
    for unit in dnsmasq.service fail2ban.service ferm.service firewalld.service inetutils-inetd.service nginx.service postgresql.service prometheus.service prometheus-alertmanager.service prometheus-blackbox-exporter.service prometheus-node-exporter.service redis-server.service rpcbind.service rpcbind.socket shorewall.service shorewall6.service ssh.service ufw.service; do
      systemctl cat "$unit" >/dev/null 2>&1 && continue
      systemctl mask --quiet "$unit" && masked="$masked $unit"
    done
  fi
  status=0
  "$@" || status=$?
  [ "$ours" = no ] || rm -f "$policy"
  [ -z "$masked" ] || say "left masked, unmask to use them on this machine:$masked"
  return "$status"
}

install_packages() {
  if [ "$(id -u)" -ne 0 ]; then
    say "these Debian packages are missing and only root can install them:"
    say "  sudo apt-get install --no-install-recommends $*"
    exit 1
  fi
  say "installing Debian packages: $*"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  without_starting_daemons apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

install_npm_packages() {
  stamp=node_modules/.portcullis-setup
  if [ -e "$stamp" ] && cmp -s "$stamp" package-lock.json && [ -x node_modules/.bin/node ]; then return; fi
  say "installing npm packages"
  # Node 24 first: under the machine's Node 20, npm would resolve older majors and build addons against its headers.
  npm ci --no-audit --no-fund --loglevel=error
  cp package-lock.json "$stamp"
}

if command -v dpkg-query >/dev/null 2>&1; then
  packages=$(missing_packages)
  # shellcheck disable=SC2086 # one word a package
  [ -z "$packages" ] || install_packages $packages
else
  say "this is not Debian: install the tools of setup/packages.txt yourself"
fi
command -v node >/dev/null 2>&1 || { say "Node.js 20 or newer with npm is needed: apt-get install nodejs npm"; exit 1; }
install_npm_packages
