#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# lab: standard
#
# The selftests of /dev/vtpm and of its connections, by a frontend that sends commands all the time,
# also from 32-bit programs and with the exactly-once extension.

. "$(dirname "$0")/lib.sh"

programs=/push/selftests
driver=/sys/bus/xen/drivers/xen-tpmrogue

# start_pump [PARAMETER]...: the hostile frontend of g4 sends commands, one after the other
start_pump() {
	rogue_load g4 "$@" &&
		guest g4 "setsid perl /push/tests/pump.pl $getrandom >/tmp/pump 2>&1 </dev/null &
			echo \$! >/tmp/pump.pid" && await 30 frontend_is g4 3
}

pump_ended() { ! guest g4 'kill -0 $(cat /tmp/pump.pid)'; }
stop_pump() {
	guest g4 'kill $(cat /tmp/pump.pid)'
	await 30 pump_ended
	rogue_unload g4
}

status=0
output=$($programs/vtpm_dev) || status=$?
is "while vtpmd runs they are skipped" $status 4
like "and say why" "$output" 'SKIP /dev/vtpm is in use: stop vtpmd'

destroy g4
check "a guest without a frontend of its own" create g4
lab-vtpmd stop
status=0
output=$(XEN_VTPM_DOMAIN=99 $programs/vtpm_conn) || status=$?
is "without a frontend they are skipped" $status 4
like "and say why" "$output" 'SKIP no guest of domain 99 has a vTPM'

export XEN_VTPM_DOMAIN XEN_VTPM_CANCEL XEN_VTPM_LEAVE XEN_VTPM_RETURN
XEN_VTPM_DOMAIN=$(domid g4)
XEN_VTPM_CANCEL="guest g4 perl /push/tests/rogue.pl 3 0 12 $getrandom nowait </dev/null"
XEN_VTPM_LEAVE="guest g4 'echo vtpm-0 >$driver/unbind' </dev/null"
XEN_VTPM_RETURN="guest g4 'echo vtpm-0 >$driver/bind' </dev/null"

check "a frontend sends commands" start_pump
for bits in '' _32; do
	for program in vtpm_conn vtpm_life vtpm_dev; do
		kselftest $program$bits $programs/$program$bits
	done
done
check "it is unloaded" stop_pump

check "a frontend asks for the exactly-once extension" start_pump request_exactly_once=1
export XEN_VTPM_EXACTLY_ONCE=1
for program in vtpm_conn vtpm_life vtpm_dev; do
	kselftest "$program, exactly once" $programs/$program
done
check "it is unloaded" stop_pump
lab-vtpmd start

finish
