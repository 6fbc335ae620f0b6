#!/bin/sh
# count.sh FILE: prints `N passed, N failed, N skipped` for the test results in FILE, the
# output of GoogleTest programs, of ctest, or such lines themselves; nothing when it has none.
set -eu
awk '
  # CTest counts a skipped test as passed in its closing line and lists it by name.
  /tests passed, [0-9]+ tests? failed out of [0-9]+$/ {
    for (i = 1; i <= NF; i++) if ($i == "failed") lost = $(i - 1) ~ /^tests?$/ ? $(i - 2) : $(i - 1)
    failed += lost; passed += $NF - lost; seen = 1; ctest = 1
  }
  ctest && /[0-9]+ - .*\(Skipped\)$/ { skipped++; passed-- }
  !ctest && /^\[  PASSED  \] [0-9]+ tests?/ { passed += $4; seen = 1 }
  !ctest && /^\[  SKIPPED \] [0-9]+ tests?, listed/ { skipped += $4; seen = 1 }
  !ctest && /^\[  FAILED  \] [0-9]+ tests?, listed/ { failed += $4; seen = 1 }
  /^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$/ {
    passed += $1; failed += $3; skipped += $5; seen = 1
  }
  END { if (seen) printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped }
' "$1"
