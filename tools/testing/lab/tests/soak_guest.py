#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The guest's half of the soak: use /dev/tpm0 by one descriptor that stays open, over
whatever happens to the guest, until told to stop.

soak_guest.py KIND DIRECTORY, KIND 2.0, 1.2 or none (no TPM, only ticks).

DIRECTORY/log gets a line for each acknowledged operation, "LETTER NUMBER MONOTONIC-US":
E extended, N counter incremented, S session, K key, R RSA key, P the value of the PCR,
X a failed operation with its error. DIRECTORY/result is there at the end.

Datagrams with dom0 (soak.py), one word and a number: out "ack", "rsa" (is under way),
"tick", "stopped"; in "rsa", "ticks", "stop", each repeated until it is answered, and "rest",
which is not. They may get lost, and nothing but the pace hangs on them."""
import json
import os
import re
import socket
import sys
import threading
import time

import tpm

PORT = 7000
DOM0 = "10.77.0.254"
SUSPEND = re.compile(r"suspend: drained in (-?\d+) us, quiesced in (-?\d+) us, hook (-?\d+) us")
MAX_ERRORS = 1000
REST_S = 0.3


def now_us():
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000


class Peer:
    """What dom0 is told, and what it asks for."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("0.0.0.0", PORT))
        self.stop = False
        self.want_long = self.had_long = 0
        self.ticks = False
        self.rest = False
        threading.Thread(target=self.listen, daemon=True).start()
        threading.Thread(target=self.tick, daemon=True).start()

    def tell(self, word, number):
        try:
            self.socket.sendto(b"%s %d" % (word.encode(), number), (DOM0, PORT))
        except OSError:
            pass            # the network is not back yet

    def listen(self):
        while True:
            try:
                word, number = self.socket.recv(100).decode().split()
            except (OSError, ValueError):
                continue
            if word == "stop":
                self.stop = True
            elif word == "rsa":
                self.want_long = max(self.want_long, int(number))
            elif word == "ticks":
                self.ticks = int(number) != 0
            elif word == "rest":
                self.rest = int(number) != 0

    def tick(self):
        count = 0
        while True:
            time.sleep(0.01 if self.ticks else 0.1)
            if self.ticks:
                count += 1
                self.tell("tick", count)


class Background:
    """Others who use the TPM, or watch, while the descriptor is in use."""

    def __init__(self):
        self.random_bytes = self.random_errors = 0
        self.may_read = threading.Lock()
        self.suspends = []

    def start(self, *names):
        for name in names:
            threading.Thread(target=getattr(self, name), daemon=True).start()

    def read_random(self):
        try:
            fd = os.open("/dev/hwrng", os.O_RDONLY)
        except OSError:
            self.random_errors += 1
            return
        while True:
            try:
                with self.may_read:
                    self.random_bytes += len(os.read(fd, 32))
            except OSError:
                self.random_errors += 1
            time.sleep(0.2)

    def read_log(self):
        fd = os.open("/dev/kmsg", os.O_RDONLY)
        os.lseek(fd, 0, os.SEEK_END)
        while True:
            try:
                line = os.read(fd, 8192).decode(errors="replace")
            except OSError:         # EPIPE: lines were lost
                continue
            match = SUSPEND.search(line)
            if match:
                self.suspends.append([int(n) for n in match.groups()])


class Soak:
    def __init__(self, kind, directory):
        self.directory = directory
        self.log = open(os.path.join(directory, "log"), "w", buffering=1)
        self.peer = Peer()
        self.others = Background()
        self.tpm = tpm.KINDS[kind](os.open("/dev/tpm0", os.O_RDWR))
        self.counts = dict.fromkeys("ENSKRX", 0)
        self.held_errors = self.resets = self.loops = 0
        self.longest_us = 0
        self.errors = {}

    def note(self, letter, number, text=""):
        self.log.write("%s %d %d%s%s\n" % (letter, number, now_us(), " " if text else "", text))

    def attempt(self, letter, function, *args):
        """Returns whether it was acknowledged, after a line in the log."""
        start = now_us()
        try:
            function(*args)
        except tpm.Changed as change:
            self.held_errors += 1
            self.note("X", self.counts[letter] + 1, "changed: %s" % change)
        except (OSError, tpm.TpmError) as error:
            return self.failed(letter, error)
        self.longest_us = max(self.longest_us, now_us() - start)
        self.counts[letter] += 1
        self.note(letter, self.counts[letter])
        return True

    def failed(self, letter, error):
        if isinstance(error, tpm.TpmError):
            text = "TPM 0x%x" % error.code
        else:
            text = "errno %s" % error.errno if error.errno else str(error)
        self.counts["X"] += 1
        self.note("X", self.counts[letter] + 1, "%s: %s (%s)" % (letter, text, error))
        key = "%s: %s" % (letter, text)
        self.errors[key] = self.errors.get(key, 0) + 1
        return False

    def begin(self):
        self.tpm.setup()
        self.first_pcr = self.tpm.read_pcr()
        self.first_counter = self.tpm.read_counter()
        self.note("P", 0, self.first_pcr.hex())
        with open("/sys/kernel/debug/dynamic_debug/control", "w") as control:
            control.write("module xen_tpmfront +p")
        self.others.start("read_random", "read_log")

    def long(self):
        number = self.peer.want_long
        if number > self.peer.had_long:
            self.peer.had_long = number
            # Who waits for the TPM core's lock cannot be frozen, and the kernel gives a
            # suspend up for it after 20 s. An emulated processor can take that long.
            with self.others.may_read:
                self.peer.tell("rsa", number)
                self.attempt("R", self.tpm.long, number)

    def loop(self):
        """One of each. What was not acknowledged is tried again with the same number."""
        self.loops += 1
        good = self.attempt("E", self.tpm.extend, self.counts["E"] + 1)
        good &= self.attempt("N", self.tpm.increment)
        good &= self.attempt("S", self.tpm.session)
        good &= self.attempt("K", self.tpm.key)
        if self.loops % 10 == 0:
            self.checkpoint()
        if good:
            self.peer.tell("ack", self.loops)
        else:
            self.recover()
        self.long()
        if self.peer.rest:
            time.sleep(REST_S)

    def checkpoint(self):
        try:
            self.note("P", self.counts["E"], self.tpm.read_pcr().hex())
        except (OSError, tpm.TpmError) as error:
            self.failed("P", error)

    def recover(self):
        """The run is spoiled, but the rest of it may tell more."""
        time.sleep(0.2)
        if self.counts["X"] > MAX_ERRORS:
            self.peer.stop = True
        for function in (self.tpm.startup, self.tpm.release, self.tpm.setup):
            try:
                function()
            except (OSError, tpm.TpmError):
                pass
            else:
                self.resets += function == self.tpm.setup

    def end(self):
        result = {
            "counts": self.counts, "errors": self.errors, "resets": self.resets,
            "held_errors": self.held_errors, "loops": self.loops,
            "first_pcr": self.first_pcr.hex(), "first_counter": self.first_counter,
            "longest_command_us": self.longest_us,
            "random_bytes": self.others.random_bytes,
            "random_errors": self.others.random_errors,
            "suspends": self.others.suspends, "pcr": None, "counter": None,
        }
        try:
            result["pcr"] = self.tpm.read_pcr().hex()
            result["counter"] = self.tpm.read_counter()
            self.tpm.release()
        except (OSError, tpm.TpmError) as error:
            result["end"] = str(error)
        self.log.close()
        save(self.directory, result)
        self.peer.tell("stopped", self.loops)

    def run(self):
        self.begin()
        while not self.peer.stop:
            self.loop()
        self.end()


def save(directory, result):
    path = os.path.join(directory, "result")
    with open(path + ".new", "w") as file:
        json.dump(result, file)
    os.rename(path + ".new", path)


def main():
    kind, directory = sys.argv[1:]
    if kind == "none":
        peer = Peer()
        while not peer.stop:
            peer.tell("ack", 0)
            time.sleep(0.2)
        save(directory, {})
    else:
        Soak(kind, directory).run()


main()
