#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# lab: standard
#
# A live migration to the same host, where two domains have the vTPM's UUID
# for a moment.

. "$(dirname "$0")/lib.sh"

befall migrated

finish
