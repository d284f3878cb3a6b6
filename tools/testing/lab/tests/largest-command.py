#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Play the engine of domain ARG 1 for one command of 4088 bytes."""
import struct
import subprocess
import sys

from vtpmdev import connect, open_controller, read_request, success, write_response

SIZE = 4088
controller = open_controller()
fd, ident = connect(controller, int(sys.argv[1]))
command = struct.pack(">HII", 0x8001, SIZE, 0x17B)
command += bytes((i * 7) % 251 for i in range(SIZE - 10))
guest = subprocess.Popen(
    ["guest", "g4", "perl", "/push/tests/rogue.pl", "1", "0", str(SIZE), command.hex()],
    stdout=subprocess.PIPE, text=True)
request = read_request(fd)
assert request.command == command, "the command has changed on its way"
response = success(SIZE)
write_response(fd, request.sequence, response)
answer = guest.communicate(timeout=30)[0]
assert answer == "2 %d %s\n" % (SIZE, response.hex()), "the response has changed"
print("%d and %d bytes, intact" % (SIZE, SIZE))
