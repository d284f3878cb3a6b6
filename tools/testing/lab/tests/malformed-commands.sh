#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# lab: standard
#
# What a hostile frontend sends is answered with a TPM error, and never reaches
# an engine.

. "$(dirname "$0")/lib.sh"

uuid=$(uuid_of g4)
startup=80010000000c000001440000
size2="2 10 80010000000a00000142"
size1="2 10 00c40000000a00000019"
tag="2 10 00c40000000a0000001e"
control2="2 10 80010000000a00000143"
control1="2 10 00c40000000a0000000a"

# send NAME LENGTH HEX ANSWER
send() { is "$1" "$(rogue g4 1 0 "$2" "$3" 2>&1)" "$4"; }

fresh g2
destroy g4
check "a guest without a frontend of its own" create g4
check "the hostile frontend loads" rogue_load g4
check "it is connected" await 30 backend_is g4 4
like "a good command is executed" "$(rogue g4 1 0 12 $startup)" '^2 10 80010000000a0000'
commands=$(counter "$uuid" commands)

send "length 0" 0 "" "$size1"
send "length 1" 1 80 "$size1"
send "length 9" 9 800100000009000001 "$size2"
send "length 10, 11 in the header" 10 80010000000b0000017b "$size2"
send "length 11, 10 in the header" 11 80010000000a0000017b00 "$size2"
send "length 4089" 4089 800100000ff90000017b "$size2"
send "length 65536" 65536 8001000100000000017b "$size2"
send "length 2^32 - 1" 4294967295 8001ffffffff0000017b "$size2"
send "header length 2^32 - 1" 12 8001ffffffff0000017b0008 "$size2"
send "TPM 1.2, length wrong" 10 00c10000000b00000065 "$size1"
send "unknown tag" 12 90010000000c0000017b0008 "$tag"
send "a prefix that swtpm takes as a locality" 21 00000008040000000c80010000000c0000017b0008 "$tag"
send "set locality, TPM 2.0 without sessions" 11 80010000000b2000100004 "$control2"
send "set locality, TPM 2.0 with sessions" 11 80020000000b2000100004 "$control2"
send "set locality, TPM 1.2" 11 00c10000000b2000100004 "$control1"

is "none of them reached the engine" "$(counter "$uuid" commands)" "$commands"
is "they were counted" "$(counter "$uuid" refused)" 15
like "a good command still works" "$(rogue g4 1 0 12 $getrandom)" '^2 20 800100000014000000000008'
for cause in "its length is wrong" "its tag is unknown" "it is a control command"; do
	is "one log line: $cause" \
		"$(logged "domain $(domid g4), vTPM $uuid: command of .* because $cause")" 1
done
check "another guest's TPM goes on" guest g2 "grep -q ^PCR /sys/class/tpm/tpm0/pcrs"

rogue g4 4 0 12 $getrandom nowait
check "a state that does not exist parks the frontend" \
	await 10 test "$(logged "domain $(domid g4), vTPM $uuid: the frontend wrote state 4")" = 1
check_fails "nothing is taken from it any more" rogue g4 1 0 12 $getrandom
check "until it starts anew" rogue_unload g4
check "it loads again" rogue_load g4
check "it is connected again" await 30 backend_is g4 4
like "and is served" "$(rogue g4 1 0 12 $getrandom)" '^2 20 800100000014000000000008'

finish
