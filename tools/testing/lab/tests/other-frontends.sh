#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# lab: standard
#
# Frontends with other habits: one that goes to Connected at once, as that of
# mini-os does; one of version 1; ones whose nodes make no sense.

. "$(dirname "$0")/lib.sh"

startup=80010000000c000001440000

# refused NAME PARAMETER ERROR: the backend says why, and is not connected. It stays Closing for a
# second only, before a second chance; on a busy machine nobody may see that.
refused() {
	error=/local/domain/0/error/backend/vtpm/$(domid g4)/0/error
	xenstore-rm "$error" 2>/dev/null
	check "$1: it loads" rogue_load g4 "$2"
	check "$1: the backend says something" await 30 xenstore-read "$error"
	like "$1: namely why" "$(xenstore-read "$error")" "$3"
	check "$1: and is not connected" not_connected
	rogue_unload g4
}
not_connected() { ! backend_is g4 4; }

destroy g4
check "a guest without a frontend of its own" create g4
check "mini-os style: it loads" rogue_load g4 skip_initialised=1
check "mini-os style: it is connected" await 30 backend_is g4 4
like "mini-os style: a command is executed" "$(rogue g4 1 0 12 $startup)" '^2 10 80010000000a0000'
rogue_unload g4

refused "version 1" version1=1 'version 1 of the protocol'
refused "extra pages" extra_pages=1 'extra pages'
refused "a bad port" event_channel=4000 'event-channel'

check "a good frontend is let in again" rogue_load g4
check "it is connected" await 30 backend_is g4 4
like "and served" "$(rogue g4 1 0 12 $startup)" '^2 10 80010000000a0000'

finish
