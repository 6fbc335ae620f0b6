#!/bin/bash
# run.sh [--focus REGEX] [--build DIR] [--endpoint SOCKET --registry HOST:PORT] [CRITEST FLAG]...
#
# Runs the critest on PATH (cri-tools, 1.36 is what the images are made for) against bulkheadd.
# The daemon of the build folder (build/dev by default), a registry and critest itself run in a
# network namespace of their own, because critest binds fixed ports, and on private paths. The
# images are made of Debian packages and served under critest's own names through mirrors.
#
# --endpoint tests a runtime that runs already, in the network where it runs: its mirrors for
# registry.k8s.io, k8s.gcr.io and gcr.io have to be http://HOST:PORT.
#
# Prints every spec that failed or was skipped with its reason, and `N passed, N failed,
# N skipped` at the end. Its status is critest's.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
repo=$(cd "$here/../.." && pwd)
images=$repo/tests/images/image.sh
# Known by digest only, so nothing else can stand for it.
by_digest='public image with digest should be pulled and removed'

focus='' build=$repo/build/dev endpoint='' registry=127.0.0.1:5000 flags=()
arguments=("$@")
usage() { sed -n '2,/^set/s/^# \{0,1\}//p' "$0" | head -n -1; }
while [ $# -gt 0 ]; do
  case $1 in
    --focus) focus=${2:?}; shift 2 ;;
    --build) build=$(realpath "${2:?}"); shift 2 ;;
    --endpoint) endpoint=unix://${2#unix://}; shift 2 ;;
    --registry) registry=${2:?}; shift 2 ;;
    --help | -h) usage; exit 0 ;;
    *) flags+=("$1"); shift ;;
  esac
done
fail() { echo "critest/run.sh: $*" >&2; exit 2; }
command -v critest >/dev/null ||
  fail "there is no critest on PATH: install cri-tools 1.36 (github.com/kubernetes-sigs/cri-tools)."
[ "$(id -u)" -eq 0 ] || fail "a daemon that makes namespaces and cgroups needs root; run it as root."
command -v docker-registry >/dev/null || fail "docker-registry is missing: apt-get install docker-registry"
if [ -z "$endpoint" ] && [ -z "${BULKHEAD_CRITEST_NETNS:-}" ]; then
  [ -x "$build/shim/daemon/bulkheadd" ] || fail "$build/shim/daemon/bulkheadd is missing: build it first."
  BULKHEAD_CRITEST_NETNS=1 exec unshare --net "$0" "${arguments[@]}"
fi

work=$(mktemp -d /run/bulkhead-critest.XXXXXX)
data=$(mktemp -d "${TMPDIR:-/var/tmp}/bulkhead-critest.XXXXXX")
group=$(basename "$work")
running=()

# end_pods: whatever critest left running goes with its cgroups, which can be removed only once
# the killed have been reaped.
end_pods() {
  local folder try
  for try in $(seq 50); do
    find /sys/fs/cgroup -type d -name "$group" >"$work/groups" 2>/dev/null || true
    [ -s "$work/groups" ] || return 0
    while read -r folder; do
      find "$folder" -name cgroup.procs -exec cat {} + 2>/dev/null | sort -u |
        xargs -r kill -KILL 2>/dev/null || true
      find "$folder" -depth -type d -exec rmdir {} + 2>/dev/null || true
    done <"$work/groups"
    sleep 0.1
  done
  echo "critest/run.sh: these cgroups could not be removed: $(paste -sd' ' "$work/groups")" >&2
}

clean_up() {
  local pid
  for pid in "${running[@]}"; do
    kill -TERM "$pid" 2>/dev/null || continue
    timeout 15 tail -f --pid="$pid" /dev/null || kill -KILL "$pid" 2>/dev/null || true
  done
  if [ -z "$endpoint" ]; then end_pods || true; fi
  umount "$work"/netns/* 2>/dev/null || true
  rm -rf "$work" "$data"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

push_images() {
  local reference kind
  grep -v '^#' "$here/images.txt" | while read -r reference kind; do
    "$images" push "$kind" "$registry/${reference#*/}"
  done
}

# write_configuration: everything of the daemon's below the two private folders.
write_configuration() {
  local host
  for host in registry.k8s.io k8s.gcr.io gcr.io; do
    mkdir -p "$work/certs.d/$host"
    printf '[host."http://%s"]\ncapabilities = ["pull", "resolve"]\n' "$registry" \
      >"$work/certs.d/$host/hosts.toml"
  done
  mkdir -p "$work/cni" "$work/netns"
  cat >"$work/cni/critest.conflist" <<CNI
{"cniVersion": "1.0.0", "name": "critest", "plugins": [
  {"type": "bridge", "bridge": "critest0", "isGateway": true, "ipMasq": true,
   "hairpinMode": true, "ipam": {"type": "host-local", "dataDir": "$data/leases",
   "ranges": [[{"subnet": "10.222.0.0/16"}]], "routes": [{"dst": "0.0.0.0/0"}]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}]}
CNI
  cat >"$work/config.toml" <<TOML
[daemon]
socket = "$work/bulkhead.sock"
state_dir = "$work/state"
data_dir = "$data/data"
supervisor = "$build/runtime/supervisor/bulkhead-pod"
log_verbosity = 1
[cgroup]
default_parent = "/$group"
supervisors = "$group"
[cni]
config_dir = "$work/cni"
netns_dir = "$work/netns"
[image]
certs_dir = "$work/certs.d"
TOML
}

start_daemon() {
  write_configuration
  "$build/shim/daemon/bulkheadd" --config "$work/config.toml" >"$data/bulkheadd.log" 2>&1 </dev/null &
  running+=($!)
  # The socket appears when the daemon serves; inotify is not to be had in a shell.
  local tries=0
  until [ -S "$work/bulkhead.sock" ]; do
    tries=$((tries + 1))
    if [ $tries -gt 150 ] || ! kill -0 "${running[-1]}" 2>/dev/null; then
      cat "$data/bulkheadd.log" >&2
      fail "bulkheadd did not start"
    fi
    sleep 0.1
  done
  endpoint_used=unix://$work/bulkhead.sock
}

if [ -z "$endpoint" ]; then ip link set lo up; fi
echo "making the images that critest asks for"
running+=("$("$images" registry "$data/registry" "$registry")")
push_images
if [ -z "$endpoint" ]; then start_daemon; else endpoint_used=$endpoint; fi

status=0
critest --runtime-endpoint "$endpoint_used" --image-endpoint "$endpoint_used" \
  --ginkgo.skip "$by_digest" ${focus:+--ginkgo.focus "$focus"} --ginkgo.no-color \
  --ginkgo.junit-report "$data/report.xml" "${flags[@]}" </dev/null >"$data/critest.log" 2>&1 || status=$?
if [ ! -s "$data/report.xml" ]; then
  tail -n 40 "$data/critest.log" >&2
  echo "critest ended without a report"
  echo "0 passed, 1 failed, 0 skipped"
  exit 1
fi
if [ -n "${BULKHEAD_CRITEST_KEEP:-}" ]; then
  mkdir -p "$BULKHEAD_CRITEST_KEEP"
  cp "$data"/*.log "$data/report.xml" "$BULKHEAD_CRITEST_KEEP/"
fi
awk -v by_digest="$by_digest" -f "$here/report.awk" "$data/report.xml"
exit "$status"
