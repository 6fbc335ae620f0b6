#!/bin/bash
# suites.sh BUILD ARCHIVE PACKAGE RUNNER PART: in a guest, a part of the tests. RUNNER runs the
# GoogleTest programs. `== suite NAME` goes before the results of each.
#
#   kernel              the kernel tests, those of pods with both cgroup drivers; the Debian
#                       package; the systemd unit with a first pod
#   selinux             what needs SELinux; in a guest that has it (run.sh --lsm selinux)
#   cgroupfs, systemd   the conformance and fault tests with this cgroup driver
set -uo pipefail
build=$1 archive=$2 package=$3 runner=$4 part=$5
# Emulated: races and numbers of the usual size would take hours.
export BULKHEAD_RACE_ROUNDS=2000 BULKHEAD_MANY_PODS=40 BULKHEAD_MANY_SESSIONS=2000
export BULKHEAD_FAULT_STRIDE=7
status=0

suite() {
  echo "== suite $1"
  shift
  "$@" || status=1
}

kernel() {
  local tests
  for tests in isolation supervisor pods daemon; do
    suite kernel "$runner" "$build/tests/kernel/kernel_${tests}_test"
  done
  BULKHEAD_TEST_CGROUP_DRIVER=systemd \
    suite kernel-systemd "$runner" "$build/tests/kernel/kernel_pods_test"
  suite package tests/vm/package.sh "$build" "$package" "$archive"
  suite service tests/vm/first-pod.sh "$build" "$archive"
}

selinux() {
  suite selinux "$runner" "$build/tests/kernel/kernel_pods_test" --gtest_filter='Selinux.*'
}

case $part in
  kernel) kernel ;;
  selinux) selinux ;;
  cgroupfs | systemd)
    export BULKHEAD_TEST_CGROUP_DRIVER=$part
    suite "conformance-$part" "$runner" "$build/tests/conformance/suite/bulkhead-conformance"
    suite "fault-$part" "$runner" "$build/tests/fault/bulkhead-faults"
    ;;
esac
exit $status
