# SPDX-License-Identifier: GPL-2.0-only
"""What both halves of xen-tpmrogue and their tests share: the xenstore, the control file, the
pages, and test points. tools/testing/rogue/README.md describes the module."""
import os
import struct
import sys
import time

IDLE, SUBMIT, FINISH, CANCEL = range(4)
(UNKNOWN, INITIALISING, INIT_WAIT, INITIALISED, CONNECTED, CLOSING, CLOSED) = range(7)

TRAILER = 8192 - 32
GETRANDOM = bytes.fromhex("80010000000c0000017b0008")
STARTUP = bytes.fromhex("80010000000c000001440000")

# Values that no node may have, for whoever reads it as a number.
WRONG_VALUES = {
    "empty": b"",
    "negative": b"-1",
    "2^32": b"4294967296",
    "2^32 - 1": b"4294967295",
    "20 digits": b"99999999999999999999",
    "text": b"a page, please",
    "format characters": b"%s%n%d",
    "binary": b"\xff\x80\x01\x00\x7f",
    "2000 digits": b"7" * 2000,
    "missing": None,
    "a directory": {},
}


class StoreError(OSError):
    pass


class Store:
    """The xenstore, as the kernel lets its own user space have it."""
    DIRECTORY, READ, WRITE, MKDIR, RM, ERROR = 1, 2, 11, 12, 13, 16

    def __init__(self):
        self.fd = os.open("/dev/xen/xenbus", os.O_RDWR)

    def _get(self, count):
        data = b""
        while len(data) < count:
            data += os.read(self.fd, count - len(data))
        return data

    def call(self, kind, path, data=b""):
        payload = path.encode() + b"\0" + data
        os.write(self.fd, struct.pack("=IIII", kind, 0, 0, len(payload)) + payload)
        kind, _, _, length = struct.unpack("=IIII", self._get(16))
        answer = self._get(length)
        if kind == self.ERROR:
            raise StoreError(path + ": " + answer.rstrip(b"\0").decode())
        return answer

    def read(self, path, default=None):
        try:
            return self.call(self.READ, path)
        except StoreError:
            return default

    def write(self, path, value):
        self.call(self.WRITE, path, value if isinstance(value, bytes) else str(value).encode())

    def remove(self, path):
        try:
            self.call(self.RM, path)
        except StoreError:
            pass

    def put(self, path, value):
        """A value; None for no node; a dictionary for a directory with something in it."""
        if value is None or isinstance(value, dict):
            self.remove(path)
        if isinstance(value, dict):
            self.write(path + "/inside", b"1")
        elif value is not None:
            self.write(path, value)

    def state(self, directory):
        try:
            return int(self.read(directory + "/state", b"0"))
        except ValueError:
            return UNKNOWN


class Timeout(Exception):
    pass


# The machine is emulated, and may be shared.
PATIENCE = 60


def await_true(condition, what, seconds=PATIENCE):
    """Bounded; returns what the condition returned. `what` may be a function that says it."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Timeout("%s: not within %g s" % (what() if callable(what) else what, seconds))
        time.sleep(0.01)


class Rogue:
    """The module."""
    CONTROL = "/sys/kernel/debug/xen_tpmrogue"

    def __init__(self):
        self.fd = os.open("/dev/vtpm-rogue", os.O_RDWR | os.O_NONBLOCK)

    def control(self, line):
        fd = os.open(self.CONTROL, os.O_WRONLY)
        try:
            os.write(fd, line.encode())
        finally:
            os.close(fd)

    def info(self):
        with open(self.CONTROL) as control:
            words = (word.split("=") for word in control.read().split())
            return {name: value if name == "side" else int(value) for name, value in words}

    def page(self):
        return os.read(self.fd, 8192)

    def page_state(self):
        return self.page()[4]

    def put(self, state, packet=b"", length=None, locality=0, pad=0, extra=0, between=b""):
        """Header, what lies between it and the packet, packet; then an event."""
        length = len(packet) if length is None else length
        os.write(self.fd, struct.pack("<IBBBB", length, state, locality, pad, extra) +
                 between + packet)

    def poke(self, offset, data):
        for start in range(0, len(data), 128):
            self.control("poke %d %s" % (offset + start, data[start:start + 128].hex()))

    def run(self, ms, every, *places):
        self.control(" ".join(["run %d %d" % (ms, every)] + list(places)))

    def await_end(self, seconds):
        await_true(lambda: not self.info()["running"], "the thread's end", seconds)
        return self.info()["rounds"]


def place(offset, *values):
    """For run(): bytes that take turns at an offset."""
    return ":".join(["%d" % offset] + [value.hex() for value in values])


def command(length, header=None):
    """GetRandom that says it has `header` bytes, in `length` of them."""
    header = length if header is None else header
    packet = struct.pack(">HII", 0x8001, header & 0xFFFFFFFF, 0x17B) + b"\0\x08"
    return packet[:length] + bytes(max(0, length - len(packet)))


class Points:
    """Test points, as lib.sh's points() wants them."""

    def __init__(self):
        self.failed = 0

    def result(self, good, name, detail=""):
        if good:
            print("ok", name)
        else:
            self.failed += 1
            print("not ok %s: %s" % (name, detail))
        sys.stdout.flush()

    def equal(self, name, got, wanted):
        self.result(got == wanted, name, "got %s, wanted %s" % (got, wanted))

    def note(self, text):
        print("#", text)
        sys.stdout.flush()

    def guard(self, name, function, *arguments):
        """A step that must not fail; its name is a point."""
        try:
            value = function(*arguments)
        except (Timeout, OSError) as error:
            self.result(False, name, repr(error))
            return None
        self.result(True, name)
        return value


def main(cases):
    """Run the case that the command line names, with its arguments."""
    points = Points()
    cases[sys.argv[1]](points, *sys.argv[2:])
    return 0 if not points.failed else 1
