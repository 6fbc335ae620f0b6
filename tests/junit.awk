# Turns CTest's JUnit file into lines of: passed|failed|skipped, name, reason, set apart by tabs.
function attribute(name,    text) {
  if (!match($0, name "=\"[^\"]*\"")) return ""
  text = substr($0, RSTART + length(name) + 2, RLENGTH - length(name) - 3)
  gsub(/&quot;/, "\"", text); gsub(/&lt;/, "<", text); gsub(/&gt;/, ">", text)
  gsub(/&apos;/, "'", text); gsub(/&amp;/, "\\&", text)
  return text
}
function finish() {
  if (name != "") printf "%s\t%s\t%s\n", state, name, reason
  name = ""
}
/<testcase / { finish(); name = attribute("name"); state = "passed"; reason = ""; take = 0 }
/<failure/ { state = "failed"; reason = attribute("message") }
/<skipped/ { state = "skipped"; reason = attribute("message") }
# GoogleTest prints why it skipped in the line after this one, and where it failed in it.
take { reason = $0; take = 0 }
state == "skipped" && /: Skipped$/ { take = 1 }
state == "failed" && reason == "" && sub(/: Failure$/, "") { reason = $0 }
END { finish() }
