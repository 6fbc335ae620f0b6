#!/bin/bash
# packages.sh list USE...      prints the Debian packages that the given uses need, one a line
# packages.sh install USE...   installs those that are missing, as root, without starting
#                              any service that a package brings; the names of all that came
#                              are added to the file BULKHEAD_PACKAGE_RECORD, if it is set
# packages.sh remove FILE      removes those of such a file, unless others have come to need them
# Uses are build, runtime, test, guest and selinux; packages.txt has the packages.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

list() {
  awk -v asked="$*" '
    BEGIN { n = split(asked, use, " ") }
    /^#/ || NF < 2 { next }
    { for (i = 1; i <= n; i++) if (index("," $2 ",", "," use[i] ",")) { print $1; next } }
  ' "$here/packages.txt"
}

missing() {
  local name
  list "$@" | while read -r name; do
    case $(dpkg-query -W -f='${Status}' "$name" 2>/dev/null) in
      'install ok installed') ;;
      *) echo "$name" ;;
    esac
  done
}

installed() { dpkg-query -W -f='${binary:Package} ${Status}\n' | awk '/ok installed$/ { print $1 }' | sort; }

# install: a policy-rc.d that forbids starting services stands while apt runs, unless the
# machine has one of its own.
install() {
  local names policy=/usr/sbin/policy-rc.d
  mapfile -t names < <(missing "$@")
  if [ ${#names[@]} -eq 0 ]; then return; fi
  echo "packages: installing ${#names[@]} of Debian: ${names[*]}" >&2
  if [ ! -e $policy ]; then
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
    printf '#!/bin/sh\nexit 101\n' >$policy
    chmod 755 $policy
  fi
  export DEBIAN_FRONTEND=noninteractive
  local before
  before=$(installed)
  apt-get -qq update
  apt-get -qq -y --no-install-recommends -o Dpkg::Use-Pty=0 -o APT::Keep-Downloaded-Packages=false \
    install "${names[@]}" >/dev/null
  if [ -n "${BULKHEAD_PACKAGE_RECORD:-}" ]; then
    comm -13 <(echo "$before") <(installed) >>"$BULKHEAD_PACKAGE_RECORD"
  fi
}

remove() {
  local names more
  mapfile -t names < <(cat "$1" 2>/dev/null)
  if [ ${#names[@]} -eq 0 ]; then return; fi
  more=$(comm -13 <(printf '%s\n' "${names[@]}" | sed 's/:.*//' | sort) \
    <(apt-get -s purge "${names[@]}" | awk '$1 == "Purg" { print $2 }' | sed 's/:.*//' | sort) | paste -sd' ')
  if [ -n "$more" ]; then
    echo "packages: left installed, because $more came to need them: ${names[*]}" >&2
    return
  fi
  echo "packages: removing ${#names[@]} that were installed for Bulkhead" >&2
  DEBIAN_FRONTEND=noninteractive apt-get -qq -y purge "${names[@]}" >/dev/null
}

usage() { sed -n '2,/^set/s/^# \{0,1\}//p' "$0" | head -n -1 >&2; exit 2; }
[ $# -ge 2 ] || usage
case $1 in
  list) shift; list "$@" ;;
  install) shift; install "$@" ;;
  remove) remove "$2" ;;
  *) usage ;;
esac
