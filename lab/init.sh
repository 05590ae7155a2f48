#!/bin/sh
# The first process of a lab host, alone in its network, mount, process and host-name namespaces. Its end is the host's end.
# Says `NAME up PID` when its cables are plugged in and its services may start, or `NAME failed`; then waits for the end
# of descriptor 3. Descriptor 9 is the network namespace of the switch.
# usage: init.sh DIRECTORY NAME
set -eu
directory=$1
name=$2
trap 'echo "$name failed"' EXIT
# Read before the host's own /proc is mounted: the pid by which the lab knows this process.
read -r pid _ </proc/self/stat

mount -a -T "$directory/fstab"
# The file is closed to root of a user namespace, the system call is not.
{ echo "$name" >/proc/sys/kernel/hostname; } 2>/dev/null || hostname "$name"
# What Debian's systemd sets (/usr/lib/sysctl.d/50-default.conf), and no waiting for duplicate address detection.
echo 2 >/proc/sys/net/ipv4/conf/all/rp_filter
echo 2 >/proc/sys/net/ipv4/conf/default/rp_filter
# Answers to a port scan, one a second to each asker by default (icmp(7)), would make every scan of a lab wait.
echo 0 >/proc/sys/net/ipv4/icmp_ratelimit
[ ! -d /proc/sys/net/ipv6 ] || echo 0 >/proc/sys/net/ipv6/icmp/ratelimit
[ ! -d /proc/sys/net/ipv6 ] || echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad
ip -batch "$directory/network"
# In the foreground, so that this shell waits, and by waiting takes orphans from the process table.
[ ! -e "$directory/sshd" ] || /usr/sbin/sshd -D </dev/null >"$directory/log/sshd" 2>&1 3<&- 9<&- &
echo "$name up $pid"

# Where the lab's owner has died meanwhile, nobody knows this host.
read -r _ <&3 || [ -e "$directory/../../standing" ]
trap - EXIT
exec </dev/null >/dev/null 2>&1 3<&- 9<&-
wait
while :; do sleep 86400; done
