#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# lab: standard
# limit: 600
#
# Storms of events from a hostile frontend: another guest's TPM goes on, dom0 has time for
# other things, and nothing grows.

. "$(dirname "$0")/lib.sh"

storm_ms=${STORM_MS:-3000}

need "another guest" ready g2
need "a guest whose frontend does what it is told" rogue_front
memory=$(held_memory)
points python3 "$tests/rogue_storm.py" "$(domid g4)" "$storm_ms" \
	"without cause" refused cancelled commands
attack works
memory_is_back "$memory" 2048
check "the other guest's TPM goes on" sound g2

finish
