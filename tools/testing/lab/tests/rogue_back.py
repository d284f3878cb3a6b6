# SPDX-License-Identifier: GPL-2.0-only
"""rogue_back.py CASE GUEST DOMID [ARGUMENT]...: runs in dom0 with xen-tpmrogue as the backend, and
attacks the frontend of a guest with a TPM 2.0. Prints test points.

The guest had a TPM before, and its driver is told to be impatient: LIMIT is what any command
may take then, with what the emulated machine adds."""
import os
import random
import struct
import subprocess
import sys
import threading
import time

from rogue import (CANCEL, CLOSED, CLOSING, CONNECTED, FINISH, IDLE, INIT_WAIT, INITIALISED,
                   INITIALISING, SUBMIT, TRAILER, WRONG_VALUES, Rogue, Store, await_true, main,
                   place)

# PCR_Read(16)
READ = bytes.fromhex("8001000000140000017e00000001000b03000001")
LENGTHS = (0, 1, 9, 10, 11, 4087, 4088, 4089, 4096, 4097, 1 << 31, (1 << 32) - 1)
CAPACITY = 4096
# After events without a cause the guest's kernel looks once a second, so that a response
# can take as long.
COMMAND_MS, CANCEL_MS, CONNECT_MS = 1000, 2000, 3000
LIMIT = (COMMAND_MS + CANCEL_MS + CONNECT_MS) / 1000 + 30
BACK_DRIVERS = "/sys/bus/xen-backend/drivers/"


def response(length, header=None, fill=b"\x5a", code=0):
    header = length if header is None else header
    start = struct.pack(">HII", 0x8001, header & 0xFFFFFFFF, code)
    return start[:length] + fill * max(0, min(length, CAPACITY) - len(start))


class User:
    """Of /dev/tpm0 in the guest."""

    def __init__(self, guest):
        self.process = subprocess.Popen(["guest", guest, "python3 /push/tests/tpm_user.py"],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def start(self, command=READ):
        self.process.stdin.write(command.hex() + "\n")
        self.process.stdin.flush()

    def result(self):
        """Seconds, and the response or an error's name."""
        us, answer = self.process.stdout.readline().split()
        return int(us) / 1e6, answer if answer[0] == "E" else bytes.fromhex(answer)


class Backend:
    def __init__(self, guest, domid):
        self.guest, self.domid = guest, int(domid)
        self.dir = "/local/domain/0/backend/vtpm/%s/0" % domid
        self.front = "/local/domain/%s/device/vtpm/0" % domid
        self.device = "vtpm-%s-0" % domid
        self.store = Store()
        self.rogue = None
        self.user = User(guest)

    def run(self, command):
        return subprocess.run(["guest", self.guest, command], check=False, timeout=120,
                              stdout=subprocess.PIPE, text=True).stdout

    def driver(self, name, what):
        with open(BACK_DRIVERS + name + "/" + what, "w") as file:
            file.write(self.device)

    def state(self, state):
        self.store.write(self.dir + "/state", state)

    def front_state(self):
        return self.store.state(self.front)

    def await_front(self, *states):
        return await_true(lambda: next((state for state in [self.front_state()]
                                        if state in states), 0),
                          lambda: "a frontend in %s, it is in %d" % (states, self.front_state()))

    def take(self):
        with open("/sys/module/xen_tpmrogue/parameters/take", "w") as file:
            file.write("%d" % self.domid)
        await_true(lambda: os.path.exists(BACK_DRIVERS + "xen-tpmrogue"), "the driver")
        self.driver("xen-tpmback", "unbind")
        self.driver("xen-tpmrogue", "bind")
        self.await_front(CLOSED)
        for name, value in (("command", COMMAND_MS), ("cancel", CANCEL_MS),
                            ("connect", CONNECT_MS)):
            self.patience(name, value)

    def patience(self, name, ms):
        self.run("echo %d >/sys/module/xen_tpmfront/parameters/%s_timeout_ms" % (ms, name))

    def attach(self):
        """Once the module has the device."""
        self.rogue = Rogue()

    def give_back(self):
        self.close()
        self.driver("xen-tpmrogue", "unbind")
        self.driver("xen-tpmback", "bind")
        self.await_front(CONNECTED)

    def close(self):
        """A frontend that has not begun yet has nothing to close."""
        self.state(CLOSED)
        self.await_front(CLOSED, INITIALISING)
        self.rogue.control("unmap")

    def start(self, **nodes):
        """From anywhere to the frontend's Initialised."""
        self.close()
        good = {"feature-protocol-v2": b"1", "feature-exactly-once": b"1",
                "max-extra-pages": b"1"}
        for name, value in good.items():
            self.store.remove(self.dir + "/" + name)
            self.store.put(self.dir + "/" + name, nodes.get(name.replace("-", "_"), value))
        self.state(INIT_WAIT)
        self.await_front(INITIALISED)

    def map(self):
        gref, port = (int(self.store.read(self.front + "/" + name))
                      for name in ("ring-ref", "event-channel"))
        self.rogue.control("map %d %d" % (port, gref))
        gref2 = struct.unpack("<I", self.rogue.page()[8:12])[0]
        self.rogue.control("map %d %d %d" % (port, gref, gref2))

    def connect(self):
        self.start()
        self.map()
        self.state(CONNECTED)
        self.await_front(CONNECTED)

    def users_command(self):
        """The page if it holds the user's command. The guest's kernel wants random numbers
        now and then, for itself: it gets an error."""
        page = self.rogue.page()
        if page[4] not in (SUBMIT, CANCEL):
            return None
        if page[18:22] == READ[6:10]:
            return page if page[4] == SUBMIT else None
        self.put(response(10, code=0x101))
        return None

    def next_command(self):
        return await_true(self.users_command, "a command in the page")

    def put(self, packet, state=FINISH, **header):
        """In answer to what is in the page; the reference of the second page stays."""
        gref2 = self.rogue.page()[8:12]
        header.setdefault("extra", 1)
        self.rogue.put(state, packet, between=gref2, **header)

    def exchange(self, packet, **header):
        """The user sends a command and gets this; returns what the user has seen."""
        self.user.start()
        self.next_command()
        self.put(packet, **header)
        return self.user.result()

    def works(self):
        packet = response(10, 42) + os.urandom(32)
        return self.exchange(packet)[1] == packet


def ready(guest, domid):
    backend = Backend(guest, domid)
    backend.attach()
    backend.connect()
    return backend


def refused(answer):
    """The user got an error, not bytes."""
    return isinstance(answer, str)


def bounded(points, name, seconds):
    points.result(seconds < LIMIT, "%s: in bounded time" % name, "%.1f s" % seconds)


def take(points, guest, domid):
    backend = Backend(guest, domid)
    points.guard("the rogue backend takes the device", backend.take)
    backend.attach()
    points.guard("the frontend follows", backend.connect)
    points.result(backend.works(), "its users get what this backend says")


def give(points, guest, domid):
    backend = Backend(guest, domid)
    backend.attach()
    points.guard("the real backend is given the device again", backend.give_back)


def lengths(points, guest, domid):
    """F15, F13: what users get has the length that it says, or is an error."""
    backend = ready(guest, domid)
    for length in LENGTHS:
        for header in dict.fromkeys((length, length + 1, 0)):
            packet = response(min(length, CAPACITY), header)
            seconds, got = backend.exchange(packet, length=length)
            clamped = min(length, CAPACITY)
            good = clamped >= 10 and header == clamped
            points.result(got == packet if good else refused(got),
                          "length %d, %d in the header: %s" % (
                              length, header, "passed on" if good else "an error"), got)
            if seconds > LIMIT:
                bounded(points, "length %d" % length, seconds)
    packet = response(CAPACITY)
    points.result(backend.exchange(packet, length=1 << 31)[1] == packet,
                  "length 2^31, capacity in the header: clamped")
    for extra in (0, 2, 255):
        points.result(backend.exchange(response(30), extra=extra, locality=255, pad=255)[1] ==
                      response(30), "%d extra pages in the page move nothing" % extra)
    points.result(backend.works(), "then a good response is passed on")


def states(points, guest, domid):
    """F15: states that do not exist, or mean nothing here."""
    backend = ready(guest, domid)
    seconds, got = backend.exchange(b"", state=IDLE)
    points.equal("IDLE nobody asked for", got, "ECANCELED")
    for state in (SUBMIT, CANCEL, 4, 255):
        seconds, got = backend.exchange(response(30), state=state)
        points.equal("state %d is no answer" % state, got, "ETIME")
        bounded(points, "state %d" % state, seconds)
        backend.put(response(40))
        points.result(backend.works(), "state %d: the next command has its own response" % state)
    complaint = backend.run("dmesg | grep -c 'state [0-9]*, which does not exist'").strip()
    points.equal("one log line for all of them", complaint, "1")


def unasked(points, guest, domid):
    """Answers without a command, two to one, and after the end."""
    backend = ready(guest, domid)
    for state in (FINISH, IDLE, SUBMIT, CANCEL, 77):
        backend.put(response(30), state=state)
        backend.rogue.control("notify 100")
        points.result(backend.works(), "state %d without a command is ignored" % state)
    for _ in range(5):
        backend.exchange(response(30))
        backend.put(response(40))
        backend.put(b"", state=IDLE)
    points.result(backend.works(), "second answers are ignored")
    page = backend.rogue.page()
    points.equal("F12: the packet is wiped when it was taken", page[12:12 + CAPACITY],
                 bytes(CAPACITY))
    points.equal("F12: nothing else is in the pages", page[12 + CAPACITY:TRAILER],
                 bytes(TRAILER - 12 - CAPACITY))


def late(points, guest, domid):
    """F10: no answer, then one after the end."""
    backend = ready(guest, domid)
    backend.user.start()
    backend.next_command()
    seconds, got = backend.user.result()
    points.equal("no answer: the user gets an error", got, "ETIME")
    bounded(points, "no answer", seconds)
    points.equal("no answer: CANCEL was asked for", backend.rogue.page_state(), CANCEL)
    backend.user.start()
    seconds, got = backend.user.result()
    points.equal("the next command finds the page taken", got, "ETIME")
    bounded(points, "page taken", seconds)
    backend.put(response(40))
    points.result(backend.works(), "a late answer goes to nobody")
    backend.user.start()
    backend.next_command()
    await_true(lambda: backend.rogue.page_state() == CANCEL, "CANCEL")
    backend.put(response(50))
    seconds, got = backend.user.result()
    points.equal("an answer to CANCEL still counts", got, response(50))


# What takes turns in the page while the frontend takes a response.
FLIPS = {
    "length": (place(0, struct.pack("<I", 30), b"\xff\xff\xff\xff"),),
    "length around a header": (place(0, struct.pack("<I", 30), struct.pack("<I", 9)),),
    "length in the TPM's header": (place(14, struct.pack(">I", 30), b"\xff\xff\xff\xff"),),
    "payload": (place(12, bytes(30), b"\xff" * 30),),
    "state": (place(4, b"\2", b"\0"),),
    "states that do not exist": (place(4, b"\2", b"\x55"),),
    "reference of the second page": (place(7, b"\xff" * 5, bytes(5)),),
    "sequence and answer": (place(TRAILER, bytes(8), b"\xff" * 8),
                            place(TRAILER + 28, b"\1\0\0\0", b"\xff" * 4)),
}


def consistent(answer):
    return refused(answer) or (10 <= len(answer) <= CAPACITY and
                               struct.unpack(">I", answer[2:6])[0] == len(answer))


def flip(points, guest, domid, count=20):
    """F1: bytes change while the frontend reads them."""
    backend = ready(guest, domid)
    for name, places in FLIPS.items():
        worst, wrong, good = 0, None, 0
        for _ in range(int(count)):
            backend.user.start()
            backend.next_command()
            backend.rogue.run(200, 8, *places)
            backend.put(response(30))
            seconds, got = backend.user.result()
            backend.rogue.control("stop")
            backend.put(response(30))
            worst, good = max(worst, seconds), good + (not refused(got))
            if not consistent(got):
                wrong = got
        points.result(wrong is None, "%s: what users get has the length that it says" % name,
                      wrong)
        bounded(points, name, worst)
        points.note("%s: %d of %s commands got a response" % (name, good, count))
        backend.connect()
        points.result(backend.works(), "%s: then all is well" % name)


def storm(points, guest, domid, ms=3000):
    """F9: events as fast as they can be made."""
    backend = ready(guest, domid)
    backend.patience("command", 10000)
    ms = int(ms)
    for name, places in (("without cause", ()),
                         ("FINISH nobody asked for", (place(4, b"\2"),)),
                         ("states", (place(4, b"\0", b"\xff"),))):
        start = time.monotonic()
        backend.rogue.run(ms, 1, *places)
        points.equal("storm %s: the guest's disk and network go on" % name,
                     backend.run("cat /push/tests/tpm_user.py | wc -l && sync && echo fine")
                     .splitlines()[-1:], ["fine"])
        seconds = time.monotonic() - start
        rounds = backend.rogue.await_end(ms / 1000 + 30)
        points.note("report: storm %s: %d events in %d ms; a command in the guest took %.2f s" % (
            name, rounds, ms, seconds))
        points.result(seconds < 30, "storm %s: in bounded time" % name, "%.1f s" % seconds)
        points.result(backend.works(), "storm %s: then commands are answered" % name)
    backend.rogue.run(ms, 1)
    points.result(backend.works(), "storm without cause: commands are answered meanwhile")
    backend.rogue.await_end(ms / 1000 + 30)
    backend.patience("command", COMMAND_MS)


def values(points, guest, domid):
    """Nodes of every wrong kind: the frontend decides, and goes on later."""
    backend = ready(guest, domid)
    for node in ("feature-protocol-v2", "feature-exactly-once", "max-extra-pages"):
        for kind, value in WRONG_VALUES.items():
            backend.start(**{node.replace("-", "_"): value})
            backend.map()
            backend.state(CONNECTED)
            decided = backend.await_front(CONNECTED, CLOSING, CLOSED)
            if node == "max-extra-pages":
                points.equal("%s: %s: not read" % (node, kind), decided, CONNECTED)
            elif kind in ("2^32 - 1", "20 digits", "2000 digits", "2^32"):
                points.note("%s: %s: state %d" % (node, kind, decided))
            else:
                points.result(decided != CONNECTED, "%s: %s: refused" % (node, kind), decided)
    for kind, value in WRONG_VALUES.items():
        backend.connect()
        backend.store.put(backend.dir + "/state", value)
        points.guard("state: %s: it can start anew" % kind, backend.connect)
    points.result(backend.works(), "in the end: commands are answered")


def walk(points, guest, domid, count, seed):
    """States in random order, with pages mapped and not."""
    backend = ready(guest, domid)
    dice = random.Random(int(seed))
    for _ in range(int(count)):
        if dice.randrange(8) == 0:
            try:
                backend.map()
            except (OSError, TypeError, ValueError):
                pass
        elif dice.randrange(8) == 0:
            backend.rogue.control("unmap")
        backend.state(dice.choice((1, 2, 2, 2, 3, 4, 4, 4, 5, 6, 6, 7, 8, 9, 255, -1)))
    points.result(True, "%s random states, seed %s" % (count, seed))
    points.guard("then it can start anew", backend.connect)
    points.result(backend.works(), "and commands are answered")


def frontend_goes(backend, name):
    """Its module is unloaded, and loaded again; how long the first takes."""
    start = time.monotonic()
    backend.run("cd /sys/bus/xen/drivers/xen-tpmfront && echo vtpm-0 >unbind; "
                "modprobe -r xen-tpmfront")
    seconds = time.monotonic() - start
    return seconds, backend.run("test -e /sys/module/xen_tpmfront || echo gone").strip()


def kept(points, guest, domid):
    """F11, F12: the pages stay mapped here while the frontend goes, and are written on."""
    backend = ready(guest, domid)
    backend.works()
    backend.user.start()
    backend.next_command()
    seconds, gone = frontend_goes(backend, guest)
    points.equal("a command under way, pages kept: the frontend unloads", gone, "gone")
    bounded(points, "unloading", seconds)
    backend.user.result()
    page = backend.rogue.page()
    backend.rogue.run(2000, 1, place(0, b"\xff" * 12, bytes(12)),
                      place(4096, b"\xa5" * 64, b"\x5a" * 64))
    backend.run("dd if=/dev/urandom of=/tmp/fill bs=1M count=40 2>/dev/null; "
                "sha256sum </tmp/fill >/tmp/sum; cat /tmp/fill | sha256sum | cmp - /tmp/sum")
    backend.rogue.await_end(30)
    after = backend.rogue.page()
    points.equal("the kept pages are not used for anything else", after[128:4096], page[128:4096])
    points.equal("and the guest's memory is not written",
                 backend.run("sha256sum </tmp/fill | cmp - /tmp/sum && echo same; rm /tmp/fill")
                 .strip(), "same")
    backend.rogue.control("unmap")
    backend.state(CLOSED)
    backend.run("modprobe xen-tpmfront command_timeout_ms=%d cancel_timeout_ms=%d "
                "connect_timeout_ms=%d" % (COMMAND_MS, CANCEL_MS, CONNECT_MS))


def hoard(points, guest, domid, count=40):
    """The pages of many links stay mapped here, one after the other; how much the guest misses."""
    backend = ready(guest, domid)
    points.result(backend.works(), "before pages are hoarded: commands are answered")
    free = "echo 3 >/proc/sys/vm/drop_caches; awk '/^MemFree:/ { print $2 }' /proc/meminfo"
    before = int(backend.run(free))
    for _ in range(int(count)):
        backend.rogue.control("keep")
        backend.connect()
    points.equal("%s links hoarded" % count, backend.rogue.info()["kept"], int(count))
    points.result(backend.works(), "with them: commands are answered")
    points.note("report: %s links whose pages are kept: the guest has %d kB less" % (
        count, before - int(backend.run(free))))
    leave(backend)
    back_again(backend)
    points.result(backend.works(), "when they are given back: commands are answered")


def leave(backend):
    """Go away as a crash does: without a word."""
    backend.driver("xen-tpmrogue", "unbind")


def back_again(backend):
    backend.driver("xen-tpmrogue", "bind")
    backend.connect()


def disappear(points, guest, domid):
    """The backend goes away at each step; users of the TPM have an error in bounded time."""
    backend = ready(guest, domid)

    def stopped_at(name, steps, command=False):
        backend.close()
        for step in steps:
            step()
        if command:
            backend.user.start()
            backend.next_command()
        leave(backend)
        if not command:
            backend.user.start()
        seconds, got = backend.user.result()
        points.result(refused(got), "gone %s: a command fails" % name, got)
        bounded(points, "gone " + name, seconds)
        points.guard("gone %s: and back again" % name, back_again, backend)
        # With the extension it may have been handed in again.
        if backend.rogue.page_state() == SUBMIT:
            backend.put(response(30))
        points.result(backend.works(), "gone %s: then commands are answered" % name)

    def state(number):
        return lambda: backend.state(number)

    stopped_at("when Closed", ())
    stopped_at("in InitWait", (state(INIT_WAIT), lambda: backend.await_front(INITIALISED)))
    stopped_at("with the pages mapped", (backend.start, backend.map))
    stopped_at("when Connected", (backend.connect,))
    stopped_at("with a command under way", (backend.connect,), command=True)
    stopped_at("with the page changing", (backend.connect, lambda: backend.rogue.run(
        60000, 1, place(0, b"\xff" * 8, bytes(8)))), command=False)


class Answerer(threading.Thread):
    """Answers each command that appears, by what it is; until it is told to stop."""

    def __init__(self, backend, answer):
        super().__init__(daemon=True)
        self.backend, self.answer, self.stopped, self.seen = backend, answer, False, 0

    def end(self):
        self.stopped = True
        self.join()

    def run(self):
        while not self.stopped:
            try:
                page = self.backend.rogue.page()
                if page[4] not in (SUBMIT, CANCEL):
                    time.sleep(0.005)
                    continue
                self.seen += 1
                packet = self.answer(page[12:12 + struct.unpack("<I", page[:4])[0]])
                if packet is None:
                    time.sleep(0.05)
                else:
                    self.backend.put(packet)
            except OSError:
                time.sleep(0.01)


def tpm_says(properties=1, commands=1, pcrs=b""):
    """A TPM 2.0 that starts; what it says of itself can be anything."""
    def wrap(body):
        return struct.pack(">HII", 0x8001, 10 + len(body), 0) + body

    def answer(command):
        ordinal = struct.unpack(">I", command[6:10])[0]
        if ordinal != 0x17A:
            return wrap(b"\0" * 40) if ordinal == 0x17B else wrap(b"")
        capability, which = struct.unpack(">II", command[10:18])
        if capability == 6:
            return wrap(struct.pack(">BIIII", 0, 6, 1, which, properties))
        if capability == 2:
            return wrap(struct.pack(">BII", 0, 2, commands) + b"\0\0\1\x7a" * 100)
        return wrap(struct.pack(">BI", 0, 5) + pcrs)
    return answer


def tpm12_says(duration):
    """A TPM 1.2 whose commands last this long, in microseconds."""
    def wrap(body):
        return struct.pack(">HII", 0x00C4, 10 + len(body), 0) + body

    def answer(command):
        ordinal = struct.unpack(">I", command[6:10])[0]
        if ordinal == 0x15:
            return wrap(bytes(20))
        if ordinal != 0x65:
            return wrap(b"")
        which = struct.unpack(">I", command[18:22])[0] if len(command) >= 22 else 0
        if which == 0x120:
            return wrap(struct.pack(">IIII", 12, duration, duration, duration))
        if which == 0x115:
            return wrap(struct.pack(">IIIII", 16, 750000, 2000000, 750000, 750000))
        return wrap(struct.pack(">I", 4) + bytes(4))
    return answer


REGISTRATIONS = {
    "no answers": lambda command: None,
    "errors": lambda command: response(10, code=0x101),
    "headers only": lambda command: response(10),
    "zeroes": lambda command: bytes(10),
    "4096 bytes each": lambda command: response(4096, fill=b"\xff"),
    "2^32 - 1 commands": tpm_says(properties=0xFFFFFFFF),
    "ten thousand commands": tpm_says(properties=10000, commands=10000),
    "more commands than bytes": tpm_says(properties=1000, commands=1000),
    "try again": lambda command: response(10, code=0x922),
    "2^32 - 1 banks": tpm_says(pcrs=b"\xff\xff\xff\xff"),
    "8 banks, cut off": tpm_says(pcrs=b"\0\0\0\x08\0\x0b\x03\xff\xff\xff"),
}


def begin_anew(backend, answer):
    """The frontend is loaded and meets this TPM; returns its thread."""
    frontend_goes(backend, backend.guest)
    backend.state(CLOSED)
    backend.rogue.control("unmap")
    backend.run("echo rogue: anew >/dev/kmsg; modprobe xen-tpmfront command_timeout_ms=500 cancel_timeout_ms=500 "
                "connect_timeout_ms=%d" % CONNECT_MS)
    backend.await_front(INITIALISING, CLOSED)
    backend.state(INIT_WAIT)
    backend.await_front(INITIALISED)
    backend.map()
    answerer = Answerer(backend, answer)
    answerer.start()
    backend.state(CONNECTED)
    backend.await_front(CONNECTED)
    return answerer


def verdict(backend):
    """Whether the chip is there, or a message that says why not."""
    return backend.run("if test -e /dev/tpm0; then echo chip; elif dmesg | awk "
                       "'/rogue: anew/ { n = 0 } /the TPM does not answer/ { n = 1 } "
                       "END { exit !n }'; then echo none; fi").strip()


def register(points, guest, domid):
    """F18: the chip is registered with whatever this TPM says of itself, or is not; and the
    module goes away in bounded time."""
    backend = ready(guest, domid)
    for name, answer in REGISTRATIONS.items():
        answerer = begin_anew(backend, answer)
        decided = points.guard("registering, %s: decided" % name, await_true,
                               lambda: verdict(backend), "a chip or a message")
        points.note("registering, %s: %s" % (name, decided))
        seconds, gone = frontend_goes(backend, guest)
        answerer.end()
        points.equal("registering, %s: the module goes" % name, gone, "gone")
        bounded(points, "registering, " + name, seconds)
    durations(points, backend)
    backend.state(CLOSED)
    backend.rogue.control("unmap")
    backend.run("modprobe xen-tpmfront")


def durations(points, backend):
    """F10: what a TPM says of its durations does not make users wait for hours."""
    answerer = begin_anew(backend, tpm12_says(0xFFFFFFFF))
    points.guard("a TPM 1.2 with durations of an hour: decided", await_true,
                 lambda: verdict(backend) == "chip", "a chip")
    answerer.end()
    backend.run("(perl /push/tests/send.pl 00c10000000e0000001500000010 2>&1; echo done) "
                ">/tmp/hour </dev/null & sleep 0.1")
    points.guard("a TPM 1.2 with durations of an hour: no answer is an error all the same", await_true,
                 lambda: backend.run("grep done /tmp/hour"), "an error")
    seconds, gone = frontend_goes(backend, backend.guest)
    points.equal("a TPM 1.2 with durations of an hour: the module goes", gone, "gone")
    bounded(points, "a TPM 1.2 with durations of an hour", seconds)


def silent(points, guest, domid):
    """Connected, and says nothing any more: for what the toolstack does next."""
    points.guard("connected", ready, guest, domid)


def good(points, guest, domid):
    """The connection that is there works."""
    backend = Backend(guest, domid)
    backend.attach()
    points.result(backend.works(), "commands are answered")


sys.exit(main({function.__name__: function for function in (
    take, give, lengths, states, unasked, late, flip, storm, values, walk, kept, hoard, disappear,
    register, silent, good)}))
