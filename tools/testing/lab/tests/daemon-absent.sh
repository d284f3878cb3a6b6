#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# lab: standard
#
# Without a daemon the device waits in InitWait and the guest boots.

. "$(dirname "$0")/lib.sh"

destroy g1
lab-vtpmd stop
check "xl create succeeds" create g1
check "the frontend has shown its page" await 30 frontend_is g1 3
is "the backend waits in InitWait" "$(backend_state g1)" 2
check "loading the module does not hold anything up" \
	guest g1 "grep -q '^xen_tpmfront ' /proc/modules"
check "there is no TPM yet" guest g1 "test ! -e /dev/tpm0"
check "the guest can be destroyed" destroy g1
lab-vtpmd start

finish
