#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# lab: standard
#
# The kernel's own frontend has no session to present; its TPM 1.2 goes on
# over save and restore, and the death of its engine, all the same.

. "$(dirname "$0")/lib.sh"

pcrs() { guest g3 "cat /sys/class/tpm/tpm*/pcrs"; }
with_pcrs() { [ "$(pcrs | grep -c ^PCR)" = 24 ]; }

need "the guest boots" fresh g3
pcr10() { pcrs | grep ^PCR-10; }
before=$(pcr10)
check "extend PCR 10" guest g3 "perl /push/tests/extend12.pl 10"
value=$(pcr10)
check "it has changed" test "$value" != "$before"
need "save" save g3 stock
need "restore" restore stock
need "the guest answers" guest-wait g3
check "its TPM is there" await 60 with_pcrs
is "PCR 10 is as it was" "$(pcr10)" "$value"
check "xl save -c" save_cancelled g3 stock
check "its TPM is there" await 60 with_pcrs
is "PCR 10 is as it was" "$(pcr10)" "$value"

engine=$(counter "$(uuid_of g3)" pid)
kill -9 "$engine"
other_engine() { ! counter "$(uuid_of g3)" pid | grep -qx "$engine"; }
check "an engine that dies is started again" await 30 other_engine
check "its TPM answers" await 60 with_pcrs
is "PCR 10 is as it was" "$(pcr10)" "$value"

finish
