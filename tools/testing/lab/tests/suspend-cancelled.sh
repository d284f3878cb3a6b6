#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# lab: standard
#
# xl save -c: the guest is suspended and runs on. What its programs hold open stays
# good, and its TPM has missed nothing.

. "$(dirname "$0")/lib.sh"

befall save-cancelled,paused,rsa-save-cancelled

finish
