#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# lab: standard
#
# A long command is cancelled.

. "$(dirname "$0")/lib.sh"

uuid4=$(uuid_of g4)
uuid1=$(uuid_of g1)
length=$((${#rsa3072} / 2))
busy4() { [ "$(counter "$uuid4" outstanding)" = 1 ]; }
busy1() { [ "$(counter "$uuid1" outstanding)" = 1 ]; }

destroy g4
check "a guest without a frontend of its own" create g4
check "the hostile frontend loads" rogue_load g4
check "it is connected" await 30 backend_is g4 4
rogue g4 1 0 12 80010000000c000001440000 >/dev/null
rogue g4 1 0 $length "$rsa3072" nowait
check "the engine works" await 30 busy4
is "CANCEL is answered with TPM_RC_CANCELED" \
	"$(rogue g4 3 0 $length "$rsa3072")" "2 10 80010000000a00000909"
is "it was counted" "$(counter "$uuid4" cancelled)" 1
is "CANCEL after the answer gives the answer again" \
	"$(rogue g4 3 0 10 80010000000a00000909)" "2 10 80010000000a00000909"
like "the next command works" "$(rogue g4 1 0 12 $getrandom)" '^2 20 800100000014000000000008'

fresh g1
guest g1 "exec 2>/dev/null; nohup perl /push/tests/send.pl $rsa3072 >/dev/null </dev/null & echo \$! >/tmp/pid"
check "a program waits for its key" await 30 busy1
guest g1 'kill -KILL $(cat /tmp/pid)'
check "it ends when it is killed" await 30 guest g1 'test ! -e /proc/$(cat /tmp/pid)'
is "the command was cancelled" "$(counter "$uuid1" cancelled)" 1
check "the TPM is free for others" guest g1 "TPM2TOOLS_TCTI=device:/dev/tpmrm0 tpm2_getrandom 8 >/dev/null"

finish
