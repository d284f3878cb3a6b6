# shellcheck shell=bash disable=SC2034,SC2154 # the files share variables
# SPDX-License-Identifier: GPL-2.0-only
#
# Messages, times, hashes and the cache.

cache=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/xen-vtpm

# Exit statuses of the lab's own; README.md lists them.
status_usage=2 status_emulator=98 status_complaint=99 status_timeout=124 status_lab=125

say() { echo "lab: $*" >&2; }

die() {
	say "$*"
	exit "$status_lab"
}

wrong() {
	say "$*"
	say "'lab help' shows what is legal"
	exit "$status_usage"
}

# now_ms: milliseconds since the epoch
now_ms() { echo $((${EPOCHREALTIME/./} / 1000)); }

lab_started=$(now_ms)

# phase TEXT: note the time since the start in the run's log
phase() {
	local line ms
	ms=$(($(now_ms) - lab_started))
	printf -v line '%4d.%03d s  %s' $((ms / 1000)) $((ms % 1000)) "$*"
	[ -z "${phase_log-}" ] || echo "$line" >>"$phase_log"
	[ "${opt_verbose-0}" = 0 ] || say "$line"
}

# hash: of standard input, short
hash() { sha256sum | cut -c1-16; }

# cached NAME KEY COMMAND [ARG]...: set REPLY to the directory $cache/NAME-KEY.
# If there is none yet, COMMAND ARG... DIR has to fill DIR. Others who want
# the same one wait; nobody ever sees one that is half made.
# Must not be called where the shell ignores errors (if, &&, ||).
cached() {
	local name=$1 key=$2 path=$cache/$1-$2 lock
	shift 2
	if [ ! -d "$path" ]; then
		mkdir -p "$cache/lock" "$cache/log"
		exec {lock}>"$cache/lock/$name-$key"
		flock "$lock"
		[ -d "$path" ] || make_cached "$path" "$@"
		exec {lock}>&-
	fi
	REPLY=$path
}

make_cached() {
	local path=$1 new=$1.new.$$ log status
	shift
	log=$cache/log/${path##*/}
	say "making ${path##*/}"
	rm -rf "$path".new.*
	mkdir -p "$new"
	set +e
	(
		set -eE
		trap 'echo "this failed: $BASH_COMMAND" >&2' ERR
		"$@" "$new"
	) >"$log" 2>&1 </dev/null
	status=$?
	set -e
	if [ "$status" != 0 ]; then
		rm -rf "$new"
		tail -n 80 "$log" >&2
		die "making ${path##*/} failed; all of its output is in $log"
	fi
	mv "$new" "$path"
}

# squash DIR FILE [OPTION]...: no compression, because what reads it is an
# emulated CPU
squash() {
	local dir=$1 file=$2
	shift 2
	mksquashfs "$dir" "$file" -noappend -no-progress -quiet \
		-noI -noD -noF -noX "$@" >/dev/null
}
