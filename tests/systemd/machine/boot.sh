#!/bin/bash
# Becomes the systemd of a machine whose root is a copy-on-write view of this one's. $1: the folder from supervise.sh.
# $PID_FILE: where to write our process id as the outside sees it. $CONSOLE: a pseudo-terminal. $BINDS: lines of "source<TAB>place".
set -eu
place=$1
root=$place/root

# /proc is still the outside's, so this is the id there; the shell keeps it when it becomes systemd.
read -r pid _ </proc/self/stat
echo "$pid" >"$PID_FILE.new"
mv "$PID_FILE.new" "$PID_FILE"

hostname machine
mount -t overlay overlay -o "lowerdir=/,upperdir=$place/upper,workdir=$place/work" "$root"
mkdir -p "$root"/{proc,sys,dev,run,tmp}

# The kernel's own files: read-only where they would change the machine outside.
mount -t proc -o nosuid,nodev,noexec proc "$root/proc"
for knobs in sys sysrq-trigger irq bus; do
    if [ -e "$root/proc/$knobs" ]; then
        mount --bind "$root/proc/$knobs" "$root/proc/$knobs"
        mount -o remount,bind,ro,nosuid,nodev,noexec "$root/proc/$knobs"
    fi
done
mount -t sysfs -o ro,nosuid,nodev,noexec sysfs "$root/sys"
mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 "$root/sys/fs/cgroup"

mount -t tmpfs -o mode=755,nosuid tmpfs "$root/dev"
while read -r name major minor; do
    mknod -m 666 "$root/dev/$name" c "$major" "$minor"
done <<<$'null 1 3\nzero 1 5\nfull 1 7\nrandom 1 8\nurandom 1 9\ntty 5 0'
mkdir "$root"/dev/{pts,shm}
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts "$root/dev/pts"
mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs "$root/dev/shm"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
ln -s /proc/self/fd/0 "$root/dev/stdin"
ln -s /proc/self/fd/1 "$root/dev/stdout"
ln -s /proc/self/fd/2 "$root/dev/stderr"
: >"$root/dev/console"
mount --bind "$CONSOLE" "$root/dev/console"

mount -t tmpfs -o mode=755,nosuid,nodev tmpfs "$root/run"
mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs "$root/tmp"

echo machine >"$root/etc/hostname"

# What this machine has enabled is no part of the new one, which needs the journal and nothing else.
units=$root/etc/systemd/system
mkdir -p "$units" "$root"/etc/systemd/{journald,system}.conf.d
mount -t tmpfs -o mode=755 tmpfs "$units"
mask() { ln -sfn /dev/null "$units/$1"; }
for wanted in "$root"/{usr/,}lib/systemd/system/{sysinit,local-fs,basic,multi-user,timers,sockets,graphical}.target.wants/*; do
    case ${wanted##*/} in
    '*' | *journald.service | *journald.socket | *journald-dev-log.socket) ;;
    *) mask "${wanted##*/}" ;;
    esac
done
for unit in dbus.socket dbus.service systemd-logind.service getty.target systemd-networkd.service systemd-resolved.service; do
    mask "$unit"
done
for generators in "$root"/{usr/lib,etc,usr/local/lib}/systemd/system{,-environment}-generators; do
    if [ -d "$generators" ]; then mount -t tmpfs -o ro,mode=755 tmpfs "$generators"; fi
done
printf '[Journal]\nStorage=volatile\nRateLimitIntervalSec=0\nForwardToConsole=no\nAudit=no\n' >"$root/etc/systemd/journald.conf.d/machine.conf"
printf '[Unit]\nDescription=A machine for tests\nRequires=basic.target\nAfter=basic.target\nAllowIsolate=yes\n' >"$units/machine.target"

while IFS=$'\t' read -r source target; do
    [ -n "$source" ] || continue
    if [ -d "$source" ]; then mkdir -p "$root$target"; else mkdir -p "$root${target%/*}" && : >"$root$target"; fi
    mount --bind "$source" "$root$target"
    mount -o remount,bind,ro "$root$target"
done <<<"$BINDS"

cd "$root"
mkdir -p run/outside
pivot_root . run/outside
umount -l /run/outside
rmdir /run/outside
mount --make-rshared / # LoadCredential= hands its files over through a shared mount

# Without the rights that reach beyond the namespaces (the clock, the kernel's modules).
exec setpriv \
    --bounding-set=-sys_time,-sys_module,-sys_rawio,-syslog,-audit_control,-mac_admin,-mac_override,-wake_alarm,-block_suspend \
    env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 container=namespaces \
    /lib/systemd/systemd --system --unit=machine.target
