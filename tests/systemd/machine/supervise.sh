#!/bin/bash
# Gives a machine a place in memory and a cgroup, boots it, and takes both away when it is gone.
# Runs in a mount namespace of its own. $1: an empty folder. $NAME: of the cgroup.
set -eu
place=$1

mount -t tmpfs -o mode=755,size=1g tmpfs "$place"
mkdir "$place"/{upper,work,root,cgroups}
mount -t cgroup2 cgroup2 "$place/cgroups"
own=$(sed -n 's/^0:://p' /proc/self/cgroup)
cgroup="$place/cgroups${own%/}/$NAME"
mkdir "$cgroup"

# A killed systemd leaves its services' cgroups behind, and the kernel takes a moment to empty them.
remove_cgroup() {
    local try
    for try in {1..100}; do
        find "$cgroup" -depth -type d -exec rmdir {} + 2>/dev/null && return
        sleep 0.05
    done
    echo "could not remove $cgroup" >&2
}
trap remove_cgroup EXIT
trap 'kill -KILL "$machine" 2>/dev/null || true' TERM INT HUP

(
    echo "$BASHPID" >"$cgroup/cgroup.procs"
    exec unshare --mount --propagation private --pid --fork --kill-child --uts --ipc --net --cgroup \
        bash "${0%/*}/boot.sh" "$place"
) &
machine=$!
wait "$machine" || true
wait "$machine" 2>/dev/null || true # a trapped signal ends the first wait early
