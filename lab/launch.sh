#!/bin/sh
# Starts the hosts of a lab side by side, and waits for their ends, so that none stays in the process table.
# Runs in the lab's switch, where the hosts plug their cables in. What they say (init.sh) goes to standard output.
# usage: launch.sh DIRECTORY NAME…
set -eu
here=${0%/*}
directory=$1
shift
# Every name of a network namespace that is made or ends later would be one mount in each host.
umount -l /run/netns 2>/dev/null || true
exec 3<&0 9</proc/self/ns/net
for name in "$@"; do
  unshare --net --mount --uts --pid --fork --kill-child --propagation slave -- \
    /bin/sh "$here/init.sh" "$directory/hosts/$name" "$name" 2>"$directory/hosts/$name/log/boot" &
done
exec >/dev/null 9<&-

read -r _ <&3 || [ -e "$directory/standing" ]
exec 2>/dev/null 3<&-
# By this name registry.ts knows that it ends with the last host.
printf lab-launcher >/proc/self/comm
wait
