# Turns the output of GoogleTest programs into lines of: passed|failed|skipped|repeated, name,
# reason, set apart by tabs; names begin with the variable `on`, and what a line `== suite NAME` says.
/^== suite / { part = $3 "." }
/^\[ RUN      \] / { running = $4; reason = "" }
take { reason = $0; take = 0 }
/: Skipped$/ { take = 1 }
reason == "" && sub(/: Failure$/, "") { reason = $0 }
/^\[       OK \] / { printf "passed\t%s%s\t\n", on part, $4; running = "" }
/^\[  SKIPPED \] .* \([0-9]+ ms\)$/ { printf "skipped\t%s%s\t%s\n", on part, $4, reason; running = "" }
/^\[  FAILED  \] .* \([0-9]+ ms\)$/ { printf "failed\t%s%s\t%s\n", on part, $4, reason; running = "" }
/^\[  REPEAT  \] .* \([0-9]+ ms\)$/ { printf "repeated\t%s%s\t%s\n", on part, $4, reason; running = "" }
/^Running main\(\)/ && running != "" { fallen() }
function fallen() { printf "failed\t%s%s\tthe program ended in it\n", on part, running; running = "" }
END { if (running != "") fallen() }
