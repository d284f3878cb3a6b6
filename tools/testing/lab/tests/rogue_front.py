# SPDX-License-Identifier: GPL-2.0-only
"""rogue_front.py CASE [ARGUMENT]...: runs in a guest whose frontend is xen-tpmrogue with manual=1,
and attacks the backend. Prints test points."""
import random
import struct
import sys
import time

from rogue import (CANCEL, CLOSED, CLOSING, CONNECTED, FINISH, GETRANDOM, IDLE, INIT_WAIT,
                   INITIALISED, INITIALISING, STARTUP, SUBMIT, TRAILER, WRONG_VALUES, Rogue,
                   Store, StoreError, await_true, command, main, place)

FRONT = "device/vtpm/0"
LENGTHS = (0, 1, 9, 10, 11, 4087, 4088, 4089, 4096, 4097, 1 << 31, (1 << 32) - 1)
SIZE_ERROR = (0x142, 0x19)
LOCALITY_ERROR = 0x907


class Frontend:
    def __init__(self):
        self.rogue = Rogue()
        self.store = Store()
        self.back = self.store.call(Store.READ, FRONT + "/backend").decode()
        self.extra = 0

    def back_state(self):
        return self.store.state(self.back)

    def state(self, state):
        self.store.write(FRONT + "/state", state)

    def await_back(self, *states):
        return await_true(lambda: next((state for state in [self.back_state()]
                                        if state in states), 0),
                          lambda: "a backend in %s, it is in %d" % (states, self.back_state()))

    def start(self):
        """From anywhere to the backend's InitWait."""
        self.state(CLOSED)
        self.await_back(CLOSED)
        self.rogue.control("down")
        self.state(INITIALISING)
        self.await_back(INIT_WAIT)

    def present(self, pages=1, nr_extra=None, **nodes):
        """Grant pages and write nodes, which may be any; Initialised."""
        self.extra = pages - 1
        self.rogue.control("up %d" % pages)
        info = self.rogue.info()
        extra = self.extra if nr_extra is None else nr_extra
        self.rogue.poke(4, struct.pack("<BBBB", 0, 0, 0, extra))
        if pages > 1:
            self.rogue.poke(8, struct.pack("<I", info["gref2"]))
        self.write_nodes(info, nodes)
        self.state(INITIALISED)

    def write_nodes(self, info, nodes):
        good = {"ring-ref": info["gref"], "event-channel": info["port"],
                "feature-protocol-v2": 1, "request-exactly-once": self.extra}
        for name, value in good.items():
            self.store.remove(FRONT + "/" + name)
            self.store.put(FRONT + "/" + name, nodes.get(name.replace("-", "_"), value))

    def connect(self, pages=1):
        self.start()
        self.present(pages)
        self.await_back(CONNECTED)
        self.state(CONNECTED)

    def decided(self):
        """Whether the backend lets this frontend in."""
        state = self.await_back(CONNECTED, CLOSING, CLOSED)
        return state == CONNECTED

    def hand_in(self, packet, **header):
        """Without waiting; the packet is where the extra page puts it."""
        between = struct.pack("<I", self.rogue.info()["gref2"]) * self.extra
        header.setdefault("extra", self.extra)
        self.rogue.put(packet=packet, between=between, **header)

    def answer(self):
        """Of the page: state, length and packet."""
        await_true(lambda: self.rogue.page_state() in (IDLE, FINISH), "an answer")
        page = self.rogue.page()
        length = struct.unpack("<I", page[:4])[0]
        start = 8 + 4 * self.extra
        return page[4], length, page[start:start + length]

    def ask(self, packet, **header):
        """The return code; or what is wrong with the answer."""
        self.hand_in(packet, state=SUBMIT, **header)
        state, length, response = self.answer()
        if state != FINISH or length < 10:
            return "state %d, %d bytes" % (state, length)
        if struct.unpack(">I", response[2:6])[0] != length or len(response) != length:
            return "%d bytes whose header says something else" % length
        return struct.unpack(">I", response[6:10])[0]

    def stays(self, state):
        """Nobody changes the page. That nothing happens cannot be waited for."""
        end = time.monotonic() + 0.5
        while time.monotonic() < end:
            if self.rogue.page_state() != state:
                return False
        return True

    def works(self):
        self.ask(STARTUP)
        return self.ask(GETRANDOM) == 0


def connected(points, pages):
    front = Frontend()
    points.guard("%d pages: connected" % pages, front.connect, pages)
    points.result(front.works(), "%d pages: served" % pages)
    return front


def lengths(points, front, capacity):
    """Only what is well-formed goes on; how many did is printed for dom0 to compare."""
    forwarded = 0
    for length in LENGTHS:
        for header in dict.fromkeys((length, length + 1, 0)):
            packet = command(min(length, capacity), header)
            good = 10 <= length <= capacity and header == length
            code = front.ask(packet, length=length)
            forwarded += good
            wrong = code in SIZE_ERROR
            # A long GetRandom is the engine's to refuse, by the same code.
            points.result(isinstance(code, int) and (good or wrong),
                          "length %d, %d in the header: %s" % (
                              length, header, "passed on" if good else "refused"), code)
    return forwarded


def page_states(points, front):
    for state in (IDLE, FINISH):
        # Were it taken, this one would be answered in the interrupt.
        front.hand_in(b"", state=state)
        points.result(front.stays(state), "state %d is not a command" % state)
    front.ask(GETRANDOM)
    front.hand_in(GETRANDOM, state=CANCEL)
    points.equal("CANCEL of nothing: IDLE", front.answer()[0], IDLE)
    for state in (4, 255):
        front.hand_in(GETRANDOM, state=state)
        # The backend has to see it, and there is no sign that it has.
        points.result(front.stays(state), "state %d: nobody answers" % state)
        front.hand_in(GETRANDOM, state=SUBMIT)
        front.rogue.control("notify 100")
        points.result(front.stays(SUBMIT), "state %d: nothing is taken any more" % state)
        points.guard("state %d: until it starts anew" % state, front.connect, front.extra + 1)
        points.result(front.works(), "state %d: then it is served" % state)


def other_fields(points, front):
    for locality in (0, 1, 2, 3, 4, 5, 255):
        points.equal("locality %d" % locality, front.ask(GETRANDOM, locality=locality),
                     0 if locality == 0 else LOCALITY_ERROR)
    for extra in (0, 1, 2, 255):
        points.equal("%d extra pages, once connected, move nothing" % extra,
                     front.ask(GETRANDOM, extra=extra), 0)
    points.equal("pad 255 is ignored", front.ask(GETRANDOM, pad=255), 0)


def boundaries(points):
    """B13: every row, with one page and with two."""
    forwarded = 0
    for pages, capacity in ((1, 4088), (2, 4096)):
        front = connected(points, pages)
        forwarded += lengths(points, front, capacity)
        page_states(points, front)
        other_fields(points, front)
    points.note("well-formed lengths: %d" % forwarded)
    for pages in (1, 2):
        for extra in (0, 1, 2, 255):
            front.start()
            front.present(pages, nr_extra=extra)
            points.equal("connecting with %d extra pages, exactly-once %d" % (extra, pages - 1),
                         front.decided(), extra == pages - 1)
    points.guard("in the end: connected", front.connect)
    points.result(front.works(), "in the end: served")


# What takes turns in the page while the backend works: offset, values
FLIPS = {
    "length": (place(0, struct.pack("<I", 12), b"\xff\xff\xff\xff"), place(4, b"\1")),
    "length above the page": (place(0, struct.pack("<I", 12), struct.pack("<I", 4097)),
                              place(4, b"\1")),
    "state": (place(4, b"\1", b"\3"),),
    "all states": (place(4, b"\1", b"\2"), place(4, b"\3", b"\0")),
    "length in the TPM's header": (place(10, b"\0\0\0\x0c", b"\xff\xff\xff\xff"), place(4, b"\1")),
    "tag and ordinal": (place(8, GETRANDOM, bytes.fromhex("00000008040000000c800100")),
                        place(4, b"\1")),
    "locality and extra pages": (place(5, b"\0\0\0", b"\xff\xff\xff"), place(4, b"\1")),
    "a state that does not exist": (place(4, b"\1", b"\xff"),),
}
TRAILER_FLIPS = {
    "sequence": (place(TRAILER, bytes(8), b"\xff" * 8), place(4, b"\1")),
    "session": (place(TRAILER + 8, bytes(16), b"\xa5" * 16), place(4, b"\1")),
    "control": (place(TRAILER + 24, b"\1\0\0\0", b"\2\0\0\0"), place(4, b"\1", b"\0")),
    "control that does not exist": (place(TRAILER + 24, b"\xff" * 8, bytes(8)), place(4, b"\1")),
}


def early(points):
    """Commands come and go, each with another sequence, while the engine is still asked
    whether this frontend may come in."""
    front = Frontend()
    for number in range(10):
        front.start()
        front.rogue.control("up 2")
        front.extra = 1
        info = front.rogue.info()
        front.hand_in(GETRANDOM, state=IDLE)
        front.rogue.run(60000, 16, place(TRAILER, b"\1" + bytes(7), b"\2" + bytes(7)),
                        place(4, b"\1", b"\3"))
        front.write_nodes(info, {})
        front.state(INITIALISED)
        points.guard("commands before it is let in, %d" % (number + 1), front.await_back,
                     CONNECTED)
        front.rogue.control("stop")
    points.guard("then it can start anew", front.connect, 2)
    points.result(front.works(), "and is served")


def flip(points, ms):
    """B1: a thread changes bytes while the backend takes commands."""
    for pages, flips in ((1, FLIPS), (2, TRAILER_FLIPS)):
        for name, places in flips.items():
            front = Frontend()
            front.connect(pages)
            front.hand_in(GETRANDOM, state=IDLE)
            front.rogue.run(int(ms), 16, *places)
            rounds = front.rogue.await_end(int(ms) / 1000 + 20)
            points.result(rounds > 100, "%s: changed to and fro" % name, "%d rounds" % rounds)
            points.guard("%s: it can start anew" % name, front.connect, pages)
            points.result(front.works(), "%s: and is served" % name)


# What a storm is made of: how often it notifies, and bytes of the page
STORMS = {
    "nothing": (0, ()),
    "without cause": (1, ()),
    "refused": (1, (place(0, bytes(4)), place(4, b"\1"))),
    "cancelled": (1, (place(4, b"\1", b"\3"),)),
    "commands": (1, (place(4, b"\1"),)),
}


def storm(points, kind, ms):
    """B3: events in a tight loop; "nothing" only uses as much of its CPU."""
    every, places = STORMS[kind]
    front = Frontend()
    front.connect()
    front.ask(STARTUP)
    front.hand_in(GETRANDOM, state=IDLE)
    front.rogue.run(int(ms), every, *places)
    print("ready", flush=True)
    rounds = front.rogue.await_end(int(ms) / 1000 + 60)
    points.note("%d rounds in %s ms" % (rounds, ms))
    points.result(rounds > 1000, "%s: %s ms of it" % (kind, ms), "%d rounds" % rounds)


def works(points):
    """The end of every attack: a good frontend is served."""
    connected(points, 1)


def busy(points):
    """Leave with a command under way, events on their way, and the page changing."""
    front = Frontend()
    front.connect()
    front.hand_in(GETRANDOM, state=SUBMIT)
    front.rogue.run(600000, 4, place(0, struct.pack("<I", 12), b"\xff\xff\xff\xff"),
                    place(4, b"\1", b"\3"))
    points.result(front.rogue.info()["running"] == 1, "it works against the backend")


NODES = ("ring-ref", "event-channel", "feature-protocol-v2", "request-exactly-once")


def values(points):
    """B20: each node that the backend reads, with every wrong kind of value."""
    front = Frontend()
    for node in NODES:
        for kind, value in WRONG_VALUES.items():
            front.start()
            front.present(**{node.replace("-", "_"): value})
            let_in = front.decided()
            # Not asking for the extension in another way than by "0" is no fault.
            points.equal("%s: %s" % (node, kind), let_in, node == "request-exactly-once")
    state_values(points, front)


# What is not a number, or 0, is no state. It means that there is no frontend any more, and the
# device is given up, for good: see gone().
NO_STATE = ("empty", "2^32", "text", "format characters", "binary", "missing", "a directory")


def state_values(points, front):
    for kind, value in WRONG_VALUES.items():
        if kind in NO_STATE:
            continue
        front.start()
        front.store.put(FRONT + "/state", value)
        points.guard("state: %s: it can start anew" % kind, front.connect)
    points.result(front.works(), "in the end: served")


def grants(points):
    """B7: references and ports that Xen does not accept, and pages that are not what they
    should be."""
    front = Frontend()
    # 0 and 1 are the console's and the xenstore's, which the toolstack has granted.
    for gref in (1 << 20, (1 << 31) - 1, (1 << 32) - 1):
        front.start()
        front.present(ring_ref=gref)
        points.equal("reference %d was never granted" % gref, front.decided(), False)
    for port in (0, 1, 4095, 1 << 17, (1 << 32) - 1):
        front.start()
        front.present(event_channel=port)
        points.equal("port %d is not ours to bind" % port, front.decided(), False)
    revoked_pages(points, front)
    second_pages(points, front)
    points.guard("in the end: connected", front.connect)
    points.result(front.works(), "in the end: served")


def revoked_pages(points, front):
    front.start()
    front.rogue.control("up 1")
    front.rogue.control("revoke")
    front.extra = 0
    front.write_nodes(front.rogue.info(), {})
    front.state(INITIALISED)
    points.equal("a page that was revoked", front.decided(), False)


def second_pages(points, front):
    for name, gref in (("never granted", 1 << 20), ("2^32 - 1", (1 << 32) - 1)):
        front.start()
        front.rogue.control("up 2")
        front.extra = 1
        front.rogue.poke(4, bytes((0, 0, 0, 1)) + struct.pack("<I", gref))
        front.write_nodes(front.rogue.info(), {})
        front.state(INITIALISED)
        points.equal("second page: %s" % name, front.decided(), False)
    front.start()
    front.rogue.control("up 2")
    front.extra = 1
    info = front.rogue.info()
    front.rogue.poke(4, bytes((0, 0, 0, 1)) + struct.pack("<I", info["gref"]))
    front.write_nodes(info, {})
    front.state(INITIALISED)
    # The first page twice makes trouble for this frontend alone: nobody else reads it.
    points.note("the first page again as the second: let in: %s" % front.decided())
    front.start()
    front.rogue.control("up 2")
    info = front.rogue.info()
    front.rogue.poke(4096 + 4, b"\xff\xff\xff\xff")
    info["gref"] = info["gref2"]
    front.write_nodes(info, {"request_exactly_once": 0})
    front.state(INITIALISED)
    points.equal("another page than it should be", front.decided(), False)


def walk_step(front, dice):
    """One random write to what the backend reads; now and then new pages."""
    choice = dice.randrange(20)
    if choice == 0:
        front.rogue.control("up %d" % dice.randrange(1, 3))
        info = front.rogue.info()
        front.store.write(FRONT + "/ring-ref", info["gref"])
        front.store.write(FRONT + "/event-channel", info["port"])
        return
    if choice == 1:
        front.store.write(FRONT + "/ring-ref", dice.randrange(1 << 32))
    elif choice == 2:
        front.store.write(FRONT + "/request-exactly-once", dice.randrange(3))
    elif choice == 3 and front.rogue.info()["pages"]:
        front.rogue.control("notify %d" % dice.randrange(1, 50))
    front.state(dice.choice((1, 2, 3, 3, 3, 4, 4, 5, 6, 7, 8, 9, 255, -1)))


def walk_alone(points, count, seed):
    """B5, B21: states in random order."""
    front = Frontend()
    dice = random.Random(int(seed))
    refused = 0
    for _ in range(int(count)):
        try:
            walk_step(front, dice)
        except StoreError:
            refused += 1
    points.equal("%s random states, seed %s" % (count, seed), refused, 0)
    return front


def walk(points, count, seed):
    """The same, and then it goes on as a good one."""
    front = walk_alone(points, count, seed)
    points.guard("it can start anew", front.connect)
    points.result(front.works(), "and is served")


def gone(points):
    """The backend gives up a frontend whose state is missing."""
    front = Frontend()
    front.connect()
    front.store.remove(FRONT + "/state")
    # Its own side of the device cannot be seen from here any more; dom0 looks.
    points.result(True, "state: removed")


sys.exit(main({function.__name__: function for function in (
    boundaries, early, flip, storm, works, busy, values, grants, walk, walk_alone, gone)}))
