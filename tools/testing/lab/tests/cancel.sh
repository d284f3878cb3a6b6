#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# lab: standard
#
# A long command is cancelled.

. "$(dirname "$0")/lib.sh"

uuid4=$(uuid_of g4)
uuid1=$(uuid_of g1)
length=$((${#rsa3072} / 2))

# ticks PID: processor time that it has used, in hundredths of a second
ticks() {
	local stat
	read -ra stat <"/proc/$1/stat" && echo $((stat[13] + stat[14]))
}

# hold PID TICKS: stop the engine once it works on a command, so that there is
# time to cancel it however long the key takes
hold() {
	local end=$((SECONDS + 30))
	until [ "$(ticks "$1")" -ge $(($2 + 5)) ]; do
		[ $SECONDS -lt $end ] || return 1
	done
	kill -STOP "$1"
}

cancelled() { [ "$(counter "$1" cancelled)" = 1 ]; }

destroy g4
check "a guest without a frontend of its own" create g4
check "the hostile frontend loads" rogue_load g4
check "it is connected" await 30 backend_is g4 4
rogue g4 1 0 12 80010000000c000001440000 >/dev/null
engine=$(counter "$uuid4" pid)
before=$(ticks "$engine")
rogue g4 1 0 $length "$rsa3072" nowait &
check "the engine works" hold "$engine" "$before"
wait $!
rogue g4 3 0 $length "$rsa3072" >/run/answer &
check "CANCEL reaches the backend" await 30 cancelled "$uuid4"
kill -CONT "$engine"
wait $!
is "CANCEL is answered with TPM_RC_CANCELED" "$(cat /run/answer)" "2 10 80010000000a00000909"
is "CANCEL after the answer gives the answer again" \
	"$(rogue g4 3 0 10 80010000000a00000909)" "2 10 80010000000a00000909"
like "the next command works" "$(rogue g4 1 0 12 $getrandom)" '^2 20 800100000014000000000008'

fresh g1
engine=$(counter "$uuid1" pid)
before=$(ticks "$engine")
guest g1 "perl /push/tests/send.pl $rsa3072 >/dev/null & echo \$! >/tmp/pid; wait" 2>/dev/null &
check "a program waits for its key" hold "$engine" "$before"
guest g1 'kill -KILL $(cat /tmp/pid)'
check "when it is killed, its command is cancelled" await 30 cancelled "$uuid1"
check "the program waits for the end of its command" guest g1 'test -e /proc/$(cat /tmp/pid)'
kill -CONT "$engine"
check "then it ends" await 30 guest g1 'test ! -e /proc/$(cat /tmp/pid)'
check "the TPM is free for others" guest g1 "TPM2TOOLS_TCTI=device:/dev/tpmrm0 tpm2_getrandom 8 >/dev/null"

finish
