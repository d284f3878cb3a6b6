# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What the tests in this directory share. They run in dom0 and print KTAP. Each
# file is one behaviour; its "# lab:" lines say on which labs it runs, and "# limit:" how
# many seconds it may take, if not 300.

tests=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$tests/wait.sh"
number=0
failures=0
last=0
test_name=$(basename "$0" .sh)

echo "KTAP version 1"

# note TEXT: diagnostics, line by line
note() { printf '# %s\n' "${*//$'\n'/$'\n# '}"; }

# result STATUS NAME: one test point
result() {
	number=$((number + 1))
	[ $((SECONDS - last)) -lt 10 ] || note "this took $((SECONDS - last)) s:"
	last=$SECONDS
	if [ "$1" = 0 ]; then
		echo "ok $number $test_name: $2"
	else
		failures=$((failures + 1))
		echo "not ok $number $test_name: $2"
	fi
}

# check NAME COMMAND...: the command succeeds
check() {
	local name=$1 output status=0
	shift
	output=$("$@" 2>&1) || status=$?
	result "$status" "$name"
	[ "$status" = 0 ] || note "'$*' ended with status $status: $output"
}

# need NAME COMMAND...: the same, and without it the rest makes no sense
need() {
	local before=$failures
	check "$@"
	[ "$failures" = "$before" ] || finish
}

# check_fails NAME COMMAND...: the command runs and fails, by its own doing
check_fails() {
	local name=$1 output status=0
	shift
	output=$("$@" 2>&1) || status=$?
	if [ "$status" -gt 0 ] && [ "$status" -lt 124 ]; then
		result 0 "$name"
	else
		result 1 "$name"
		note "'$*' ended with status $status: $output"
	fi
}

# is NAME GOT WANTED: the two are the same
is() {
	if [ "$2" = "$3" ]; then
		result 0 "$1"
	else
		result 1 "$1"
		note "got:    $2"
		note "wanted: $3"
	fi
}

# like NAME GOT REGEX: the regex is found
like() {
	if grep -qE -- "$3" <<<"$2"; then
		result 0 "$1"
	else
		result 1 "$1"
		note "got:           $2"
		note "wanted a match of: $3"
	fi
}

# points COMMAND...: its lines "ok NAME" and "not ok NAME: WHY" are test points
points() {
	local line status=0 seen=$number before=$failures
	"$@" >/run/points 2>&1 || status=$?
	while IFS= read -r line; do
		case $line in
		'ok '*) result 0 "${line#ok }" ;;
		'not ok '*) result 1 "${line#not ok }" ;;
		*) note "$line" ;;
		esac
	done </run/points
	if [ "$number" = "$seen" ] || { [ "$status" != 0 ] && [ "$failures" = "$before" ]; }; then
		result 1 "'$*' came to its end (status $status)"
	fi
}

# kselftest NAME COMMAND...: each test point of a kselftest program is one of ours. One that is
# skipped counts as failed: a lab has all that they need.
kselftest() {
	local name=$1 line output=/run/kselftest status=0 points=$number
	shift
	"$@" >$output 2>&1 </dev/null || status=$?
	while IFS= read -r line; do
		case $line in
		'ok '*'# SKIP'*) result 1 "$name: $line" ;;
		'ok '*) result 0 "$name: ${line#ok * }" ;;
		'not ok '*) result 1 "$name: ${line#not ok * }" ;;
		esac
	done <$output
	[ $status = 0 ] || note "$(grep -vE '^ok |^# +(RUN|OK) ' $output)"
	is "$name: all that was planned has run, and the end is good" \
		"1..$((number - points)), $status" "$(grep -m 1 '^1\.\.' $output), 0"
}

# finish: the last line of each test
finish() {
	echo "1..$number"
	[ "$failures" = 0 ]
	exit
}

# --- domains and devices ---

# create NAME [CONFIG]: and wait until it is up
create() {
	xl create "${2-/etc/xen/$1.cfg}" >/dev/null 2>/run/xl-error || {
		cat /run/xl-error
		return 1
	}
	guest-wait "$1"
}

# fresh NAME: boot it anew and wait for its TPM
fresh() { destroy "$1" && create "$1" && wait_tpm "$1"; }

# unmake NAME: destroy it and its TPM; the next boot makes a new one
unmake() {
	local uuid
	uuid=$(uuid_of "$1")
	forgotten() { ! vtpmctl list --json | grep -q "$uuid"; }
	destroy "$1" && await 30 forgotten &&
		rm -f "/var/lib/xen-vtpm/made/$uuid" "/var/lib/xen-vtpm/$uuid.vtpm"
}

# sound NAME: it answers, and its TPM too, without an error
sound() {
	guest-wait "$1" 0 2>/dev/null || return 1
	if [ "$(kind_of "$1")" = 2.0 ]; then
		guest "$1" "perl /push/tests/send.pl $getrandom" 2>&1 | grep -q '^80010000001400000000'
	else
		guest "$1" "perl /push/tests/send.pl $getrandom12" 2>&1 | grep -q '^00c40000001600000000'
	fi
}

# ready NAME: boot it anew only if it is of no use as it is
ready() { sound "$1" || fresh "$1"; }

kind_of() { sed -n 's/^tpm-version = //p' "/etc/xen-vtpm/vtpm.d/$(uuid_of "$1").conf"; }

# Saved domains are kept here, on the machine that runs the lab: each is as large as the
# domain's memory. What xl writes are the domain's own pages, which cannot be written
# to a 9p file system; so they go through a pipe.
images=/out/images
mkdir -p $images && rm -f $images/*

# save NAME IMAGE [OPTION]
save() {
	local name=$1 image=$2 status=0 copy
	shift 2
	rm -f /run/image && mkfifo /run/image
	timeout 120 cat /run/image >"$images/$image" &
	copy=$!
	timeout 120 xl save "$@" "$name" /run/image || status=$?
	[ $status = 0 ] || kill $copy
	wait $copy && return $status
}
save_cancelled() { save "$1" "$2" -c; }
restore() { timeout 120 xl restore "$images/$1"; }

# --- the daemon ---

# shown UUID NAME: one member of what vtpmctl show says
shown() { vtpmctl show "$1" --json 2>&1 | python3 "$tests/member.py" "$2"; }
shows() { [ "$(shown "$1" "$2")" = "$3" ]; }

# counter UUID NAME: one of the counters of `vtpmctl list`
counter() {
	vtpmctl list --json | python3 "$tests/counter.py" "$@"
}

# logged REGEX: how many lines of dom0's kernel log match
logged() { dmesg | grep -cE -- "$1"; }

# --- TPM commands, without tools ---

# shellcheck disable=SC2034 # the tests use it
getrandom=80010000000c0000017b0008

# shellcheck disable=SC2034 # likewise
getrandom12=00c10000000e0000004600000008
# shellcheck disable=SC2034 # likewise
tpm_failure=80010000000a00000101

# tpm NAME HEX: the response of /dev/tpm0
tpm() { guest "$1" "perl /push/tests/send.pl $2" 2>&1; }

# pcr NAME: PCR 16 of a TPM 2.0, SHA-256; or why not
pcr() {
	local answer
	answer=$(tpm "$1" 8001000000140000017e00000001000b03000001)
	case $answer in
	8001????????00000000*) echo "${answer: -64}" ;;
	*) echo "$answer" ;;
	esac
}

# extend NAME: the same PCR, by ones
extend() {
	tpm "$1" "80020000004100000182000000100000000940000009000000000000000001000b$ones" |
		grep -q '^8002........00000000'
}
ones=$(printf '01%.0s' {1..32})
# shellcheck disable=SC2034 # likewise
zero=$(printf '00%.0s' {1..32})

# extended VALUE: what it is after another extend
extended() { perl -MDigest::SHA=sha256_hex -e 'print sha256_hex(pack("H*", $ARGV[0]))' "$1$ones"; }

# --- events upon guests at work ---

# befall EVENT,...: upon g1 (TPM 2.0) and g2 (TPM 1.2), see soak.py; then look
befall() { befalls --plan "$1"; }

# befalls ARGUMENT...: of soak.py
befalls() {
	local report=/out/$test_name.json name status=0
	check "a guest with a TPM 2.0" ready g1
	check "a guest with a TPM 1.2" ready g2
	rm -f "$report"
	timeout $(($(limit_of "$0") - 20)) python3 "$tests/soak.py" --guest g1=2.0 --guest g2=1.2 \
		--report "$report" "$@" >/run/soak-output 2>&1 || status=$?
	note "$(cat /run/soak-output)"
	for name in lost duplicated fd_errors held_errors random_errors; do
		is "none of these: $name" "$(python3 "$tests/member.py" $name <"$report")" 0
	done
	result $status "all events took place, and the guests went on"
}

# TPM2_CreatePrimary(owner, RSA 3072): some seconds of work
# shellcheck disable=SC2034 # likewise
rsa3072=$(tr -d ' \n' <<'COMMAND'
8002 00000043 00000131 40000001
00000009 40000009 0000 00 0000
0004 0000 0000
001a 0001 000b 00030072 0000 0006 0080 0043 0010 0c00 00000000 0000
0000 00000000
COMMAND
)

# rogue NAME STATE LOCALITY LENGTH HEX: have the hostile frontend of a guest
# write this, and print the answer as "STATE LENGTH HEX"
rogue() {
	local name=$1
	shift
	guest "$name" perl /push/tests/rogue.pl "$@"
}

# rogue_load NAME [PARAMETER]...: load it in a guest whose own frontend is not. However often it
# misbehaves, it need not wait.
rogue_load() {
	local name=$1
	shift
	echo 0 >/sys/module/xen_tpmback/parameters/fault_pause_s
	guest "$name" "modprobe -r xen-tpmrogue; modprobe xen-tpmrogue $*"
}

# rogue_unload NAME: its device has to be unbound first, it holds the module
rogue_unload() {
	guest "$1" "cd /sys/bus/xen/drivers/xen-tpmrogue && for d in vtpm-*; do
		echo \$d >unbind; done; modprobe -r xen-tpmrogue"
}

# rogue_front [PARAMETER]...: in g4, doing nothing by itself
rogue_front() {
	sound_none g4 || return 1
	rogue_load g4 manual=1 "$@" && await 30 rogue_bound
}
rogue_bound() { guest g4 "grep -q bound=1 /sys/kernel/debug/xen_tpmrogue"; }

# sound_none NAME: a guest without a frontend, booted anew only if need be
sound_none() {
	if guest-wait "$1" 0 2>/dev/null; then
		guest "$1" "test ! -e /sys/module/xen_tpmrogue" || rogue_unload "$1" && return
	fi
	destroy "$1" && create "$1"
}

# attack CASE [ARGUMENT]...: what rogue_front.py does in g4
attack() { points guest g4 python3 /push/tests/rogue_front.py "$@"; }

# held_memory: what dom0's kernel holds, in kB, without what it would give back
held_memory() {
	echo 3 >/proc/sys/vm/drop_caches
	awk '/^(SUnreclaim|PageTables|KernelStack|Percpu|VmallocUsed):/ { sum += $2 } END { print sum }' \
		/proc/meminfo
}

# memory_is_back BEFORE KB: what dom0's kernel holds grew by less than this
memory_is_back() {
	local now
	memory_within() { now=$(held_memory) && [ $((now - $1)) -lt "$2" ]; }
	if await 20 memory_within "$1" "$2"; then
		result 0 "dom0's memory is back where it was"
	else
		result 1 "dom0's memory is back where it was"
	fi
	note "held by dom0's kernel: $1 kB before, $(held_memory) kB after"
}
