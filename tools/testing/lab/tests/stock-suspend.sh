#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# lab: standard
#
# The kernel's own frontend has no session to present; its TPM 1.2 goes on
# over save and restore all the same.

. "$(dirname "$0")/lib.sh"

pcrs() { guest g3 "cat /sys/class/tpm/tpm*/pcrs"; }
with_pcrs() { [ "$(pcrs | grep -c ^PCR)" = 24 ]; }

fresh g3
before=$(pcrs)
check "extend PCR 10" guest g3 "perl /push/tests/extend12.pl 10"
value=$(pcrs)
check "it has changed" test "$value" != "$before"
check "save" save g3 stock
check "restore" restore stock
check "the guest answers" guest-wait g3
check "its TPM is there" await 60 with_pcrs
is "the PCRs are as they were" "$(pcrs)" "$value"
check "xl save -c" save_cancelled g3 stock
check "its TPM is there" await 60 with_pcrs
is "the PCRs are as they were" "$(pcrs)" "$value"
rm -f $images/stock

finish
