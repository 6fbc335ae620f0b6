#!/bin/bash
# Makes small images of Debian's packages, for tests, without any container runtime.
#
#   image.sh kinds                             what there is, one a line
#   image.sh layout KIND                       prints a folder in the OCI layout (no index.json)
#   image.sh archive KIND NAME FILE [FORM]     an archive with the image as NAME;
#                                              FORM is docker (by default) or oci
#   image.sh push KIND HOST:PORT/NAME:TAG [FORM]  into a registry, by plain HTTP;
#                                              FORM is oci (by default) or docker
#   image.sh registry FOLDER HOST:PORT         starts docker-registry with its files in FOLDER,
#                                              prints its process id once it answers
#
# Images are kept in ${XDG_CACHE_HOME:-/var/cache}/bulkhead-images; BULKHEAD_IMAGE_CACHE moves it.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
IMAGE_CACHE=${BULKHEAD_IMAGE_CACHE:-${XDG_CACHE_HOME:-/var/cache}/bulkhead-images}
. "$here/packages.sh"
. "$here/oci.sh"
. "$here/kinds.sh"

usage() { sed -n '2,/^set/s/^# \{0,1\}//p' "$0" | head -n -1; }

kinds() { declare -F | sed -n 's/^declare -f image_//p' | grep -vE '^(begin|layer|config|manifest|write|archive|push)$'; }

# layout KIND: makes the image if it is not there.
layout() {
  local kind=${1%%=*} argument='' key folder
  case $1 in *=*) argument=${1#*=} ;; esac
  if ! kinds | grep -qx "$kind"; then
    echo "image.sh: no kind of image '$kind'; there are: $(kinds | paste -sd' ')" >&2
    exit 2
  fi
  key=$( (cat "$here"/*.sh && echo "$1") | sha256sum | cut -c1-16)
  folder=$IMAGE_CACHE/$kind-$key
  if [ ! -d "$folder" ]; then
    mkdir -p "$IMAGE_CACHE"
    image_work=$(mktemp -d "$IMAGE_CACHE/work.XXXXXX")
    image_begin "$image_work/layout"
    "image_$kind" "$argument"
    image_write
    mv -T "$image_work/layout" "$folder" 2>/dev/null || [ -d "$folder" ]
    rm -rf "$image_work"
  fi
  echo "$folder"
}

push() {
  local folder registry=${2%%/*} name=${2#*/}
  folder=$(layout "$1")
  image_push "$folder" "$registry" "${name%:*}" "${name##*:}" "${3:-oci}"
}

registry() {
  local pid
  if ! command -v docker-registry >/dev/null; then
    echo "image.sh: docker-registry is missing: apt-get install docker-registry" >&2
    exit 2
  fi
  mkdir -p "$1/data"
  cat >"$1/registry.yml" <<CONF
version: 0.1
log: {level: warn}
storage: {filesystem: {rootdirectory: $1/data}, delete: {enabled: true}}
http: {addr: "$2"}
CONF
  docker-registry serve "$1/registry.yml" >"$1/registry.log" 2>&1 </dev/null &
  pid=$!
  if ! curl -fsS -o /dev/null --retry 100 --retry-delay 1 --retry-max-time 30 \
    --retry-connrefused "http://$2/v2/" 2>>"$1/registry.log"; then
    kill "$pid" 2>/dev/null || true
    cat "$1/registry.log" >&2
    exit 1
  fi
  echo "$pid"
}

case ${1:-} in
  kinds) kinds ;;
  layout) layout "${2:?kind}" ;;
  archive) image_archive "$(layout "${2:?kind}")" "${3:?name}" "${4:?file}" "${5:-docker}" ;;
  push) push "${2:?kind}" "${3:?HOST:PORT/NAME:TAG}" "${4:-oci}" ;;
  registry) registry "${2:?folder}" "${3:?host:port}" ;;
  *) usage >&2; exit 2 ;;
esac
