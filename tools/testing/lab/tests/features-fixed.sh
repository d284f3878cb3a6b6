#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# lab: standard
#
# Whether the extension is in use is settled at power-on. A change of the policy counts from
# the next power-on, and not for a domain that is restored.

. "$(dirname "$0")/lib.sh"

uuid=$(uuid_of g1)
config=/etc/xen-vtpm/vtpm.d/$uuid.conf
cp $config /run/policy
trap 'cp /run/policy $config' EXIT

# policy yes|no
policy() { { cat /run/policy && echo "exactly-once = $1"; } >$config; }
offered() { xenstore-read "/local/domain/0/backend/vtpm/$(domid g1)/0/feature-exactly-once" 2>/dev/null || echo 0; }

# fixed POLICY OFFERED OTHER: power on with one policy, restore with the other
fixed() {
	policy "$1"
	need "exactly-once = $1: power on" fresh g1
	is "exactly-once = $1: what is offered" "$(offered)" "$2"
	check "exactly-once = $1: extend" extend g1
	need "exactly-once = $1: save" save g1 policy
	policy "$3"
	need "now $3: restore" restore policy
	need "now $3: the guest answers" guest-wait g1
	is "now $3: the PCR is as it was" "$(pcr g1)" "$(extended "$zero")"
	is "now $3: what is offered has not changed" "$(offered)" "$2"
}

fixed yes 1 no
fixed no 0 yes
destroy g1

finish
