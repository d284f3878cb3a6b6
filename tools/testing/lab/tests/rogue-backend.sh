#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# lab: storm
# limit: 900
#
# A hostile backend takes the TPM of a guest: the guest remains healthy, its users get errors in
# bounded time, and the real backend goes on with the same TPM.

. "$(dirname "$0")/lib.sh"

walks=${STORM_WALKS:-300}
seed=${STORM_SEED:-1}
back() { points python3 "$tests/rogue_back.py" "$1" g1 "$domain" "${@:2}"; }
complaints() { guest g1 "dmesg | grep -cE 'WARNING:|BUG:|Oops|Call Trace:|blocked for more'"; }

# at_work: note what is to be there afterwards
at_work() {
	domain=$(domid g1)
	extend g1
	value=$(pcr g1)
}

need "a guest with a TPM" ready g1
at_work
need "the hostile backend loads" modprobe xen-tpmrogue backend=1
back take
back lengths
back states
back unasked
back late
back flip "${STORM_FLIPS:-8}"
back storm "${STORM_BACK_MS:-1500}"
back values
back walk "$walks" "$seed"
back disappear

back silent
before=$SECONDS
check "a suspend that is never quiesced goes on" save_cancelled g1 quiesce.image
note "report: it took $((SECONDS - before)) s"
check "and in bounded time" test $((SECONDS - before)) -lt 60
rm -f "$images/quiesce.image"
back good

# With the extension the guest says what it was told, and the TPM knows nothing of it.
back give
check "the real TPM finds that the guest was elsewhere" await 30 shows "$(uuid_of g1)" session apart
check "a boot brings them together" fresh g1
at_work

back take
back hoard
back kept
back register
back give
check "the real TPM is there once more" wait_tpm g1
is "and goes on where it was, still" "$(pcr g1)" "$value"
is "the guest's kernel has not complained" "$(complaints)" 0
check "the hostile backend unloads" modprobe -r xen-tpmrogue
check "another guest's TPM goes on" await 30 sound g2

finish
