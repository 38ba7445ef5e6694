# Run by planUnshare as pid 1 of the new namespaces, as root of a user namespace that maps one
# harmless user. Builds the sandbox's file system, turns into it, and runs the daemon as uid 1000
# without capabilities. It stays pid 1 on purpose: it collects what the agent's processes leave
# behind.
set -eu
root=$1 etc=$2 readable=$3 work=$4 home=$5 scratch=$6
shift 6
pod=$1 line=$2 code_cache=$3 bind_code_cache=$4 tmp_bytes=$5 root_entries=$6 etc_entries=$7
shift 7

bind() { # SOURCE TARGET: the target is made in the image of the source.
  if [ -d "$1" ]; then mkdir -p "$2"; elif [ ! -e "$2" ]; then : > "$2"; fi
  mount --rbind "$1" "$2"
}
read_only() { # SOURCE TARGET: closed at the end, together with every mount below it.
  bind "$1" "$2"
  closed="$closed $2"
}
closed=

mount -t tmpfs -o mode=755,size=1m,nosuid,nodev treadle "$root"
cd "$root"
mkdir -p proc dev/pts dev/shm tmp home opt run var old

read_only /usr usr
for entry in $root_entries; do
  target=${entry#*=}
  path=${entry%%=*}
  if [ -n "$target" ]; then ln -s "$target" ".$path"; else read_only "$path" ".$path"; fi
done
read_only "$etc" etc
for name in $etc_entries; do bind "/etc/$name" "etc/$name"; done
read_only "$readable" opt/treadle
read_only "$line" run/line
"$bind_code_cache" "$code_cache" run/code-cache
bind "$pod" run/treadle
bind "$work" work
bind "$home" home/agent
bind "$scratch" var/tmp
for at in run/treadle work home/agent var/tmp; do mount -o remount,bind,nosuid,nodev "$at"; done
for top in $closed; do findmnt -Rrno TARGET "$root/${top#./}"; done | while read -r at; do
  mount -o remount,bind,ro,nosuid,nodev "$at"
done

mount -t proc -o nosuid,nodev,noexec proc proc
mount -t tmpfs -o "mode=1777,size=$tmp_bytes,nosuid,nodev" tmp tmp
mount -t tmpfs -o mode=1777,size=64m,nosuid,nodev shm dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,nosuid,noexec devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
ln -s /proc/self/fd/0 dev/stdin
ln -s /proc/self/fd/1 dev/stdout
ln -s /proc/self/fd/2 dev/stderr
for device in null zero full random urandom tty; do bind "/dev/$device" "dev/$device"; done

pivot_root . old
cd /
umount -l /old
rmdir /old
mount -o remount,bind,ro,nosuid,nodev /

ip link set lo up
hostname sandbox
# The one below is the last user namespace that this one may hold.
echo 1 > /proc/sys/user/max_user_namespaces
cd /work
unshare --user --map-user=1000 --map-group=1000 --keep-caps \
  setpriv --no-new-privs --bounding-set=-all --inh-caps=-all --ambient-caps=-all "$@"
exit $?
