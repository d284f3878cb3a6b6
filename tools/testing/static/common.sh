# shellcheck shell=bash disable=SC2034,SC2154 # the files share variables
# SPDX-License-Identifier: GPL-2.0-only
#
# What the slow static checks share: what they have said of a file, by the content of all
# that decided about it. Without the cache everything is done again.

tree=$(cd "$here/../../.." && pwd)
results=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/xen-vtpm/static

mkdir -p "$results" 2>/dev/null && [ -w "$results" ] || results=$tree/build/check/static

hash() { sha256sum | cut -c1-32; }

# remembered KEY: print what was said; 1, nobody has said anything
remembered() {
	[ -f "$results/$1" ] || return 1
	touch -c "$results/$1"
	cat "$results/$1"
}

# remember KEY TEXT; what nobody has asked for in two months goes
remember() {
	mkdir -p "$results" && printf '%s' "$2" >"$results/.$1.$$" &&
		mv "$results/.$1.$$" "$results/$1"
	find "$results" -type f -mtime +60 -delete
}

# bad_lines_found FILE FOUND: FOUND are the numbers of the lines of FILE that say "bad"
bad_lines_found() {
	local wanted
	wanted=$(grep -n '/\* bad \*/' "$1" | cut -d: -f1)
	[ -n "$wanted" ] && diff <(echo "$wanted") <(sort -nu <<<"$2") |
		sed -n "s|^< |not found: $1:|p; s|^> |found without need: $1:|p" | (! grep .)
}
