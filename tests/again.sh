#!/bin/bash
# again.sh PROGRAM [ARGUMENT]...
#
# Runs a GoogleTest program and what failed in it a second time, by itself; the second result is
# the one that counts. First failures are printed as `[  REPEAT  ]`, which gtest.awk tells apart.
# A program that fell has no second time.
set -uo pipefail
output=$(mktemp)
trap 'rm -f "$output"' EXIT

"$@" 2>&1 | sed -u 's/^\[  FAILED  \]/[  REPEAT  ]/' | tee "$output"
status=${PIPESTATUS[0]}
filter=$(sed -n 's/^\[  REPEAT  \] \([^ ,]*\)[^(]*$/\1/p' "$output" | grep -vxE '[0-9]+' | sort -u | paste -sd:)
if [ $status -eq 0 ] || [ -z "$filter" ]; then exit "$status"; fi
echo "again.sh: once more: ${filter//:/ }"
"$@" --gtest_filter="$filter"
