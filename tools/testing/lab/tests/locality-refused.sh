#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# lab: standard
#
# A locality that the policy does not allow never reaches the engine.

. "$(dirname "$0")/lib.sh"

uuid=$(uuid_of g4)
refused="2 10 80010000000a00000907"

destroy g4
check "a guest without a frontend of its own" create g4
check "the hostile frontend loads" rogue_load g4
check "it is connected" await 30 backend_is g4 4
rogue g4 1 0 12 80010000000c000001440000 >/dev/null
commands=$(counter "$uuid" commands)
for locality in 1 2 3 4 5 32 255; do
	is "locality $locality" "$(rogue g4 1 $locality 12 $getrandom)" "$refused"
done
is "TPM 1.2's way to say it" "$(rogue g4 1 4 10 00c10000000a00000065)" \
	"2 10 00c40000000a0000003d"
is "none of them reached the engine" "$(counter "$uuid" commands)" "$commands"
like "locality 0 works" "$(rogue g4 1 0 12 $getrandom)" '^2 20 800100000014000000000008'

finish
