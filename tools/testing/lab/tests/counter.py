#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Print one member of one vTPM of `vtpmctl list --json`, given on stdin: its
own, or else those of its connections (numbers are added up). "outstanding" is
the number of commands that wait for a response."""
import json
import sys

uuid, name = sys.argv[1:]
for vtpm in json.load(sys.stdin)["vtpms"]:
    if vtpm["uuid"] == uuid:
        for o in vtpm["connections"]:
            o["outstanding"] = o["commands"] - o["responses"] - o["failed"]
        if name in vtpm:
            print(vtpm[name])
            sys.exit(0)
        values = [o[name] for o in vtpm["connections"] if name in o]
        if not values:
            sys.exit("vTPM %s has no '%s'" % (uuid, name))
        print(sum(values) if isinstance(values[0], int) else " ".join(values))
        sys.exit(0)
sys.exit("no vTPM %s" % uuid)
