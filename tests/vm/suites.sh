#!/bin/bash
# suites.sh BUILD ARCHIVE PACKAGE [RUNNER]: in a guest, what the label vm runs in one life of it.
# RUNNER runs the GoogleTest programs. `== suite NAME` goes before the results of each.
set -uo pipefail
build=$1 archive=$2 package=$3 runner=${4:-env}
status=0

suite() {
  echo "== suite $1"
  shift
  "$@" || status=1
}

for part in isolation supervisor pods daemon; do
  suite kernel "$runner" "$build/tests/kernel/kernel_${part}_test"
done
suite conformance "$runner" "$build/tests/conformance/suite/bulkhead-conformance"
suite fault "$runner" "$build/tests/fault/bulkhead-faults"
export BULKHEAD_TEST_CGROUP_DRIVER=systemd
suite kernel-systemd "$runner" "$build/tests/kernel/kernel_pods_test"
suite conformance-systemd "$runner" "$build/tests/conformance/suite/bulkhead-conformance"
suite fault-systemd "$runner" "$build/tests/fault/bulkhead-faults"
unset BULKHEAD_TEST_CGROUP_DRIVER
suite package tests/vm/package.sh "$build" "$package" "$archive"
suite service tests/vm/first-pod.sh "$build" "$archive"
exit $status
