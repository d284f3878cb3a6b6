#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# lab: restart-1
# lab: restart-2
# lab: restart-3
#
# A guest is saved, the host is shut down and booted again with the other event-channel ABI
# in dom0, and the guest is restored; then back again the same way. Only what is on the disk
# goes with it: its image and the stores. These three labs share that disk.

. "$(dirname "$0")/lib.sh"

kept=/var/lib/xen-vtpm/images
mkdir -p $kept
step=$(cat $kept/step 2>/dev/null || echo 1)
read_pcr=8001000000140000017e00000001000b03000001
extend_pcr=80020000004100000182000000100000000940000009000000000000000001000b$ones

answers() { guest g1 "cat /tmp/answers"; }
count_is() { [ "$(answers | wc -l)" = "$1" ]; }

# ask HEX: through the descriptor that was opened before the first save
ask() {
	local count
	count=$(answers | wc -l)
	guest g1 "echo $1 >/tmp/ask" && await 30 count_is $((count + 1)) && answers | tail -n 1
}
held_pcr() { ask $read_pcr | tail -c 65; }
held_extend() { ask $extend_pcr | grep -q '^8002........00000000'; }

hold() {
	guest g1 "mkfifo /tmp/ask; { exec 3<>/tmp/ask; perl /push/tests/hold.pl <&3 >/tmp/answers 2>&1; } \
		</dev/null >/dev/null 2>&1 &" && await 30 count_is 1
}

# value STEP: PCR 16 at the beginning of a step
value() {
	local value=$zero i
	for ((i = 1; i < $1; i++)); do
		value=$(extended "$value")
	done
	echo "$value"
}

save_and_keep() { save g1 moved && cp "$images/moved" $kept/ && rm "$images/moved"; }
fifo_abi() { dmesg | grep -q 'Using FIFO-based ABI'; }

if [ $((step % 2)) = 1 ]; then
	check "step $step: dom0 has the FIFO ABI" fifo_abi
else
	check_fails "step $step: dom0 has the ABI of two levels" fifo_abi
fi
if [ "$step" = 1 ]; then
	need "a guest with a TPM" fresh g1
	need "a descriptor is opened" hold
else
	need "step $step: restore" timeout 120 xl restore $kept/moved
	need "step $step: the guest answers" guest-wait g1
fi
is "step $step: the PCR is as it was, through the same descriptor" "$(held_pcr)" "$(value "$step")"
check "step $step: extend" held_extend
is "step $step: and it was, once" "$(held_pcr)" "$(value $((step + 1)))"
if [ "$step" -lt 3 ]; then
	need "step $step: save" save_and_keep
	check "step $step: vtpmd ends" lab-vtpmd stop
fi
echo $((step + 1)) >$kept/step

finish
