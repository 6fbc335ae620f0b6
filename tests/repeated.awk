# Reads the results so far and then CTest's output, and prints a line for each test that failed
# first and passed when it was run again: repeated, name, reason, set apart by tabs.
BEGIN { FS = "\t" }
NR == FNR { if ($1 == "passed") passed[$2] = 1; next }
/ Test +#[0-9]+: .*\*\*\*/ {
  name = $0
  sub(/.*Test +#[0-9]+: /, "", name); sub(/ .*/, "", name)
  if (!/\*\*\*Skipped/ && name in passed) reason[name] = "" ; else name = ""
}
take { reason[name] = reason[name] ": " $0; take = 0 }
name != "" && reason[name] == "" && sub(/: Failure$/, "") { reason[name] = $0; take = 1 }
/\*\*\*Timeout/ && name != "" { reason[name] = "did not end in time" }
END { for (name in reason) printf "repeated\t%s\t%s\n", name, reason[name] }
