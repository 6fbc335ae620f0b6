# Reads skips.txt and then results, and makes each skipped test that may not skip in `place` a
# failure.
BEGIN { FS = OFS = "\t" }
NR == FNR {
  if (/^#/) next
  split($0, word, " ")
  pattern = word[2]
  gsub(/\./, "[.]", pattern); gsub(/\*/, ".*", pattern)
  may[word[1]] = may[word[1]] "|^" pattern "$"
  next
}
$1 == "skipped" {
  where = $2 ~ /^vm\./ ? "vm" : place
  if ($2 !~ substr(may[where] "|^$", 2)) { $1 = "failed"; $3 = "skipped, but must run: " $3 }
}
{ print }
