#!/bin/bash
# A machine for a test: a systemd that is PID 1, udevd, journald, and a drive that comes and goes.
#
#   machine.sh boot            boots and says "up", and does so again for each line of its input; ends all of it when that ends
#   machine.sh in COMMAND...   runs something there
#   machine.sh plug            the drive comes: drive.img, with one partition from its first MiB on
#   machine.sh unplug          it goes, whatever uses it
#
# MACHINE is its folder, and has the same path inside. In it are drive.img, and etc, which lasts; the rest of the root is that of the
# machine we are on, and what is written there is forgotten with the next boot. MACHINE_UDEV is where udev's package is unpacked, for a
# machine that has none.
#
# Only root can. All is in namespaces and ends with them, but for two things of the kernel: a loop device and a cgroup of the same
# number. Whoever boots holds a lock on the cgroup; one that nobody holds, because somebody was killed, goes with the next boot.
set -euo pipefail
self=$(readlink -f "$0")

# --- Inside: builds the root and becomes systemd.

mount_root() {
    mount --make-rprivate /
    mkdir -p "$MACHINE/boot"; mount -t tmpfs -o mode=755 tmpfs "$MACHINE/boot"; mkdir "$MACHINE"/boot/{upper,work,root}
    mount -t overlay overlay -o "lowerdir=/,upperdir=$MACHINE/boot/upper,workdir=$MACHINE/boot/work" "$root"
    # By this file systemd takes itself to be in a container, where nothing waits for devices.
    rm -f "$root/.dockerenv"
    mount -t proc proc "$root/proc"
    # A PID 1 sets limits of the whole kernel.
    mount --bind "$root/proc/sys" "$root/proc/sys"; mount -o remount,bind,ro "$root/proc/sys"
    # There are units for devices only where this can be written to.
    mount -t sysfs sysfs "$root/sys"
    # Without a namespace of cgroups, which would make it a container; systemd stays below the one that it was started in.
    mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
    mount -t tmpfs -o mode=755 tmpfs "$root/run"; mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
    mkdir -p "$root$MACHINE"; mount --bind "$MACHINE" "$root$MACHINE"
    mount --bind "$MACHINE/etc" "$root/etc"
    mkdir -p "$root/old" "$root/media/drive"
}

# Udevd can open no disk but ours, and its links are not those of the machine that we are on.
make_dev() {
    mount -t tmpfs -o mode=755 tmpfs "$root/dev"; mkdir "$root"/dev/{pts,shm}
    mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
    mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$root/dev/pts"
    ln -s pts/ptmx "$root/dev/ptmx"; ln -s /proc/self/fd "$root/dev/fd"
    while read -r name major minor; do mknod -m 666 "$root/dev/$name" c "$major" "$minor"; done <<NODES
null 1 3
zero 1 5
full 1 7
random 1 8
urandom 1 9
tty 5 0
fuse 10 229
NODES
    mknod -m 660 "$root/dev/$disk" b 7 "${disk#loop}"
    mkdir -p "$root/run/udev/rules.d"
    # The kernel makes nodes only in a devtmpfs. A partition's number may be another one each time.
    cat > "$root/run/udev/rules.d/00-nodes.rules" <<RULES
SUBSYSTEM=="block", KERNEL=="${disk}p*", ACTION=="add", PROGRAM="/bin/sh -c 'rm -f /dev/%k; mknod /dev/%k b %M %m'"
SUBSYSTEM=="block", KERNEL=="${disk}p*", ACTION=="remove", RUN+="/bin/rm -f /dev/%k"
RULES
    # Without a devtmpfs systemd listens to udev only if this is there; the socket takes its place.
    : > "$root/run/udev/control"
}

# Of the machine's units only these, and of the generators that of fstab.
make_units() {
    local units=/usr/lib/systemd/system run=$root/run/systemd each
    if ! [ -e "$root/usr/lib/systemd/systemd-udevd" ]; then
        for each in lib bin usr/lib usr/bin; do
            [ ! -d "$MACHINE_UDEV/$each" ] || cp -a "$MACHINE_UDEV/$each/." "$root/usr/${each#usr/}/"
        done
    fi
    rm -rf "$root$units"/{sysinit,sockets,timers,basic,local-fs,multi-user,graphical}.target.wants
    find "$root/usr/lib/systemd/system-generators" ! -type d ! -name systemd-fstab-generator -delete
    mkdir -p "$run"/{journald.conf.d,system/{sysinit,sockets}.target.wants,system/systemd-udev-trigger.service.d}
    for each in systemd-{journald,udevd,udev-trigger}.service; do ln -s "$units/$each" "$run/system/sysinit.target.wants/"; done
    for each in systemd-{journald,journald-dev-log,udevd-kernel,udevd-control}.socket; do
        ln -s "$units/$each" "$run/system/sockets.target.wants/"
    done
    ln -s /dev/null "$run/system/systemd-journald-audit.socket"
    printf '[Journal]\nStorage=volatile\nAudit=no\nReadKMsg=no\n' > "$run/journald.conf.d/machine.conf"
    # What every boot does, for this disk only.
    printf '[Service]\nExecStart=\nExecStart=udevadm trigger --action=add --subsystem-match=block --sysname-match=%s*\n' "$disk" \
        > "$run/system/systemd-udev-trigger.service.d/machine.conf"
    printf '[Unit]\nRequires=basic.target\nAfter=basic.target\n' > "$run/system/machine.target"
}

become_systemd() {
    disk=$1 root=$MACHINE/boot/root
    mount_root; make_dev; make_units
    cd "$root"; pivot_root . old
    exec chroot . /bin/sh -c 'umount -l /old; exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin \
        SYSTEMD_PROC_CMDLINE="systemd.unit=machine.target systemd.hostname=machine" SYSTEMD_LOG_TARGET=journal \
        /usr/lib/systemd/systemd --unit=machine.target'
}

# --- Outside.

eventually() {
    for _ in $(seq 1200); do "$@" > /dev/null 2>&1 && return 0; sleep 0.05; done
    echo "not within 60 s: $*" >&2; return 1
}
inside() { nsenter -t "$(cat "$MACHINE/pid")" -m -p -i -u -n -r -w -- "$@"; }

# An ioctl of /dev/loop-control (linux/loop.h).
add_loop() { perl -e 'open(F, "+<", "/dev/loop-control") && ioctl(F, 0x4C80, $ARGV[0] + 0) or exit 1' "$1"; }
remove_loop() { perl -e 'open(F, "+<", "/dev/loop-control") && ioctl(F, 0x4C81, $ARGV[0] + 0) or exit 1' "$1"; }

# A number that nobody gets who asks for a free loop device: that is always the lowest.
claim() {
    local number=100 each
    # One at a time: between its making and its lock a cgroup looks like one that was left.
    exec 8< "$self"; flock 8
    for each in "$groups"/pantala-machine-*; do
        [ ! -d "$each" ] || (exec 9< "$each"; ! flock -n 9 || remove "$each") || true
    done
    until add_loop $number; do number=$((number + 1)); [ $number -lt 200 ] || return 1; done
    group=$groups/pantala-machine-$number disk=loop$number
    mkdir "$group"
    exec 9< "$group"; flock 9; exec 8<&-
}

# Everything that was started there, and nothing else; with the last process the mounts go.
end_processes() {
    echo 1 > "$1/cgroup.kill"
    # Its end takes a moment.
    has_no_children() { find "$1" -mindepth 1 -depth -type d -exec rmdir {} + && grep -q 'populated 0' "$1/cgroup.events"; }
    eventually has_no_children "$1"
}

remove() {
    local disk=loop${1##*-}
    end_processes "$1"
    [ -e "/dev/$disk" ] || mknod "/dev/$disk" b 7 "${disk#loop}"
    has_no_partition() { ! [ -e "/sys/block/$disk/${disk}p1" ] || delpart "/dev/$disk" 1; }
    eventually has_no_partition
    losetup -d "/dev/$disk" 2> /dev/null || true
    eventually remove_loop "${disk#loop}"
    rm -f "/dev/$disk"
    rmdir "$1"
}

power_on() {
    (
        echo "$BASHPID" > "$group/cgroup.procs"
        exec 9<&- setpriv --pdeathsig KILL unshare --mount --pid --uts --ipc --net --fork --kill-child \
            "$self" inside "$disk" < /dev/null > "$MACHINE/console" 2>&1
    ) &
    parent=$!; disown
    is_systemd() {
        local child; child=$(cut -d' ' -f1 "/proc/$parent/task/$parent/children")
        [ "$(readlink "/proc/$child/exe")" = /usr/lib/systemd/systemd ] && echo "$child" > "$MACHINE/pid"
    }
    has_booted() { case $(inside systemctl is-system-running || true) in running | degraded) ;; *) return 1 ;; esac; }
    eventually is_systemd && eventually has_booted || { cat "$MACHINE/console" >&2; return 1; }
    echo up
}

boot() {
    groups=$(findmnt -n --first-only -t cgroup2 -o TARGET)
    if ! [ -d "$MACHINE/etc" ]; then
        cp -a /etc "$MACHINE/etc"
        rm -rf "$MACHINE"/etc/{systemd/system,udev/rules.d}
        : > "$MACHINE/etc/fstab"
    fi
    exec 3<&0 < /dev/null
    claim
    trap 'remove "$group"' EXIT
    echo "$disk" > "$MACHINE/disk"
    power_on
    while read -r _ <&3; do
        end_processes "$group"
        power_on
    done
}

plug() {
    local sectors; sectors=$(($(stat -c %s "$MACHINE/drive.img") / 512))
    inside losetup "/dev/$disk" "$MACHINE/drive.img"
    # No parser of partition tables is needed for it.
    inside addpart "/dev/$disk" 1 2048 $((sectors - 2048))
}

unplug() {
    local target; target=$(inside findmnt -n -o TARGET -S "/dev/${disk}p1" || true)
    if [ -n "$target" ]; then
        # No partition that is mounted can be removed. So all who listen hear that it was; systemd unmounts what is in fstab, and what
        # a desktop has mounted the desktop does.
        inside udevadm trigger --action=remove --settle "/dev/${disk}p1"
        is_unmounted() { inside umount --lazy "$target" || true; ! inside findmnt "$target"; }
        eventually is_unmounted
    fi
    # Udevd may have it open for a moment.
    inside udevadm settle
    eventually inside delpart "/dev/$disk" 1
    inside losetup -d "/dev/$disk"
    is_detached() { ! [ -e "/sys/block/$disk/loop/backing_file" ]; }
    eventually is_detached
    inside udevadm settle
}

case ${1:-} in
inside) become_systemd "$2" ;;
boot) boot ;;
in) shift; inside "$@" ;;
plug | unplug) disk=$(cat "$MACHINE/disk"); "$1" ;;
*) sed -n '2,/^set/{/^#/p}' "$self"; exit 1 ;;
esac
