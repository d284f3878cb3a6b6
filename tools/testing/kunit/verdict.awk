# SPDX-License-Identifier: GPL-2.0-only
#
# From the lines that a kernel printed to KTAP: what is none becomes a
# diagnostic. Its exit status is 1, with the reasons as the last lines, if a
# test failed, a plan was not fulfilled, or there was no test.

function bad(text) { reasons = reasons "# FAILED: " text "\n" }

# closed(depth): a result has ended what was below it
function closed(depth) {
	if (depth in plan && plan[depth] != seen[depth])
		bad(plan[depth] " tests planned, " seen[depth] + 0 " run, before: " $0)
	delete plan[depth]
	delete seen[depth]
}

BEGIN { print "KTAP version 1" }
{ match($0, /^ */); depth = int(RLENGTH / 4); text = substr($0, RLENGTH + 1) }
text ~ /^1\.\.[0-9]+$/ {
	plan[depth] = substr(text, 4)
	print
	next
}
text ~ /^(not )?ok [0-9]+/ {
	seen[depth]++
	results++
	closed(depth + 1)
	if (text ~ /^not ok/ && text !~ /# (SKIP|TODO)/)
		bad(text)
	print
	next
}
text ~ /^(# |KTAP version)/ { print; next }
{ print "# " $0 }
text ~ /^run: FAILED/ { bad(substr(text, 13)) }
text == "run: done" { done = 1 }
END {
	for (depth in plan)
		if (depth > 0)
			bad("a plan of " plan[depth] " tests was not finished")
	if (!done)
		bad("the machine did not come to its end")
	if (!results)
		bad("no test ran")
	printf "%s", reasons
	exit reasons != ""
}
