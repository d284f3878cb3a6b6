#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# lab: standard
# limit: 900
#
# What a hostile frontend can do with the xenstore, grants and ports: values of every
# wrong kind, references that are not what they should be, states in random order; and
# with its own life, which ends anywhere.

. "$(dirname "$0")/lib.sh"

walks=${STORM_WALKS:-300}
seed=${STORM_SEED:-1}

# no_device: the backend has given the device up
no_device() { [ ! -e "/sys/bus/xen-backend/devices/vtpm-$1-0" ]; }

# ends COMMAND: the guest has a TPM command under way, and this happens
ends() {
	need "a frontend for this: $1" rogue_front
	guest g4 "python3 /push/tests/rogue_front.py works" >/dev/null
	guest g4 "python3 /push/tests/rogue_front.py busy" >/dev/null
	check "under way: $1" "$@"
	check "the other guest's TPM goes on" sound g2
}

need "another guest" ready g2
need "a guest whose frontend does what it is told" rogue_front
memory=$(held_memory)
attack values
attack grants
check "a frontend that misbehaves again and again is said to" test "$(logged 'let in after a pause')" -gt 0
attack walk "$walks" "$seed"
check "the other guest's TPM goes on" sound g2
memory_is_back "$memory" 2048

# B19: nobody waits for a daemon that has stopped.
kill -STOP "$(cat /run/lab-vtpmd.pid)"
attack walk_alone 100 "$seed"
check "vtpmd stopped: other devices of dom0 go on" timeout 60 \
	xl network-attach g2 script=/usr/lib/xen-vtpm-lab/vif
kill -CONT "$(cat /run/lab-vtpmd.pid)"
attack works

ends rogue_unload g4
ends destroy g4
need "once more" rogue_front
domain=$(domid g4)
attack gone
check "the device goes with its state" await 20 no_device "$domain"
destroy g4
check "it boots again" rogue_front
attack works
check "the other guest's TPM goes on" sound g2

finish
