#!/bin/bash
# run.sh [--label LABEL]... [--preset dev|release|asan|tsan] [--must-run] [--again] [--no-install]
#
# Installs what the build and the tests need, builds, runs the tests of the given labels (all
# by default) and ends with `N passed, N failed, N skipped`. Skipped and failed tests are
# listed with their reason.
#
#   unit         pure logic
#   kernel       this machine's kernel: namespaces, mounts, cgroups
#   conformance  the daemon, spoken to through the CRI
#   fault        the daemon with failures injected
#   fuzz, bench  short runs of the fuzzers and of the measurements
#   vm           the kernel tests, the Debian package, the systemd unit with a first pod, SELinux,
#                and a reboot, in virtual machines with Linux 6.1 and 6.12, cgroup v2, both drivers
#   vm-suites    conformance and fault tests in the same machines; takes an hour and more
#
# --must-run makes a skipped test that is not in skips.txt a failure, --again gives a failed test
# a second chance and lists what needed it, --no-install leaves the packages alone.
set -euo pipefail
repo=$(cd "$(dirname "$0")/.." && pwd)
cd "$repo"
preset=dev labels=() must_run=no again=no install=yes
known='unit kernel conformance fault fuzz bench vm vm-suites'

usage() { sed -n '2,/^set/s/^# \{0,1\}//p' "$0" | head -n -1; }
while [ $# -gt 0 ]; do
  case $1 in
    --label) labels+=("${2:?}"); shift 2 ;;
    --preset) preset=${2:?}; shift 2 ;;
    --must-run) must_run=yes; shift ;;
    --again) again=yes; shift ;;
    --no-install) install=no; shift ;;
    --help | -h) usage; exit 0 ;;
    *) echo "run.sh: unknown argument $1" >&2; usage >&2; exit 2 ;;
  esac
done
for label in "${labels[@]}"; do
  case " $known " in
    *" $label "*) ;;
    *) echo "run.sh: no label $label; there are: $known" >&2; exit 2 ;;
  esac
done
if [ ${#labels[@]} -eq 0 ]; then read -ra labels <<<"$known"; fi
if [ "$(id -u)" -ne 0 ]; then
  echo "run.sh: the tests install packages and make namespaces, mounts and cgroups; run it as root." >&2
  exit 2
fi

build=build/$preset
work=$(mktemp -d "${TMPDIR:-/tmp}/bulkhead-tests.XXXXXX")
trap 'rm -rf "$work"' EXIT
say() { printf '\n== %s\n' "$*"; }

# targets: what to build. A run of unit and kernel tests alone needs their programs and the
# supervisor, not the daemon.
targets() {
  local label programs
  programs=$(ninja -C "$build" -t targets all | sed -n 's/^\([a-z_]*_test\): phony$/\1/p')
  for label in "${labels[@]}"; do
    case $label in
      unit) grep '^unit_' <<<"$programs" || true ;;
      kernel) echo bulkhead-pod; grep '^kernel_' <<<"$programs" || true ;;
      vm | vm-suites)
        printf '%s\n' bulkhead-pod bulkhead-pod-next bulkheadd bulkheadctl bulkhead-quickstart \
          bulkhead-conformance bulkhead-faults bulkhead-node-tests
        grep '^kernel_' <<<"$programs" || true
        ;;
      *) echo all ;;
    esac
  done
}

build_all() {
  local wanted
  say "configure and build ($preset)"
  cmake --preset "$preset" >"$work/configure" || { cat "$work/configure"; exit 1; }
  wanted=$(targets)
  if grep -qx all <<<"$wanted"; then wanted=all; fi
  xargs ninja -C "$build" <<<"$wanted"
}

# run_ctest LABEL: pure tests side by side, the others one after the other, because they
# share the machine's kernel.
run_ctest() {
  local jobs=1 quiet=() repeat=()
  if [ "$1" = unit ]; then jobs=$(nproc); fi
  if [ $again = yes ]; then repeat=(--repeat until-pass:2); fi
  case $preset in
    asan | tsan) quiet=(setarch -R) ;;  # the sanitizers' shadow needs its place
  esac
  say "$1"
  "${quiet[@]}" ctest --test-dir "$build" -L "^$1\$" -j "$jobs" --timeout 300 \
    "${repeat[@]}" --output-on-failure --no-tests=ignore --output-junit "$work/$1.xml" \
    --test-output-size-passed 1000000 </dev/null |
    tee "$work/$1.out" | grep --line-buffered -vE '^ +Start +[0-9]+:|^ *[0-9]+/[0-9]+ Test .* Passed ' || true
  if [ ! -f "$work/$1.xml" ]; then return; fi
  awk -f tests/junit.awk "$work/$1.xml" >>"$work/results"
  awk -f tests/repeated.awk "$work/results" "$work/$1.out" >>"$work/results"
}

# in_vm KERNEL ARGUMENT...: tests/vm/run.sh; what the programs in the guest tell are results. One
# that falls is a failure by itself.
in_vm() {
  local kernel=$1 output=$work/vm-output status=0
  shift
  tests/vm/run.sh --kernel "$kernel" --build "$build" "$@" >"$output" 2>&1 </dev/null || status=$?
  grep -vE '^\[ RUN|^\[       OK|^\[---' "$output" || true
  awk -v on="vm.$kernel." -f tests/gtest.awk "$output" >"$work/vm"
  if [ $status -ne 0 ] && ! grep -q '^failed' "$work/vm"; then
    printf 'failed\tvm.%s\tended with status %s\n' "$kernel" "$status" >>"$work/vm"
  fi
  cat "$work/vm" >>"$work/results"
}

# run_vm KERNEL PART...: the parts of suites.sh, each in a life of its own; and the node's reboot.
run_vm() {
  local kernel=$1 archive=$work/busybox.tar package runner=env part suites images
  shift
  if [ $again = yes ]; then runner=tests/again.sh; fi
  tests/images/image.sh archive busybox docker.io/library/busybox:latest "$archive"
  (cd "$build" && cpack -G DEB -B "$work/package" >"$work/cpack") || { cat "$work/cpack"; exit 1; }
  package=$(ls "$work"/package/*.deb)
  suites=(tests/vm/suites.sh "$build" "$archive" "$package" "$runner")
  images=(--add "$(tests/images/image.sh layout nginx)" --add "$(tests/images/image.sh layout redis)")
  for part in "$@"; do
    say "vm: Linux $kernel, $part"
    case $part in
      node) in_vm "$kernel" --add "$archive" --timeout 900 --reboot -- \
        tests/vm/node.sh "$build" "$archive" ;;
      selinux) in_vm "$kernel" --lsm selinux --timeout 900 -- "${suites[@]}" selinux ;;
      kernel) in_vm "$kernel" --add "$archive" --add "$package" --timeout 1800 -- \
        "${suites[@]}" kernel ;;
      *) in_vm "$kernel" "${images[@]}" --timeout 10800 -- "${suites[@]}" "$part" ;;
    esac
  done
}

if [ $install = yes ]; then deploy/packages.sh install build runtime test; fi
build_all
# What libraries without a sanitizer do with memory is theirs to get right.
export TSAN_OPTIONS="suppressions=$repo/tests/sanitizers/tsan.supp ignore_noninstrumented_modules=1 \
${TSAN_OPTIONS:-}"
export ASAN_OPTIONS="strict_string_checks=1 ${ASAN_OPTIONS:-}"
: >"$work/results"
for label in "${labels[@]}"; do
  case $label in
    vm) for kernel in 6.1 6.12; do run_vm $kernel kernel selinux node; done ;;
    vm-suites) for kernel in 6.1 6.12; do run_vm $kernel cgroupfs systemd; done ;;
    *) run_ctest "$label" ;;
  esac
done

if [ $must_run = yes ]; then
  case $preset in
    asan | tsan) place=$preset ;;
    *) place=native ;;
  esac
  awk -v place=$place -f tests/must_run.awk tests/skips.txt "$work/results" >"$work/checked"
  mv "$work/checked" "$work/results"
fi
for kind in skipped repeated failed; do
  if grep -q "^$kind" "$work/results"; then
    say "$kind"
    sed -n "s/^$kind\t\([^\t]*\)\t\(.*\)/  \1: \2/p" "$work/results"
  fi
done
echo
awk '{ n[$1]++ } END { printf "%d passed, %d failed, %d skipped\n", n["passed"], n["failed"], n["skipped"] }' \
  "$work/results"
! grep -q '^failed' "$work/results"
