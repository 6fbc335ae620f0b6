# Sourced by the scripts that run in a guest: tests that print GoogleTest's lines. $suite names them.

# check NAME COMMAND...: a test.
passed=0 failed=0
check() {
  local name=$1
  shift
  echo "[ RUN      ] $suite.$name"
  if "$@"; then
    passed=$((passed + 1))
    echo "[       OK ] $suite.$name (0 ms)"
  else
    failed=$((failed + 1))
    echo "[  FAILED  ] $suite.$name (0 ms)"
  fi
}

# summary: the last lines; fails when a test did.
summary() {
  echo "[  PASSED  ] $passed tests."
  if [ $failed -gt 0 ]; then echo "[  FAILED  ] $failed tests, listed below:"; fi
  [ $failed -eq 0 ]
}
