# Tells from critest's JUnit file what failed and what was skipped, why, and how many of each.
# A spec that was not asked for (by focus, or a benchmark) is skipped without a message and
# is not counted; the one left out because its image is known by digest only is.
function attribute(name,    text) {
  if (!match($0, " " name "=\"[^\"]*\"")) return ""
  text = substr($0, RSTART + length(name) + 3, RLENGTH - length(name) - 4)
  gsub(/&#xA;.*/, "", text)
  gsub(/&#34;|&quot;/, "\"", text); gsub(/&#39;|&apos;/, "'", text)
  gsub(/&lt;/, "<", text); gsub(/&gt;/, ">", text); gsub(/&amp;/, "\\&", text)
  return text
}
function finish() {
  if (name == "" || name !~ /^\[It\]/) { if (state != "failed") { name = ""; return } }
  sub(/^\[It\] \[k8s.io\] /, "", name)
  if (state == "passed") passed++
  else if (state == "failed") failures[++failed] = name ": " reason
  else if (index(name, by_digest)) skips[++skipped] = name ": its image is known by digest only and cannot be made here"
  else if (reason !~ /^skipped$|^$/) skips[++skipped] = name ": " reason
  name = ""
}
/<testcase / {
  finish()
  name = attribute("name"); status = attribute("status"); reason = ""
  state = status == "passed" ? "passed" : (status == "skipped" || status == "pending") ? "skipped" : "failed"
}
/<skipped / { reason = attribute("message"); sub(/^skipped - /, "", reason) }
/<(failure|error) / { if (reason == "") reason = attribute("message") }
END {
  finish()
  for (i = 1; i <= failed; i++) print "failed: " failures[i]
  for (i = 1; i <= skipped; i++) print "skipped: " skips[i]
  printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped
}
