# shellcheck shell=bash disable=SC2034,SC2154 # the files share variables
# SPDX-License-Identifier: GPL-2.0-only
#
# From the logs and the script's status to the status of the lab.

# What a kernel says, behind its time stamp, when something is wrong.
kernel_complaints='WARNING:|BUG:|BUG [a-zA-Z]|INFO: trying to register|pagealloc: memory corruption|Oops|Kernel panic|Call Trace:|INFO: task .* blocked|INFO: .*stall|general protection fault|: segfault at |unable to handle|UBSAN:|KASAN|KFENCE|KCSAN|possible (circular|recursive) locking|suspicious RCU|inconsistent lock state|kmemleak: [0-9]+ new|Internal error'
xen_complaints='Xen BUG|Xen WARN|Panic on CPU|FATAL TRAP|FATAL PAGE|Assertion .* failed|Xen call trace|Hardware Dom0 (crashed|shutdown: rebooting)'
program_complaints='ERROR: [A-Za-z]+Sanitizer|runtime error:'

# complaints_of LOG: its lines that mean trouble
complaints_of() {
	grep -aE "^(\(XEN\) )?(\[[0-9: .-]+\] )?\[ *[0-9]+\.[0-9]+\](\[ *[TC][0-9]+\])? .*($kernel_complaints)|^\(XEN\).*($xen_complaints)|$program_complaints" \
		"$1" | tr -d '\r' | sed "s|^|${1##*/}: |" || true
}

# complaints: the lines of all logs that mean trouble
complaints() {
	local file
	for file in "$out"/logs/console.log "$out"/logs/guest-*.log "$out"/logs/vtpmd.log; do
		[ ! -f "$file" ] || complaints_of "$file"
	done
}

# allowed: standard input without the lines that match --allow
allowed() {
	local regex arguments=()
	for regex in "${opt_allow[@]}"; do
		arguments+=(-e "$regex")
	done
	if [ ${#arguments[@]} = 0 ]; then
		cat
	else
		grep -avE "${arguments[@]}" || true
	fi
}

# What QEMU does to PVH guests now and then: the state of a virtual CPU is lost when it leaves
# guest mode. Nothing that a driver does in a guest ends like this.
lost_by_emulator='^\(XEN\) d[0-9]+v[0-9]+ Triple fault'

# judge: exit with the run's status
judge() {
	local lines
	if grep -aqE "$lost_by_emulator" "$out/logs/console.log"; then
		say "the emulator lost a guest's registers; the run says nothing, repeat it:"
		grep -aE -A 5 "$lost_by_emulator" "$out/logs/console.log" | tr -d '\r' >&2
		exit "$status_emulator"
	fi
	lines=$(complaints | allowed)
	if [ "$outcome" = fail ] || [ "$outcome" = timeout ] || [ "$outcome" = ended ]; then
		say "$reason"
	fi
	if [ -n "$lines" ]; then
		say "a kernel or the hypervisor complained:"
		head -n 40 <<<"$lines" >&2
		exit "$status_complaint"
	fi
	case $outcome in
	exit) exit "$script_status" ;;
	timeout) exit "$status_timeout" ;;
	*)
		tail -n 15 "$out/logs/console.log" | tr -d '\r' >&2
		exit "$status_lab"
		;;
	esac
}
