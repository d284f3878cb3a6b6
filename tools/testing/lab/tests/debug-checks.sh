#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# lab: debug
#
# The debug kernel's checks are live under Xen: faults that a module commits in
# g3, whose complaints the lab allows, are found; memory can be made to fail;
# our modules say where they have been.

. "$(dirname "$0")/lib.sh"

log=/out/logs/guest-g3.log
commit() { guest g3 "modprobe -r faulty; modprobe faulty fault=$1"; }
found() { grep -aqE "$1" $log; }

# finds FAULT REGEX: some of these end the guest; the next one has a new one
finds() {
	[ -n "$(domid g3)" ] || need "a guest for the next fault" create g3
	commit "$1" >/dev/null 2>&1
	check "finds $1" await 60 found "$2"
}

# ends FAULT REGEX: it is a warning, and so the guest's end
ends() {
	finds "$1" "$2"
	check "$1 ends the guest" await 60 no_domain g3
}

needed='slub_debug=FZPU page_poison=1 kmemleak=on panic_on_warn=1'
for word in $needed; do
	check "dom0 has $word" grep -qw "$word" /proc/cmdline
	check "a guest has $word" guest g1 "grep -qw $word /proc/cmdline"
done
check "lockdep watches dom0" grep -qE '^ *debug_locks: +1' /proc/lockdep_stats
check "lockdep watches a guest" guest g1 "grep -qE '^ *debug_locks: +1' /proc/lockdep_stats"
check "lockdep knows our backend's locks" grep -q connections_lock /proc/lockdep

# Ordinary allocations too; and without a stack trace for each, which would be a complaint.
for kind in failslab fail_page_alloc fail_usercopy; do
	echo 0 >/sys/kernel/debug/$kind/verbose
done
echo N >/sys/kernel/debug/failslab/ignore-gfp-wait
echo N >/sys/kernel/debug/fail_page_alloc/ignore-gfp-wait
read -r failed survived <<<"$(perl "$tests/fail_nth.pl" 2>&1)"
note "mkdir: $failed of the injected faults made it fail, $survived did not"
check "allocations can be made to fail" test "$failed" -gt 3
check "functions can be made to fail" test -e /sys/kernel/debug/fail_function/inject
lab-vtpmd stop
check "our backend reports coverage" test "$(python3 "$tests/kcov.py" /dev/vtpm)" -gt 3
lab-vtpmd start

destroy g3
need "a guest for faults" create g3
check "without a fault, all is well" commit none
check "and no leak is found" guest g3 lab-leaks
commit leak
check_fails "finds leak" guest g3 lab-leaks
finds out-of-bounds 'BUG kmalloc-64 .*Redzone overwritten'
ends use-after-free 'BUG faulty .*Poison overwritten'
finds lock-inversion 'possible circular locking dependency'
ends shift-too-far 'UBSAN: shift-out-of-bounds'
ends list-added-twice 'list_add double add'

finish
