#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# lab: standard
#
# 4088 bytes, which is all that a page carries, go to the engine and back.

. "$(dirname "$0")/lib.sh"

destroy g4
check "a guest without a frontend of its own" create g4
lab-vtpmd stop
rogue_load g4
output=$(python3 "$tests/largest-command.py" "$(domid g4)" 2>&1) || note "$output"
is "command and response arrive whole" "$(tail -n 1 <<<"$output")" "4088 and 4088 bytes, intact"
rogue_unload g4
lab-vtpmd start

fresh g1
like "the real engine has all of a 4088-byte command" \
	"$(guest g1 "perl /push/tests/send.pl 80010000$(printf %04x 4088)0000017b0008 4088")" \
	'^80010000000a000000(95|d5)$'
check_fails "4089 bytes are refused in the guest" \
	guest g1 "perl /push/tests/send.pl 80010000$(printf %04x 4089)0000017b0008 4089"
check "the TPM goes on" guest g1 "TPM2TOOLS_TCTI=device:/dev/tpmrm0 tpm2_getrandom 8 >/dev/null"

finish
