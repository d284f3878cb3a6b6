#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# lab: standard
# limit: 600
#
# Thirty events of all kinds in random order; see `make soak`. The seed is always the
# same here, so that this is one test and not many.

. "$(dirname "$0")/lib.sh"

befalls --seed 2601 --count 32

finish
