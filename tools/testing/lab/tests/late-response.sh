#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# lab: standard
# limit: 600
#
# An RSA key is under way when the domain is saved; its response is there after the restore.
# In the second case it is certain that the engine works until the domain has gone.

. "$(dirname "$0")/lib.sh"

befall rsa-save-restored,late-response

finish
