#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# lab: standard
#
# xl save and restore under programs that use the TPM.

. "$(dirname "$0")/lib.sh"

befall save-restored

finish
