#!/bin/bash
# first-pod.sh BUILD ARCHIVE: in a guest, installs the build as an administrator would, starts
# the systemd unit, imports the image and runs the quickstart's pod; then stops the unit under the
# running pod and starts it again. Prints GoogleTest's lines.
set -uo pipefail
build=$1 archive=$2
image=docker.io/library/busybox:latest
suite=Systemd
. "$(dirname "$0")/check.sh"

install_all() {
  install -D -t /usr/bin "$build/shim/daemon/bulkheadd" "$build/shim/ctl/bulkheadctl" &&
    install -D -t /usr/libexec/bulkhead "$build/runtime/supervisor/bulkhead-pod" &&
    install -D -m 644 deploy/config.toml /etc/bulkhead/config.toml &&
    install -m 644 deploy/bulkhead.service /etc/systemd/system/ &&
    systemctl daemon-reload
}

start_unit() { systemctl start bulkhead || { journalctl -u bulkhead -n 30 --no-pager; false; }; }

run_pod() {
  "$build/deploy/quickstart/bulkhead-quickstart" /run/bulkhead/bulkhead.sock run $image >/tmp/shown ||
    { journalctl -u bulkhead -n 30 --no-pager; return 1; }
  head -n -1 /tmp/shown
}

show_isolation() {
  bulkheadctl isolation "$(tail -n 1 /tmp/shown)" >/tmp/isolation && cat /tmp/isolation &&
    grep -q '^ *no_new_privs *yes$' /tmp/isolation && grep -q '^ *seccomp *filter (1)$' /tmp/isolation &&
    grep -q '^ *namespace mnt *own$' /tmp/isolation && grep -q '^ *namespace pid *own$' /tmp/isolation
}

# The container's process is the same one after the daemon was stopped and started.
restart_under_pod() {
  local before
  before=$(sed -n 's/^container .*, process //p' /tmp/isolation)
  systemctl restart bulkhead && show_isolation >/dev/null &&
    [ "$before" = "$(sed -n 's/^container .*, process //p' /tmp/isolation)" ]
}

remove_pod() {
  [ "$("$build/deploy/quickstart/bulkhead-quickstart" /run/bulkhead/bulkhead.sock remove)" = 0 ] &&
    [ -z "$(pgrep bulkhead-pod)" ] && systemctl stop bulkhead
}

check InstallsTheBuild install_all
check StartsTheUnit start_unit
check ImportsAnImage bulkheadctl image import "$archive"
check RunsThePodOfTheQuickstart run_pod
check ShowsItsIsolation show_isolation
check KeepsThePodOverARestartOfTheUnit restart_under_pod
check RemovesThePodAndStops remove_pod
summary
