#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# lab: standard
#
# Without a daemon the device waits in InitWait, and nothing in the guest waits
# with it.

. "$(dirname "$0")/lib.sh"

destroy g4
lab-vtpmd stop
check "xl create succeeds" create g4
# Registering a frontend waits 30 s for a backend; a boot must not.
check "loading the module does not wait" guest g4 "timeout 10 modprobe xen-tpmfront"
check "the frontend has shown its page" await 30 frontend_is g4 3
is "the backend waits in InitWait" "$(backend_state g4)" 2
check "there is no TPM yet" guest g4 "test ! -e /dev/tpm0"
check "the guest can be destroyed" destroy g4
lab-vtpmd start

finish
