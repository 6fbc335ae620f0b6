#!/bin/bash
# package.sh BUILD PACKAGE ARCHIVE: in a guest, installs the Debian package's predecessor, runs a
# pod with the systemd cgroup driver, upgrades under it, removes and purges. Prints GoogleTest's
# lines.
set -uo pipefail
build=$1 package=$2 archive=$3
image=docker.io/library/busybox:latest
socket=/run/bulkhead/bulkhead.sock
suite=Package
. "$(dirname "$0")/check.sh"

quickstart() { "$build/deploy/quickstart/bulkhead-quickstart" $socket "$@"; }
journal() { journalctl -u bulkhead -n 30 --no-pager; }

# make_older FOLDER: the package as an older version with another build of the supervisor.
make_older() {
  dpkg-deb -R "$package" "$1" &&
    sed -i 's/^Version:.*/Version: 0.0.1/' "$1/DEBIAN/control" &&
    cp "$build/tests/kernel/bulkhead-pod-next" "$1/usr/libexec/bulkhead/bulkhead-pod" &&
    dpkg-deb -b -Znone "$1" /tmp/older.deb
}

installs_and_starts() {
  mkdir -p /etc/bulkhead/config.d /etc/cni/net.d &&
    printf '[cgroup]\ndriver = "systemd"\n' >/etc/bulkhead/config.d/driver.toml &&
    make_older /tmp/older >/dev/null && dpkg -i /tmp/older.deb &&
    { systemctl is-active bulkhead || { journal; false; }; } && systemctl is-enabled bulkhead
}

# Only the network may be at fault: the guest has no CNI configuration.
checks_the_host() {
  bulkheadctl check >/tmp/checked 2>&1
  cat /tmp/checked
  [ "$(grep -c ^failure /tmp/checked)" = 1 ] && grep -q '^failure  network' /tmp/checked &&
    grep -q '^ok       cgroup driver  *systemd' /tmp/checked &&
    [ -z "$(find /var/lib/bulkhead -name '.bulkhead-check*')" ]
}

runs_a_pod() {
  bulkheadctl image import "$archive" && quickstart run $image >/tmp/shown ||
    { journal; return 1; }
  container=$(tail -n 1 /tmp/shown)
  process_of_container >/tmp/process && [ -s /tmp/process ] || return 1
  cat "/proc/$(cat /tmp/process)/cgroup"
  grep -q "/bulkhead.slice/bulkhead-.*\.slice/bulkhead-$container\.scope$" \
    "/proc/$(cat /tmp/process)/cgroup"
}

process_of_container() { bulkheadctl isolation "$container" | sed -n 's/^container .*, process //p'; }
same_process() { [ -s /tmp/process ] && [ "$(process_of_container)" = "$(cat /tmp/process)" ]; }
supervisor_program() { stat -L -c %i "/proc/$(pgrep bulkhead-pod)/exe"; }

upgrades_under_the_pod() {
  local program daemon
  program=$(supervisor_program) daemon=$(pgrep -x bulkheadd)
  echo '# changed by the administrator' >>/etc/bulkhead/config.toml
  dpkg -i --force-confold "$package" || return 1
  systemctl is-active bulkhead || { journal; return 1; }
  [ "$(pgrep -x bulkheadd)" != "$daemon" ] && [ "$(supervisor_program)" != "$program" ] &&
    same_process && grep -q administrator /etc/bulkhead/config.toml
}

# A reload of systemd, and a stop and start of the daemon, change nothing.
keeps_the_pod_over_reload() {
  systemctl daemon-reload && systemctl daemon-reexec && systemctl restart bulkhead && same_process
}

removes_the_pod() {
  [ "$(quickstart remove)" = 0 ] && [ -z "$(pgrep bulkhead-pod)" ] &&
    ! systemctl list-units --all --plain --no-legend | grep -E 'bulkhead.*\.(scope|slice)'
}

removes_itself() {
  dpkg -r bulkhead && ! systemctl is-active bulkhead && [ ! -e /usr/bin/bulkheadd ] &&
    [ ! -e /run/bulkhead ] && [ -e /etc/bulkhead/config.toml ] && [ -e /var/lib/bulkhead ]
}

leaves_nothing_when_purged() {
  local left
  rm -r /etc/bulkhead/config.d
  dpkg -P bulkhead || return 1
  left=$(find /etc /usr /var /run -xdev -path '*bulkhead*' ! -path '*bulkhead-vm*' \
    ! -path "$PWD*" ! -path '/var/log/*' ! -path '/run/udev/*')
  echo "$left"
  [ -z "$left" ]
}

check InstallsAndStarts installs_and_starts
check ChecksTheHost checks_the_host
check RunsAPodInAScope runs_a_pod
check UpgradesUnderTheRunningPod upgrades_under_the_pod
check KeepsThePodOverReloadAndRestart keeps_the_pod_over_reload
check RemovesThePodWithItsUnits removes_the_pod
check RemovesItselfButConfigurationAndData removes_itself
check LeavesNothingWhenPurged leaves_nothing_when_purged
summary
