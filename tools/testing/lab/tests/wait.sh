# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Waiting for domains and their TPMs, with a bound each; for scripts in dom0.

# await SECONDS COMMAND...: run it until it succeeds; TEST_PATIENCE times as long where all is slow
await() {
	local end=$((SECONDS + $1 * ${TEST_PATIENCE:-1}))
	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.1
	done
}

domid() { xl domid "$1" 2>/dev/null; }
uuid_of() { sed -n 's/.*uuid=\([0-9a-f-]*\).*/\1/p' "/etc/xen/$1.cfg" | tail -n 1; }

# backend_state NAME [HANDLE]: of the vTPM device, as the toolstack sees it
backend_state() {
	xenstore-read "/local/domain/0/backend/vtpm/$(domid "$1")/${2-0}/state"
}
backend_is() { [ "$(backend_state "$1" "${3-0}")" = "$2" ]; }

# frontend_is NAME STATE: of the first vTPM, as the guest says
frontend_is() {
	[ "$(xenstore-read "/local/domain/$(domid "$1")/device/vtpm/0/state")" = "$2" ]
}

has_tpm() { guest "$1" "test -c /dev/tpm${2-0}"; }
wait_tpm() { await 60 has_tpm "$1" "${2-0}"; }

# destroy NAME: and wait until the domain has gone
destroy() {
	! domid "$1" >/dev/null || xl destroy "$1" || return 1
	await 30 no_domain "$1"
}
no_domain() { ! domid "$1" >/dev/null; }

# limit_of TEST: how many seconds it may take; TEST_LIMIT or "# limit:" in its file says so
limit_of() {
	local limit
	limit=$(sed -n 's/^# limit: //p' "$1")
	echo "${TEST_LIMIT:-${limit:-300}}"
}
