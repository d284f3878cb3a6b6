#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# lab: standard
#
# A second vTPM is attached to a running guest and detached, 20 times.

. "$(dirname "$0")/lib.sh"

uuid=00000000-0000-4000-8000-00000000aaaa
pcr1() { guest g1 "DEVICE=/dev/tpm1 perl /push/tests/send.pl 8001000000140000017e00000001000b03000001"; }
extend1() {
	guest g1 "DEVICE=/dev/tpm1 perl /push/tests/send.pl \
		80020000004100000182000000100000000940000009000000000000000001000b$ones"
}
random1() { guest g1 "TPM2TOOLS_TCTI=device:/dev/tpm1 tpm2_getrandom 8 >/dev/null"; }
no_tpm1() { ! has_tpm g1 1; }
second_gone() { [ "$(xl vtpm-list g1 | grep -c "$uuid")" = 0 ]; }

fresh g1
attached=0 used=0 detached=0 gone=0
for ((i = 0; i < 20; i++)); do
	xl vtpm-attach g1 backend=0 "uuid=$uuid" && attached=$((attached + 1))
	wait_tpm g1 1 && random1 && used=$((used + 1))
	[ $i != 0 ] || like "xl vtpm-list shows both" "$(xl vtpm-list g1)" "$uuid"
	[ $i != 0 ] || { extend1 >/dev/null && value=$(pcr1); }
	[ $i != 19 ] || is "a detach is no power cycle" "$(pcr1 | tail -c 65)" "$(tail -c 65 <<<"$value")"
	xl vtpm-detach g1 "$uuid" && detached=$((detached + 1))
	await 20 no_tpm1 && await 20 second_gone && gone=$((gone + 1))
done
is "attached 20 times" $attached 20
is "used 20 times" $used 20
is "detached 20 times" $detached 20
is "gone from the guest 20 times" $gone 20
check "the first TPM was not disturbed" \
	guest g1 "TPM2TOOLS_TCTI=device:/dev/tpmrm0 tpm2_getrandom 8 >/dev/null"
is "nothing is left in the xenstore" \
	"$(xenstore-ls "/local/domain/0/backend/vtpm/$(domid g1)" | grep -c "^[0-9]* = ")" 1

fresh_none() { destroy g4 && create g4; }
check "a guest without a frontend" fresh_none
check "attach to it" xl vtpm-attach g4 backend=0 "uuid=$uuid"
# xl gives up waiting after 10 s, without a word; so say what it says, and look.
tell_detach() {
	local dir
	dir=/local/domain/0/backend/vtpm/$(domid g4)/1
	xenstore-write "$dir/online" 0 "$dir/state" 5
}
check "the toolstack says that it detaches" tell_detach
check "the backend closes, though nobody answers in the guest" await 8 backend_is g4 6 1
check "detach from it" xl vtpm-detach g4 "$uuid"

finish
