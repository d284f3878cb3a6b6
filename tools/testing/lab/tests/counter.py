#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Print one member of one vTPM of `vtpmctl list --json`, given on stdin."""
import json
import sys

uuid, name = sys.argv[1:]
for vtpm in json.load(sys.stdin)["vtpms"]:
    if vtpm["uuid"] == uuid:
        value = vtpm.get(name)
        if value is None:
            value = sum(c.get(name, 0) for c in vtpm["connections"])
        print(value)
        sys.exit(0)
sys.exit("no vTPM %s" % uuid)
