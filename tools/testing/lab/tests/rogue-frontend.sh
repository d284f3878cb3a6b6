#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# lab: standard
# limit: 600
#
# What a hostile frontend can do with its pages: every boundary, and bytes that change
# while the backend reads them.

. "$(dirname "$0")/lib.sh"

flip_ms=${STORM_FLIP_MS:-250}
uuid=$(uuid_of g4)

ready g2
need "a guest whose frontend does what it is told" rogue_front
memory=$(held_memory)
attack boundaries
attack early
attack flip "$flip_ms"
attack works
memory_is_back "$memory" 2048
check "another guest's TPM goes on" sound g2
is "no connection was left behind" "$(vtpmctl list --json | grep -c "$uuid")" 1

finish
