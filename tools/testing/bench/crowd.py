# SPDX-License-Identifier: GPL-2.0-only
"""Many vTPMs of one guest, attached all at once. The guest, its frontends, the backend, vtpmd and the
engines are the real ones; only xl is not: what it would write into the xenstore, over half a second
for each device, is written here in one go. xenstored lets a guest have 128 watches and 1000 nodes,
unless it was told otherwise, of which each device needs one and eight or nine."""
import sys

from hosts import TESTS

sys.path.insert(0, TESTS)
from rogue import CONNECTED, INITIALISING, Store    # noqa: E402 (the path comes first)

FIRST_HANDLE = 1000                 # beyond any that xl gives


class Permissions(Store):
    SET_PERMS = 14

    def permit(self, path, owner, reader):
        self.call(self.SET_PERMS, path, b"n%d\0r%d\0" % (owner, reader))


class Crowd:
    """Of @count vTPMs for the guest with this domid. They are new, and have the default policy."""

    def __init__(self, lab, name, count):
        self.lab, self.name, self.count = lab, name, count
        self.domid = lab.domid(name)
        self.store = Permissions()

    def paths(self, number):
        """(frontend's directory, backend's)"""
        handle = FIRST_HANDLE + number
        return ("/local/domain/%d/device/vtpm/%d" % (self.domid, handle),
                "/local/domain/0/backend/vtpm/%d/%d" % (self.domid, handle))

    def add(self, number):
        """The states come last: they are what both drivers wait for."""
        front, back = self.paths(number)
        handle = FIRST_HANDLE + number
        nodes = {
            back: {"frontend": front, "frontend-id": self.domid, "online": 1, "handle": handle,
                   "uuid": "00000000-0000-4000-8000-0000000c%04d" % number, "resume": "False"},
            front: {"backend": back, "backend-id": 0, "handle": handle},
        }
        for path, values in nodes.items():
            self.store.write(path, "")
            self.store.permit(path, *((0, self.domid) if path == back else (self.domid, 0)))
            for name, value in values.items():
                self.store.write(path + "/" + name, value)
        for path in nodes:
            self.store.write(path + "/state", INITIALISING)

    def connected(self):
        return sum(self.store.state(self.paths(number)[1]) == CONNECTED
                   for number in range(self.count))

    def attach(self, seconds):
        """Until each of them is a TPM of the guest's."""
        for number in range(self.count):
            self.add(number)
        self.lab.await_true("%d vTPMs are connected" % self.count,
                            lambda: self.connected() == self.count, seconds)
        self.lab.await_true("%s has %d more TPMs" % (self.name, self.count), self.registered,
                            seconds)

    def registered(self):
        """The guest's TPM core makes the device when the TPM has answered its first commands."""
        count = self.lab.ssh(self.name, "ls -d /sys/bus/xen/devices/vtpm-1???/tpm/tpm* | wc -l")
        return int(count) == self.count
