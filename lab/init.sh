#!/bin/sh
# The first process of a lab host, alone in its mount, process and host-name namespaces. Its end is the host's end.
# usage: init.sh DIRECTORY NAME
set -eu
directory=$1
# Read before the host's own /proc is mounted: the pid by which the lab knows this process.
read -r pid _ </proc/self/stat

mount -a -T "$directory/fstab"
echo "$2" >/proc/sys/kernel/hostname
# What Debian's systemd sets (/usr/lib/sysctl.d/50-default.conf), and no waiting for duplicate address detection.
for device in all default eth0 eth1 eth2 eth3; do
  [ -d /proc/sys/net/ipv4/conf/$device ] || continue
  echo 2 >/proc/sys/net/ipv4/conf/$device/rp_filter
  [ ! -d /proc/sys/net/ipv6/conf/$device ] || echo 0 >/proc/sys/net/ipv6/conf/$device/accept_dad
done
ip -batch "$directory/network"
[ ! -e "$directory/sshd" ] || /usr/sbin/sshd
echo "ready $pid"

# Waits for the lab to close the other end, by intention or by dying; a kept host reads from a pipe that nobody closes.
# Meanwhile the shell's wait takes orphans from the process table; its own read would give up at the first one.
cat >/dev/null
