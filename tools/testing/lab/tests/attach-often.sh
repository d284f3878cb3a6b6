#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# lab: standard
#
# Both drivers are unbound and bound over and over, with commands under way and while they
# connect; nothing is left behind. Where the kernel has kmemleak, it says so too.

. "$(dirname "$0")/lib.sh"

cycles=${STORM_ATTACH:-24}
hold=/sys/module/xen_tpmback/parameters/initwait_ms
leaks=/sys/kernel/debug/kmemleak

# no_leaks COMMAND...: in dom0 or a guest. kmemleak reports nothing younger than 5 s.
no_leaks() { "$@" "sleep 6; echo scan >$leaks; echo scan >$leaks; cat $leaks"; }

need "a guest with a TPM" ready g1
value=$(pcr g1)
channels=$(grep -c xen-tpmback /proc/interrupts)
if [ -e $leaks ]; then
	echo clear >$leaks
	guest g1 "echo clear >$leaks"
fi
was=$(cat $hold)
# No toolstack looks at these.
echo 0 >$hold
points python3 "$tests/attach_often.py" g1 "$(domid g1)" 3
memory=$(held_memory)
points python3 "$tests/attach_often.py" g1 "$(domid g1)" "$cycles"
memory_is_back "$memory" $((1024 + cycles / 2))
echo "$was" >$hold
is "as many event channels as before" "$(grep -c xen-tpmback /proc/interrupts)" "$channels"
is "the TPM goes on where it was" "$(pcr g1)" "$value"
if [ -e $leaks ]; then
	is "dom0's kernel has leaked nothing that kmemleak sees" "$(no_leaks bash -c)" ""
	is "nor has the guest's" "$(no_leaks guest g1)" ""
else
	note "this kernel has no kmemleak; only its memory was looked at"
fi

finish
