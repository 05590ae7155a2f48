#!/bin/sh
# Inside a lab host: a namespace called `container` behind a bridge docker0, and the rules that publish its port.
set -eu
ip netns add container
ip link add docker0 type bridge
ip link add veth0 type veth peer name eth0 netns container
ip link set veth0 master docker0 up
ip address add 172.17.0.1/16 dev docker0
ip address add fd00:172:17::1/64 dev docker0 nodad
ip link set docker0 up
ip -n container link set lo up
ip -n container address add 172.17.0.2/16 dev eth0
ip -n container address add fd00:172:17::2/64 dev eth0 nodad
ip -n container link set eth0 up
ip -n container route add default via 172.17.0.1
ip -n container route add default via fd00:172:17::1
sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
nft -f /etc/lab/container.nft
