#!/bin/bash
# run.sh [--kernel 6.1|6.12] [--lsm apparmor|selinux] [--timeout S] [--build DIR] [--add FILE]...
#        [--reboot] [--] COMMAND...
#
# Runs COMMAND in a virtual machine with systemd, cgroup v2, the asked Debian kernel and security
# module (AppArmor; SELinux enforces a policy), as root, without network, in a copy of this tree at
# the same path. The copy has the files of the repository and the programs of one build folder
# (--build, build/dev by default); --add puts another file or folder there, at its own absolute path.
# The command's output comes back while it runs, its exit status at the end. When it prints test
# results, the last line counts them.
#
# The machine is emulated, and runs with KVM where a kernel is seen to run with it.
#
# With --reboot the guest may reboot: its root disk stays as it was, and COMMAND is run again.
#
# A guest that has not ended after --timeout seconds (900 by default) is ended, with the end
# of its console shown, and the status is 124. 125 means that the guest ended by itself
# before the command did.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin

here=$(cd "$(dirname "$0")" && pwd)
repo=$(cd "$here/../.." && pwd)
kernel=6.1 lsm=apparmor limit=900 build=build/dev add=() reboot=(-no-reboot)

usage() { sed -n '2,/^set/s/^# \{0,1\}//p' "$0" | head -n -1; }
while [ $# -gt 0 ]; do
  case $1 in
    --kernel) kernel=$2; shift 2 ;;
    --lsm) lsm=$2; shift 2 ;;
    --timeout) limit=$2; shift 2 ;;
    --build) build=$2; shift 2 ;;
    --add) add+=("$(realpath "$2")"); shift 2 ;;
    --reboot) reboot=(); shift ;;
    --help | -h) usage; exit 0 ;;
    --) shift; break ;;
    -*) echo "run.sh: unknown option $1" >&2; usage >&2; exit 2 ;;
    *) break ;;
  esac
done
[ $# -gt 0 ] || { usage >&2; exit 2; }
if [ "$(id -u)" -ne 0 ]; then
  echo "run.sh: making a virtual machine's root file system needs root; run it as root." >&2
  exit 2
fi
if ! command -v qemu-system-x86_64 >/dev/null; then
  echo "run.sh: qemu is missing: apt-get install qemu-system-x86" >&2
  exit 2
fi

image=$("$here/image.sh" "$kernel" "$lsm")
work=$(mktemp -d "${TMPDIR:-/tmp}/bulkhead-vm.XXXXXX")
qemu=
clean_up() {
  if [ -n "$qemu" ]; then kill -KILL "$qemu" 2>/dev/null || true; fi
  rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

# build_files: the programs and CTest files of the build folder, as paths from the tree's top.
build_files() {
  [ -d "$repo/$build" ] || return 0
  (cd "$repo" && find "$build" -name CMakeFiles -prune -o -type f \
    \( -perm -u+x -o -name '*.cmake' \) -print)
}

# make_payload: the second disk.
make_payload() {
  local disk=$work/disk path size
  mkdir -p "$disk/.vm" "$disk/tree"
  tar -C "$repo" --exclude=./.git --exclude=./build -cf - . | tar -C "$disk/tree" -xf -
  build_files | tar -C "$repo" -cf - -T - | tar -C "$disk/tree" -xf -
  for path in "${add[@]}"; do
    mkdir -p "$disk/extra$(dirname "$path")"
    cp -a "$path" "$disk/extra$path"
  done
  printf '%q ' "$@" >"$disk/.vm/command"
  echo "$repo" >"$disk/.vm/tree"
  size=$(du -sm "$disk" | cut -f1)
  mke2fs -q -t ext4 -E root_owner=0:0 -d "$disk" "$work/payload.img" $((size * 5 / 4 + 256))M \
    >"$work/mke2fs.log" 2>&1 || { cat "$work/mke2fs.log" >&2; exit 1; }
  rm -rf "$disk"
}
make_payload "$@"

# kvm_works: whether this kernel runs with KVM. That there is a /dev/kvm does not tell: in a virtual
# machine QEMU may refuse it, or the kernel hang. Without a root file system it panics at once.
kvm_works() {
  [ -w /dev/kvm ] || return 1
  : >"$work/trial"
  (timeout 20 qemu-system-x86_64 -accel kvm -cpu host -m 512 -machine q35 -display none \
    -nodefaults -no-reboot -nic none -kernel "$image/vmlinuz" -append "console=ttyS0 panic=-1" \
    -serial "file:$work/trial" </dev/null || true) >/dev/null 2>&1
  grep -qa 'Unable to mount root fs' "$work/trial"
}

# boot: starts the guest and waits for its end or the time limit, showing the command's output.
boot() {
  : >"$work/output"
  : >"$work/status"
  qemu-system-x86_64 "${processor[@]}" -m 2048 -smp 2 -machine q35 \
    -display none -nodefaults "${reboot[@]}" -nic none \
    -kernel "$image/vmlinuz" -initrd "$image/initrd" \
    -append "console=ttyS0 rw panic=-1 $lsm=1 security=$lsm systemd.getty_auto=0" \
    -drive "file=$image/root.img,format=raw,if=virtio,snapshot=on" \
    -drive "file=$work/payload.img,format=raw,if=virtio,cache=unsafe" \
    -serial "file:$work/console" -device virtio-rng-pci -device virtio-serial-pci \
    -chardev "file,id=output,path=$work/output" \
    -device virtserialport,chardev=output,name=bulkhead.output \
    -chardev "file,id=status,path=$work/status" \
    -device virtserialport,chardev=status,name=bulkhead.status \
    </dev/null >"$work/qemu.log" 2>&1 &
  qemu=$!
  tail -c +1 -f --pid="$qemu" "$work/output" &
  local shown=$!
  timed_out=no
  timeout "$limit" tail -f --pid="$qemu" /dev/null || timed_out=yes
  if [ $timed_out = yes ]; then kill -KILL "$qemu" 2>/dev/null || true; fi
  wait "$qemu" 2>/dev/null || true
  qemu=
  wait "$shown" || true
}

# explain REASON: for a command without a status.
explain() {
  echo "run.sh: $1; the end of the guest's console:" >&2
  cat "$work/qemu.log" >&2
  tail -n 60 "$work/console" >&2
}

# Without cx16: the emulator's cmpxchg16b is not atomic under several threads, and newer
# kernels' allocator then loses its free lists (seen as random faults of Linux 6.12).
processor=(-accel "tcg,thread=multi" -cpu "max,-cx16")
if kvm_works; then processor=(-accel kvm -cpu host); fi
boot
# A guest that fell before it came to the command says nothing of the command: once more.
if [ $timed_out = no ] && ! grep -q started "$work/status"; then
  explain "the guest ended before the command began, it is started once more"
  boot
fi

if [ $timed_out = yes ]; then
  status=124
  explain "the guest did not end within $limit s"
else
  status=$(sed -n 's/^exit //p' "$work/status")
  if [ -z "$status" ]; then
    status=125
    explain "the guest ended before the command did"
  fi
fi
"$repo/tests/count.sh" "$work/output"
exit "$status"
