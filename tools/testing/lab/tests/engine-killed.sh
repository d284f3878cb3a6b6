#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# lab: standard
#
# The engine is killed, stopped for a while, and killed again.

. "$(dirname "$0")/lib.sh"

befall engine-killed,engine-stopped

finish
