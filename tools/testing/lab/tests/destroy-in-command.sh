#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# lab: standard
#
# A guest is destroyed while its TPM works for it.

. "$(dirname "$0")/lib.sh"

in_flight() { [ "$(counter "$(uuid_of g1)" outstanding)" = 1 ]; }

fresh g2
fresh g1
# The resource manager flushes each key, so that there is room for the next.
guest g1 "exec 2>/dev/null; DEVICE=/dev/tpmrm0 nohup sh -c 'while perl /push/tests/send.pl $rsa3072; do :
	done' >/dev/null </dev/null &"
check "a command is in flight" await 30 in_flight
check "the guest is destroyed meanwhile" destroy g1
check "the device goes" await 20 bash -c '! xenstore-exists /local/domain/0/backend/vtpm/'"$(domid g1 || echo gone)"
check "another guest's TPM goes on" guest g2 "grep -q ^PCR /sys/class/tpm/tpm0/pcrs"
check "the guest boots again" fresh g1
check "and uses its TPM" guest g1 "TPM2TOOLS_TCTI=device:/dev/tpmrm0 tpm2_getrandom 8 >/dev/null"

finish
