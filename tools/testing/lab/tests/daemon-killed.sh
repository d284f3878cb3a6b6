#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# lab: standard
#
# The daemon is killed; then both it and an engine.

. "$(dirname "$0")/lib.sh"

befall daemon-killed,both-killed

finish
