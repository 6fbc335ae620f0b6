#!/bin/bash
# image.sh 6.1|6.12 [apparmor|selinux]: makes a bootable Debian 12 root with the asked kernel, once,
# and prints the folder that holds it: vmlinuz, initrd and root.img. With selinux the root has a
# policy, with the module for containers, and its files have labels.
#
# 6.1 is Debian 12's own cloud kernel; 6.12 is Debian 13's under the same root, so that one
# build of the test programs runs on both. The folder's name is a digest of what goes in, so
# that a change of this file or of the package list makes a new one.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin

here=$(cd "$(dirname "$0")" && pwd)
repo=$(cd "$here/../.." && pwd)
kernel=${1:?usage: image.sh 6.1|6.12 [apparmor|selinux]} lsm=${2:-apparmor}
case $kernel in
  6.1) suite=bookworm ;;
  6.12) suite=trixie ;;
  *) echo "image.sh: no kernel $kernel: 6.1 and 6.12 are known" >&2; exit 2 ;;
esac
case $lsm in
  apparmor) uses=(guest) ;;
  selinux) uses=(guest selinux) ;;
  *) echo "image.sh: no security module $lsm: apparmor and selinux are known" >&2; exit 2 ;;
esac
cache=${BULKHEAD_VM_CACHE:-${XDG_CACHE_HOME:-/var/cache}/bulkhead-vm}
mirror=${BULKHEAD_VM_MIRROR:-http://deb.debian.org/debian}
packages=$("$repo/deploy/packages.sh" list "${uses[@]}" | LC_ALL=C sort)

digest() { sha256sum | cut -c1-16; }
root_key=$( (
  echo "$packages"
  echo "$mirror"
  sed -n '/^make_root/,/^}/p' "$0"
  if [ "$lsm" = selinux ]; then sed -n '/^add_policy/,/^}/p' "$0" | cat - "$here/guest/bulkhead-vm.cil"; fi
) | digest)
image_key=$( (echo "$root_key $kernel $lsm"; cat "$0" "$here"/guest/*) | digest)

say() { echo "vm: $*" >&2; }

# make_root FOLDER: Debian 12 with systemd and the libraries of our programs.
make_root() {
  mmdebstrap --quiet --variant=minbase --include="$(paste -sd, <<<"$packages")" \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    --aptopt='Acquire::Languages "none"' bookworm "$1" "$mirror" >&2
  echo bulkhead-vm >"$1/etc/hostname"
  echo '127.0.0.1 localhost bulkhead-vm' >"$1/etc/hosts"
  # Nothing runs in the guest but what a test starts.
  rm -f "$1"/etc/systemd/system/*.wants/{nginx,redis-server,docker-registry,apt-daily*,dpkg-db*}*
  rm -f "$1"/etc/systemd/system/{timers,getty}.target.wants/* "$1"/etc/systemd/system/redis.service
  # Such as systemd-tmpfiles-clean, after a quarter of an hour.
  rm -f "$1"/usr/lib/systemd/system/timers.target.wants/*
}

# add_policy ROOT: the policy's module for containers, compiled from the policy's sources; what lets the
# test's commands start containers, which it grants to its own engines only.
add_policy() {
  local debs=$work/debs module=$1/root/container policy=default
  mkdir -p "$debs" "$module"
  (cd "$debs" && apt-get -qq -o APT::Sandbox::User=root download selinux-policy-dev selinux-policy-src >&2)
  dpkg-deb --fsys-tarfile "$debs"/selinux-policy-dev_*.deb | tar -C "$1" -xf - ./usr/share/selinux/devel
  dpkg-deb --fsys-tarfile "$debs"/selinux-policy-src_*.deb |
    tar -xOf - ./usr/src/selinux-policy-src.tar.zst | zstd -dc |
    tar -C "$module" --strip-components=4 -xf - --wildcards '*/services/container.te' '*/services/container.fc'
  cp "$here/guest/bulkhead-vm.cil" "$module"
  chroot "$1" make -s -C /root/container -f /usr/share/selinux/devel/Makefile container.pp >&2
  chroot "$1" semodule -n -s $policy -i /root/container/container.pp /root/container/bulkhead-vm.cil >&2
  rm -r "$module" "$1/usr/share/selinux/devel"
  sed -i 's/^SELINUX=.*/SELINUX=enforcing/' "$1/etc/selinux/config"
}

# get_kernel FOLDER: unpacks the suite's cloud kernel, from an apt of its own, so that the
# suites of this machine's apt stay as they are.
get_kernel() {
  local apt=$1/apt name
  mkdir -p "$apt"/{lists/partial,archives/partial}
  : >"$apt/status"
  cat >"$apt/sources.list" <<SOURCES
deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main
SOURCES
  local options=(-qq -o Dir::State::Lists="$apt/lists" -o Dir::State::status="$apt/status"
    -o Dir::Cache::archives="$apt/archives" -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache=
    -o Dir::Etc::SourceList="$apt/sources.list" -o Dir::Etc::SourceParts=/dev/null
    -o APT::Architecture=amd64 -o Acquire::Languages=none -o APT::Sandbox::User=root)
  apt-get "${options[@]}" update >&2
  name=$(apt-cache "${options[@]}" depends linux-image-cloud-amd64 |
    awk '$1 == "Depends:" && $2 ~ /^linux-image-[0-9]/ { print $2; exit }')
  (cd "$apt" && apt-get "${options[@]}" download "$name" >&2)
  dpkg -x "$apt/$name"_*.deb "$1/kernel"
}

# make_initrd ROOT VERSION FILE: busybox, the modules of a virtio disk with ext4, our init.
make_initrd() {
  local tree=$work/initrd module file
  mkdir -p "$tree"/{bin,modules}
  cp /bin/busybox "$tree/bin/busybox"
  cp "$here/guest/init" "$tree/init"
  for module in virtio_pci virtio_blk ext4; do
    modprobe -d "$1" -S "$2" --show-depends "$module" | awk '$1 == "insmod" { print $2 }'
  done | awk '!seen[$0]++' | while read -r file; do
    module=$(basename "$file" .xz)
    case $file in
      *.xz) xz -dc "$file" >"$tree/modules/$module" ;;
      *) cp "$file" "$tree/modules/$module" ;;
    esac
    echo "/modules/$module" >>"$tree/modules/order"
  done
  (cd "$tree" && find . | busybox cpio -o -H newc 2>/dev/null) | gzip -1 >"$3"
}

# make_image FOLDER: everything together.
make_image() {
  local root=$work/root version
  cp -al "$cache/root-$root_key" "$root"
  get_kernel "$work"
  version=$(basename "$work"/kernel/boot/vmlinuz-*)
  version=${version#vmlinuz-}
  mkdir -p "$root/usr/lib/modules"
  mv "$(find "$work/kernel" -type d -path "*/lib/modules/$version")" "$root/usr/lib/modules/"
  depmod -b "$root" "$version"
  install -D -m 755 "$here/guest/bulkhead-vm" "$root/usr/local/libexec/bulkhead-vm"
  install -m 644 "$here/guest/bulkhead-vm.service" "$root/etc/systemd/system/"
  ln -sf ../bulkhead-vm.service "$root/etc/systemd/system/multi-user.target.wants/"
  ln -sf /lib/systemd/system/multi-user.target "$root/etc/systemd/system/default.target"
  if [ "$lsm" = selinux ]; then
    # It sets labels by way of /proc, which is there as long as it runs.
    unshare --mount sh -ec 'mount -t proc proc "$1/proc"
      chroot "$1" setfiles -F -e /proc /etc/selinux/default/contexts/files/file_contexts /' - "$root" >&2
  fi
  make_initrd "$root" "$version" "$1/initrd"
  cp "$work/kernel/boot/vmlinuz-$version" "$1/vmlinuz"
  # Sparse: four gigabytes is what tests may fill, not what the file takes.
  mke2fs -q -t ext4 -E lazy_itable_init=1,root_owner=0:0 -d "$root" "$1/root.img" 4G >"$work/mke2fs.log"
}

image=$cache/linux-$kernel-$image_key
if [ ! -d "$image" ]; then
  for tool in mmdebstrap mke2fs modprobe depmod xz busybox; do
    command -v "$tool" >/dev/null || {
      say "$tool is missing: apt-get install $("$repo/deploy/packages.sh" list test | paste -sd' ')"
      exit 2
    }
  done
  mkdir -p "$cache"
  exec 9>"$cache/lock"
  flock 9
  work=$(mktemp -d "$cache/work.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  if [ ! -d "$cache/root-$root_key" ]; then
    say "making a Debian 12 root in $cache (once, about a minute)"
    make_root "$work/new-root"
    if [ "$lsm" = selinux ]; then add_policy "$work/new-root"; fi
    mv "$work/new-root" "$cache/root-$root_key"
  fi
  if [ ! -d "$image" ]; then
    say "making a bootable disk with Linux $kernel (once)"
    mkdir "$work/image"
    make_image "$work/image"
    mv "$work/image" "$image"
  fi
fi
echo "$image"
