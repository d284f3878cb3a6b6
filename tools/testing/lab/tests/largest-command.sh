#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# lab: standard
#
# 4088 bytes, which is all that one page carries, go to the engine and back, and 4096
# with the extension.

. "$(dirname "$0")/lib.sh"

destroy g4
check "a guest without a frontend of its own" create g4
lab-vtpmd stop
rogue_load g4
output=$(python3 "$tests/largest-command.py" "$(domid g4)" 2>&1) || note "$output"
is "command and response arrive whole" "$(tail -n 1 <<<"$output")" "4088 and 4088 bytes, intact"
rogue_unload g4
lab-vtpmd start

need "a guest with the extension" fresh g1
lab-vtpmd stop
output=$(python3 "$tests/largest-extended.py" "$(domid g1)" 2>&1) || note "$output"
is "with the extension 4096 bytes arrive whole" "$(tail -n 1 <<<"$output")" \
	"4096 and 4096 bytes, intact"
lab-vtpmd start
# Its own engine knows nothing of that command, and so does not go on with it.
apart() { shows "$(uuid_of g1)" session apart; }
check "an engine that lacks a command that was answered does not go on" await 30 apart

fresh g1
like "the real engine has all of a 4096-byte command" \
	"$(guest g1 "perl /push/tests/send.pl 80010000$(printf %04x 4096)0000017b0008 4096")" \
	'^80010000000a000000(95|d5)$'
check_fails "4097 bytes are refused in the guest" \
	guest g1 "perl /push/tests/send.pl 80010000$(printf %04x 4097)0000017b0008 4097"
check "the TPM goes on" guest g1 "TPM2TOOLS_TCTI=device:/dev/tpmrm0 tpm2_getrandom 8 >/dev/null"

finish
