# Reads the results so far and then CTest's output, and prints a line for each test that failed
# first and passed when it was run again: repeated, name, reason, set apart by tabs.
BEGIN { FS = "\t"; program = "^(conformance|fault)\\." }
NR == FNR { if ($1 == "failed") failed[$2] = 1; next }
/ Test +#[0-9]+: / {
  finish()
  if (/\*\*\*/ && !/\*\*\*Skipped/) {
    name = $0
    sub(/.*Test +#[0-9]+: /, "", name); sub(/ .*/, "", name)
    reason = /\*\*\*Timeout/ ? "did not end in time" : ""
  }
}
function tell(name) { if (!(name in failed)) reasons[name] = reason }
function finish() {
  if (name != "" && !inner) tell(name)
  name = ""; inner = 0
}
take { reason = reason ": " $0; take = 0 }
name != "" && reason == "" && sub(/: Failure$/, "") { reason = $0; take = 1 }
name ~ program && /^\[ RUN      \] / { reason = "" }
name ~ program && /^\[  FAILED  \] [^ ]+ \([0-9]+ ms\)$/ {
  split($0, word, " ")
  one = name; sub(/\..*/, "." word[4], one)
  tell(one); inner = 1
}
END { finish(); for (name in reasons) printf "repeated\t%s\t%s\n", name, reasons[name] }
