#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# lab: standard
#
# The TPM appears in a running guest when the daemon is started.

. "$(dirname "$0")/lib.sh"

destroy g1
lab-vtpmd stop
check "the guest boots without a daemon" create g1
check "there is no TPM yet" guest g1 "test ! -e /dev/tpm0"
check "the daemon starts" lab-vtpmd start
check "the TPM appears" wait_tpm g1
check "and works" guest g1 "TPM2TOOLS_TCTI=device:/dev/tpmrm0 tpm2_getrandom 8 >/dev/null"
is "the backend is connected" "$(backend_state g1)" 4

finish
