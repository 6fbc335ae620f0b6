#!/bin/bash
# Files of Debian packages without installing them; to be sourced. Needs IMAGE_CACHE.

# package_closure NAME...: the packages and the libraries that they depend on, one a line.
package_closure() {
  local -A seen=()
  local todo=("$@") name
  while [ ${#todo[@]} -gt 0 ]; do
    name=${todo[0]}
    todo=("${todo[@]:1}")
    [ -z "${seen[$name]:-}" ] || continue
    seen[$name]=1
    echo "$name"
    mapfile -t -O ${#todo[@]} todo < <(apt-cache depends --no-recommends --no-suggests \
      --no-conflicts --no-breaks --no-replaces --no-enhances "$name" |
      awk '$1 ~ /Depends:$/ && $2 ~ /^(lib|zlib)/ { print $2 }')
  done
}

# download_packages FOLDER NAME...: the archives of the packages' closure.
download_packages() {
  local names
  names=$(shift && package_closure "$@")
  (cd "$1" && xargs apt-get -qq -o APT::Sandbox::User=root download <<<"$names") >&2
}

# package_tree NAME...: prints a folder with the unpacked files of the packages' closure.
package_tree() {
  local tree=$IMAGE_CACHE/packages/$(IFS=_ && echo "$*") work deb
  if [ ! -d "$tree" ]; then
    work=$(mktemp -d "$IMAGE_CACHE/packages.XXXXXX")
    mkdir "$work/tree"
    # The mirror may have newer versions than the lists of this machine know.
    download_packages "$work" "$@" 2>/dev/null ||
      { apt-get -qq update >&2 && download_packages "$work" "$@"; }
    for deb in "$work"/*.deb; do dpkg -x "$deb" "$work/tree"; done
    mkdir -p "$IMAGE_CACHE/packages"
    mv -T "$work/tree" "$tree" 2>/dev/null || [ -d "$tree" ]
    rm -rf "$work"
  fi
  echo "$tree"
}

# add_program TREE FILE ROOT: copies a program and the libraries that it is linked with.
add_program() {
  local libraries=$1/lib/x86_64-linux-gnu:$1/usr/lib/x86_64-linux-gnu path
  install -D -m 755 "$1$2" "$3$2"
  install -D -m 755 "$1/lib64/ld-linux-x86-64.so.2" "$3/lib64/ld-linux-x86-64.so.2"
  "$1/lib64/ld-linux-x86-64.so.2" --inhibit-cache --library-path "$libraries" --list "$1$2" |
    awk '$2 == "=>" && $3 ~ /^\// { print $3 }' | while read -r path; do
      install -D -m 644 "$path" "$3/lib/x86_64-linux-gnu/$(basename "$path")"
    done
}
