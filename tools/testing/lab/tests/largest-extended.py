#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Take the place of domain ARG 1's engine, guest g1, for one command of 4096 bytes."""
import struct
import subprocess
import sys

from vtpmdev import connect, open_controller, read_request, success, write_response

SIZE = 4096
BEGIN = 3
EXTENSION = 3
controller = open_controller()
fd, ident = connect(controller, int(sys.argv[1]), features=EXTENSION)
begin = read_request(fd)
assert begin.kind == BEGIN, "something else came before BEGIN"
features, resume, sequence, _, session = struct.unpack("=IIQQ16s", begin.command)
assert (features, resume) == (EXTENSION, 1), "the frontend does not use the extension"
write_response(fd, begin.sequence, struct.pack("=IIQQ16s", features, resume, sequence, 0, session))

command = struct.pack(">HII", 0x8001, SIZE, 0x17B)
command += bytes((i * 7) % 251 for i in range(SIZE - 10))
guest = subprocess.Popen(["guest", "g1", "perl", "/push/tests/send.pl", command.hex()],
                         stdout=subprocess.PIPE, text=True)
request = read_request(fd)
# The kernel of the guest may ask for random numbers in between.
while len(request.command) < SIZE:
    write_response(fd, request.sequence, success())
    request = read_request(fd)
assert request.command == command, "the command has changed on its way"
assert request.sequence > sequence, "its sequence does not rise"
response = success(SIZE)
write_response(fd, request.sequence, response)
answer = guest.communicate(timeout=30)[0]
assert answer == response.hex() + "\n", "the response has changed"
print("%d and %d bytes, intact" % (SIZE, SIZE))
