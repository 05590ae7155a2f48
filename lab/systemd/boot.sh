#!/bin/sh
# A machine with systemd as its first process, in namespaces of its own: it sees this machine's files and writes to DIRECTORY.
# usage: unshare --mount --pid --fork --net --uts --ipc --cgroup --propagation private sh boot.sh DIRECTORY
set -eu
root=$1/root
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
# Where the machine has no version 1 hierarchies, systemd mounts nothing itself.
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
for path in run tmp; do mount -t tmpfs tmpfs "$root/$path"; done
mount --rbind /dev "$root/dev"
exec chroot "$root" env -i container=lab PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --system --unit=multi-user.target --log-target=null
