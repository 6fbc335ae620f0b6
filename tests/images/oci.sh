#!/bin/bash
# Writes images in the OCI layout, packs them as archives, pushes them; to be sourced.
# An image is a sequence of layers and the values of its configuration, begun by image_begin
# and written by image_write. The same input makes the same bytes.

image_begin() {
  image_blobs=$1/blobs/sha256
  image_layers=() image_diffs=()
  image_user='' image_workdir='' image_stop_signal=''
  image_env=('PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin')
  image_entrypoint=() image_command=() image_ports=()
  mkdir -p "$image_blobs"
}

digest_of() { sha256sum "$1" | cut -d' ' -f1; }

# image_layer FOLDER: packs the folder, owned by root, as the next layer.
image_layer() {
  local work
  work=$(mktemp -d "$image_blobs/../layer.XXXXXX")
  tar -C "$1" --sort=name --format=pax --pax-option=delete=atime,delete=ctime \
    --mtime=@1700000000 --owner=0 --group=0 --numeric-owner -cf "$work/tar" .
  image_diffs+=("$(digest_of "$work/tar")")
  gzip -n -6 "$work/tar"
  image_layers+=("$(digest_of "$work/tar.gz")")
  mv "$work/tar.gz" "$image_blobs/${image_layers[-1]}"
  rm -r "$work"
}

json_string() {
  local text=${1//\\/\\\\}
  printf '"%s"' "${text//\"/\\\"}"
}

json_list() {
  local separator='' item
  printf '['
  for item in "$@"; do
    printf '%s%s' "$separator" "$(json_string "$item")"
    separator=,
  done
  printf ']'
}

# add_blob: moves standard input into the blobs; prints its digest.
add_blob() {
  local file digest
  file=$(mktemp "$image_blobs/../blob.XXXXXX")
  cat >"$file"
  digest=$(digest_of "$file")
  chmod 644 "$file"
  mv "$file" "$image_blobs/$digest"
  echo "$digest"
}

descriptor() {
  printf '{"mediaType":"%s","digest":"sha256:%s","size":%s}' \
    "$1" "$2" "$(stat -c %s "$image_blobs/$2")"
}

image_config() {
  local port separator=''
  printf '{"architecture":"amd64","os":"linux","created":"2023-11-14T22:13:20Z","config":{'
  printf '"User":%s,"WorkingDir":%s,"StopSignal":%s,"Env":%s,"Entrypoint":%s,"Cmd":%s,' \
    "$(json_string "$image_user")" "$(json_string "$image_workdir")" \
    "$(json_string "$image_stop_signal")" "$(json_list "${image_env[@]}")" \
    "$(json_list "${image_entrypoint[@]}")" "$(json_list "${image_command[@]}")"
  printf '"ExposedPorts":{'
  for port in "${image_ports[@]}"; do
    printf '%s"%s/tcp":{}' "$separator" "$port"
    separator=,
  done
  printf '}},"rootfs":{"type":"layers","diff_ids":%s}}' \
    "$(json_list "${image_diffs[@]/#/sha256:}")"
}

# image_manifest CONFIG oci|docker
image_manifest() {
  local own config layer_type separator='' layer
  if [ "$2" = oci ]; then
    own=application/vnd.oci.image.manifest.v1+json
    config=application/vnd.oci.image.config.v1+json
    layer_type=application/vnd.oci.image.layer.v1.tar+gzip
  else
    own=application/vnd.docker.distribution.manifest.v2+json
    config=application/vnd.docker.container.image.v1+json
    layer_type=application/vnd.docker.image.rootfs.diff.tar.gzip
  fi
  printf '{"schemaVersion":2,"mediaType":"%s","config":%s,"layers":[' \
    "$own" "$(descriptor "$config" "$1")"
  for layer in "${image_layers[@]}"; do
    printf '%s%s' "$separator" "$(descriptor "$layer_type" "$layer")"
    separator=,
  done
  printf ']}'
}

# image_write: the configuration, both forms of the manifest and the layout's own files. The
# files config, layers, oci and docker name the blobs for archives and pushes.
image_write() {
  local layout config form
  layout=$(dirname "$(dirname "$image_blobs")")
  config=$(image_config | add_blob)
  echo "$config" >"$layout/config"
  printf '%s\n' "${image_layers[@]}" >"$layout/layers"
  for form in oci docker; do
    image_manifest "$config" "$form" | add_blob >"$layout/$form"
  done
  echo '{"imageLayoutVersion":"1.0.0"}' >"$layout/oci-layout"
}

# layout_index LAYOUT NAME: the layout's index.json with the image under a name.
layout_index() {
  local image_blobs=$1/blobs/sha256 entry
  entry=$(descriptor application/vnd.oci.image.manifest.v1+json "$(cat "$1/oci")")
  printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[%s,"annotations":{"org.opencontainers.image.ref.name":"%s","io.containerd.image.name":"%s"}}]}' \
    "${entry%\}}" "$2" "$2"
}

# image_archive LAYOUT NAME FILE oci|docker
image_archive() {
  local work layer config
  work=$(mktemp -d)
  if [ "$4" = oci ]; then
    cp -r "$1/blobs" "$1/oci-layout" "$work"
    layout_index "$1" "$2" >"$work/index.json"
  else
    config=$(cat "$1/config")
    cp "$1/blobs/sha256/$config" "$work/$config.json"
    while read -r layer; do
      mkdir "$work/$layer"
      gzip -dc "$1/blobs/sha256/$layer" >"$work/$layer/layer.tar"
    done <"$1/layers"
    mapfile -t layers < <(sed 's,$,/layer.tar,' "$1/layers")
    printf '[{"Config":"%s.json","RepoTags":["%s"],"Layers":%s}]' \
      "$config" "$2" "$(json_list "${layers[@]}")" >"$work/manifest.json"
  fi
  (cd "$work" && tar --sort=name --mtime=@1700000000 --owner=0 --group=0 -cf - -- *) >"$3"
  rm -rf "$work"
}

# push_blob REGISTRY NAME FILE DIGEST
push_blob() {
  local url=http://$1/v2/$2/blobs location
  if curl -fsIo /dev/null "$url/sha256:$4" 2>/dev/null; then return; fi
  location=$(curl -fsS -X POST -D - -o /dev/null "$url/uploads/" |
    tr -d '\r' | awk 'tolower($1) == "location:" { print $2 }')
  case $location in
    http*) ;;
    *) location=http://$1$location ;;
  esac
  case $location in
    *\?*) location="$location&digest=sha256:$4" ;;
    *) location="$location?digest=sha256:$4" ;;
  esac
  curl -fsS -o /dev/null -X PUT -H 'Content-Type: application/octet-stream' \
    --data-binary "@$3" "$location"
}

# image_push LAYOUT REGISTRY NAME TAG oci|docker
image_push() {
  local blob type=application/vnd.oci.image.manifest.v1+json
  if [ "$5" = docker ]; then type=application/vnd.docker.distribution.manifest.v2+json; fi
  for blob in $(cat "$1/config" "$1/layers"); do
    push_blob "$2" "$3" "$1/blobs/sha256/$blob" "$blob"
  done
  curl -fsS -o /dev/null -X PUT -H "Content-Type: $type" \
    --data-binary "@$1/blobs/sha256/$(cat "$1/$5")" "http://$2/v2/$3/manifests/$4"
}
