#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Print one member of the JSON object on stdin; of those in it too, with dots."""
import json
import sys

value = json.load(sys.stdin)
for name in sys.argv[1].split("."):
    value = value[name]
print(value)
