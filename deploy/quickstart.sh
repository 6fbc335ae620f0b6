#!/bin/bash
# quickstart.sh [--clean]
#
# From a fresh Debian 12 to a running pod: installs the packages that the build needs, builds
# Bulkhead, installs it below /usr, starts bulkheadd with its default configuration, makes a
# small image of Debian's busybox, imports it, runs a pod of one container through the CRI and
# shows what it got. A second run does again only what changed. --clean takes all of it away,
# the packages that it installed included.
set -euo pipefail
repo=$(cd "$(dirname "$0")/.." && pwd)
build=$repo/build/release
notes=/var/lib/bulkhead-quickstart     # What --clean has to take away.
socket=/run/bulkhead/bulkhead.sock
pid_file=/run/bulkhead-quickstart.pid  # Only without systemd.
log=/var/log/bulkheadd.log             # Only without systemd.
image=docker.io/library/busybox:latest

say() { printf '\n== %s\n' "$*"; }
fail() { echo "quickstart.sh: $*" >&2; exit 1; }
has_systemd() { [ -d /run/systemd/system ]; }

build_release() {
  cmake -S "$repo" --preset release -DBULKHEAD_TESTS=OFF >"$notes/configure.log" ||
    { cat "$notes/configure.log"; exit 1; }
  ninja -C "$build"
}

# install_files: below /usr, and the default configuration and the unit where there are none.
install_files() {
  cmake --install "$build" --prefix /usr >/dev/null
  cp "$build/install_manifest.txt" "$notes/files"
  if [ ! -e /etc/bulkhead/config.toml ]; then
    install -D -m 644 "$repo/deploy/config.toml" /etc/bulkhead/config.toml
    touch "$notes/configuration"
  fi
  if has_systemd; then
    install -m 644 "$repo/deploy/bulkhead.service" /etc/systemd/system/bulkhead.service
    systemctl daemon-reload
  fi
}

# daemon_pid: of the daemon that runs, if it does.
daemon_pid() {
  local pid
  if has_systemd; then
    pid=$(systemctl show -p MainPID --value bulkhead 2>/dev/null || echo 0)
  else
    pid=$(cat $pid_file 2>/dev/null || echo 0)
  fi
  [ "$pid" != 0 ] && [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = bulkheadd ] && echo "$pid"
}

stop_daemon() {
  local pid
  pid=$(daemon_pid) || return 0
  if has_systemd; then
    systemctl stop bulkhead
  else
    kill "$pid"
    timeout 30 tail -f --pid="$pid" /dev/null || fail "bulkheadd, process $pid, did not end"
  fi
}

# start_daemon: anew when it does not run, or runs from another build; its pods run on.
start_daemon() {
  local pid
  if pid=$(daemon_pid); then
    if cmp -s "/proc/$pid/exe" /usr/bin/bulkheadd; then return; fi
    stop_daemon
  fi
  if has_systemd; then
    systemctl start bulkhead || { journalctl -u bulkhead -n 20 --no-pager; exit 1; }
  else
    setsid /usr/bin/bulkheadd >>$log 2>&1 </dev/null &
    echo $! >$pid_file
  fi
}

import_image() {
  local archive=$notes/busybox.tar
  if bulkheadctl image list "$image" | grep -q "^$image "; then return; fi
  BULKHEAD_IMAGE_CACHE=$notes/images "$repo/tests/images/image.sh" archive busybox "$image" "$archive"
  bulkheadctl image import "$archive"
  rm "$archive"
}

first_pod() {
  "$build/deploy/quickstart/bulkhead-quickstart" $socket run "$image" >"$notes/shown" || {
    cat "$notes/shown"
    if ! has_systemd; then tail -n 20 $log; fi
    exit 1
  }
  container=$(tail -n 1 "$notes/shown")
  head -n -1 "$notes/shown"
}

next_steps() {
  cat <<NEXT

== what next
The pod runs on. Its container's isolation, read from the kernel at any time:
  bulkheadctl isolation ${container:0:12}
With crictl of cri-tools:
  crictl --runtime-endpoint unix://$socket ps
For a kubelet (cgroup driver cgroupfs):
  kubelet --container-runtime-endpoint=unix://$socket
To take all of this away again:
  $0 --clean
NEXT
}

clean() {
  local others=0 path
  if daemon_pid >/dev/null && [ -x "$build/deploy/quickstart/bulkhead-quickstart" ]; then
    others=$("$build/deploy/quickstart/bulkhead-quickstart" $socket remove)
  fi
  [ "$others" -eq 0 ] || fail "bulkheadd has $others other pods; remove them first, they would be lost"
  stop_daemon
  if has_systemd; then
    rm -f /etc/systemd/system/bulkhead.service
    systemctl daemon-reload
  fi
  if [ -f "$notes/files" ]; then xargs -r rm -f <"$notes/files"; fi
  if [ -f "$notes/configuration" ]; then rm -f /etc/bulkhead/config.toml; fi
  rm -rf /run/bulkhead /var/lib/bulkhead $pid_file $log "$build"
  # Only what is empty now.
  for path in /etc/bulkhead /usr/libexec/bulkhead /var/log/pods "$repo/build"; do
    rmdir "$path" 2>/dev/null || true
  done
  "$repo/deploy/packages.sh" remove "$notes/packages"
  rm -rf $notes
  echo "quickstart.sh: all of it is gone"
}

if [ "$(id -u)" -ne 0 ]; then
  fail "it installs packages and starts a daemon; run it as root."
fi
case ${1:-} in
  '') ;;
  --clean) clean; exit ;;
  *) sed -n '2,/^set/s/^# \{0,1\}//p' "$0" | head -n -1 >&2; exit 2 ;;
esac

mkdir -p $notes
say "packages (1 of 5)"
BULKHEAD_PACKAGE_RECORD=$notes/packages "$repo/deploy/packages.sh" install build runtime
say "build (2 of 5)"
build_release
say "start bulkheadd (3 of 5)"
install_files
start_daemon
say "image (4 of 5)"
import_image
say "a pod with one container (5 of 5)"
first_pod
say "the isolation that it got"
bulkheadctl isolation "$container"
next_steps
