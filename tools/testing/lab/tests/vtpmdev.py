# SPDX-License-Identifier: GPL-2.0-only
"""/dev/vtpm for tests: what include/uapi/xen/vtpm.h says, in Python."""
import collections
import errno
import fcntl
import os
import select
import struct
import time

ADDED, READY, GONE = 1, 2, 3
NATIVE, RAW = 0, 1
EVENT = struct.Struct("=IIQII16sIIQ16s16x")
ACCEPT = struct.Struct("=QIIIIII")
INFO = struct.Struct("=QII16sIIIIII5Q32x")
REQUEST = struct.Struct("=QIBBH")
RESPONSE = struct.Struct("=QII")
GET_ABI = 0x8004BC00
IOC_ACCEPT = 0x4020BC01
IOC_NEXT = 0xC080BC02

Event = collections.namedtuple(
    "Event", "type domid id handle features uuid resume capacity sequence session")
Request = collections.namedtuple("Request", "sequence locality kind command")


def open_controller(tries=100):
    """Open /dev/vtpm; the one who had it may take a moment to let go."""
    while True:
        try:
            return os.open("/dev/vtpm", os.O_RDWR | os.O_CLOEXEC)
        except OSError as error:
            tries -= 1
            if error.errno != errno.EBUSY or not tries:
                raise
        time.sleep(0.1)


def wait_for(fd, events, seconds=30):
    """Poll until one of the events is there; return what is."""
    poll = select.poll()
    poll.register(fd, events)
    ready = poll.poll(seconds * 1000)
    if not ready:
        raise TimeoutError("nothing happens on descriptor %d" % fd)
    return ready[0][1]


def read_event(controller, seconds=30):
    wait_for(controller, select.POLLIN, seconds)
    return Event._make(EVENT.unpack(os.read(controller, EVENT.size)))


def accept(controller, ident, mode=NATIVE, features=0, localities=1,
           reserved=(0, 0, 0)):
    policy = bytearray(ACCEPT.pack(ident, mode, features, localities, *reserved))
    return fcntl.ioctl(controller, IOC_ACCEPT, policy, True)


def connect(controller, domid, **policy):
    """Accept the first connection of a domain; return (descriptor, id)."""
    while True:
        event = read_event(controller)
        if event.type == ADDED and event.domid == domid:
            return accept(controller, event.id, **policy), event.id


def read_request(fd, seconds=30):
    wait_for(fd, select.POLLIN, seconds)
    data = os.read(fd, 8192)
    sequence, length, locality, kind, _ = REQUEST.unpack(data[:REQUEST.size])
    command = data[REQUEST.size:]
    assert length == len(command)
    return Request(sequence, locality, kind, command)


def write_response(fd, sequence, response, length=None, reserved=0):
    length = len(response) if length is None else length
    return os.write(fd, RESPONSE.pack(sequence, length, reserved) + response)


def success(size=10):
    """A TPM 2.0 response of 10 to 4106 bytes that says that all went well."""
    return (struct.pack(">HII", 0x8001, size, 0) + bytes(range(256)) * 16)[:size]
