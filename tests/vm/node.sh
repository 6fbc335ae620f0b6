#!/bin/bash
# node.sh BUILD ARCHIVE: in a guest that may reboot (run.sh --reboot), runs the daemon as a service
# with a CNI network, restarts and stops it under thirty pods, reboots the machine under five, and
# looks at what the next start finds. Prints GoogleTest's lines.
set -uo pipefail
build=$1 archive=$2
rebooted=/var/lib/bulkhead-node-rebooted

tests_of() {
  "$build/tests/vm/node/bulkhead-node-tests" --endpoint=/run/bulkhead/bulkhead.sock --gtest_filter="$1"
}

install_all() {
  install -D -t /usr/bin "$build/shim/daemon/bulkheadd" "$build/shim/ctl/bulkheadctl" &&
    install -D -t /usr/libexec/bulkhead "$build/runtime/supervisor/bulkhead-pod" &&
    install -D -m 644 deploy/config.toml /etc/bulkhead/config.toml &&
    install -m 644 deploy/bulkhead.service /etc/systemd/system/ &&
    mkdir -p /etc/bulkhead/config.d /etc/cni/net.d || return 1
  printf '[cgroup]\ndriver = "%s"\n' "${BULKHEAD_TEST_CGROUP_DRIVER:-cgroupfs}" \
    >/etc/bulkhead/config.d/driver.toml
  cat >/etc/cni/net.d/10-node.conflist <<'CONF'
{"cniVersion": "1.0.0", "name": "node", "plugins": [
  {"type": "bridge", "bridge": "node0", "isGateway": true, "ipMasq": true,
   "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.86.0.0/16"}]]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}]}
CONF
  systemctl daemon-reload && systemctl enable --now bulkhead && bulkheadctl image import "$archive"
}

if [ -e $rebooted ]; then
  systemctl start bulkhead
  tests_of 'Node.AfterTheReboot*'
else
  install_all || { journalctl -u bulkhead -n 30 --no-pager; exit 1; }
  tests_of 'Node.RestartAndStop*' && tests_of Node.BeforeTheReboot || exit 1
  touch $rebooted
  # Without stopping the services first; what runs is killed and the file systems are unmounted.
  systemctl reboot --force
  sleep infinity
fi
