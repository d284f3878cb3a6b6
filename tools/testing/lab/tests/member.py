#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Print one member of the JSON object on stdin; of those in it too, with dots."""
import json
import sys

text = sys.stdin.read()
try:
    value = json.loads(text)
    for name in sys.argv[1].split("."):
        value = value[name]
except (ValueError, KeyError, TypeError):
    value = "no '%s' in: %s" % (sys.argv[1], text.strip()[:200])
print(value)
