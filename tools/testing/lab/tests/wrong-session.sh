#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# lab: standard
#
# A frontend presents a session that is not that of its TPM, and hands in a
# command twice.

. "$(dirname "$0")/lib.sh"

uuid=$(uuid_of g4)
startup=80010000000c000001440000
read=8001000000140000017e00000001000b03000001
extend=80020000004100000182000000100000000940000009000000000000000001000b$ones
wrong=$(printf 'a5%.0s' {1..16})
hold() { guest g4 "echo $1 >/sys/module/xen_tpmrogue/parameters/hold_sequence"; }
rogue_pcr() { rogue g4 1 0 20 $read | sed 's/.*\(.\{64\}\)$/\1/'; }

# connect [PARAMETER]...: with the extension
connect() { rogue_load g4 request_exactly_once=1 "$@" && await 30 backend_is g4 4; }

destroy g4
need "a guest without a frontend of its own" create g4
need "without a session it is let in" connect
like "and served" "$(rogue g4 1 0 12 $startup)" '^2 10 80010000000a0000'
like "extend" "$(rogue g4 1 0 65 "$extend")" '^2 .* 8002........00000000'
hold 1
like "the same command again is answered" "$(rogue g4 1 0 65 "$extend")" '^2 .* 8002........00000000'
hold 0
is "but not executed" "$(rogue_pcr)" "$(extended "$zero")"
answer=$(rogue g4 1 0 12 $getrandom)
hold 1
is "the kept response is given" "$(rogue g4 1 0 12 $getrandom)" "$answer"
hold 0
check_fails "a new command gets its own" test "$(rogue g4 1 0 12 $getrandom)" = "$answer"
rogue_unload g4

need "with a wrong session it is let in" connect session=$wrong sequence=5
is "but a command gives TPM failure" "$(rogue g4 1 0 12 $getrandom)" "2 10 $tpm_failure"
is "vtpmctl shows that they are apart" "$(shown "$uuid" session)" apart
rogue_unload g4

need "with another sequence of no session, likewise" connect \
	session="$(printf '00%.0s' {1..16})" sequence=99
is "the session continues where nothing is presented" "$(rogue_pcr)" "$(extended "$zero")"
is "they belong together again" "$(shown "$uuid" session)" running
rogue_unload g4
destroy g4

finish
