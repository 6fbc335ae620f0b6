# Turns CTest's JUnit file into lines of: passed|failed|skipped, name, reason, set apart by tabs.
# A test that is a whole GoogleTest program (conformance, fault) counts as those in it.
function attribute(name,    text) {
  if (!match($0, name "=\"[^\"]*\"")) return ""
  text = substr($0, RSTART + length(name) + 2, RLENGTH - length(name) - 3)
  gsub(/&quot;/, "\"", text); gsub(/&lt;/, "<", text); gsub(/&gt;/, ">", text)
  gsub(/&apos;/, "'", text); gsub(/&amp;/, "\\&", text)
  return text
}
function tell(state, name, reason) {
  printf "%s\t%s\t%s\n", state, name, reason
  told[state]++
}
function finish() {
  # A program that fell or did not end failed in more than what it told.
  if (name != "" && (!(name ~ program) || !length(told) || (state == "failed" && !told["failed"]))) {
    tell(state, name, reason)
  }
  name = ""; reason = ""; take = 0
  delete told
}
BEGIN { program = "^(conformance|fault)\\." }
/<testcase / { finish(); name = attribute("name"); state = "passed" }
/<failure/ { state = "failed"; reason = attribute("message") }
/<skipped/ { state = "skipped"; reason = attribute("message") }
name ~ program && /^\[ RUN      \] / { reason = "" }
name ~ program && /^\[ .*\] [^ ]+ \([0-9]+ ms\)$/ {
  inner = name; sub(/\..*/, "." $(NF - 2), inner)
  if (/^\[       OK/) tell("passed", inner, "")
  if (/^\[  SKIPPED/) tell("skipped", inner, reason)
  if (/^\[  FAILED/) tell("failed", inner, reason)
}
# GoogleTest prints why it skipped in the line after this one, and where it failed in it.
take { reason = $0; take = 0 }
/: Skipped$/ { take = 1 }
state == "failed" && reason == "" && sub(/: Failure$/, "") { reason = $0 }
END { finish() }
