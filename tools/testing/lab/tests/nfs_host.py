#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""One of two hosts that have their stores on the same NFS server: in a network and a UTS
namespace of its own. Takes a line, answers with a line.

    nfs_host.py NAME SERVER CLIENT

    start [create]      up TEXT | ended CODE TEXT
    count               the TPM's counter, which is made if there is none
    increment           likewise, one higher
    send                sent: an increment that is not waited for
    answer SECONDS      yes | no: it is answered
    state SECONDS       STATE TEXT | nothing
    back                back: the server answers
    kill | end          ended CODE
    quit                quits"""
import os
import select
import socket
import struct
import subprocess
import sys

import tpm
import tpm_process

ENGINE = "/usr/libexec/xen-vtpm/vtpm-engine"
STORE = "/mnt/store"

# tools/vtpm/lib/control.h
CONTROL = struct.Struct("=IIQ496s")
SHUTDOWN, STATE = 3, 16
READY, KEEP = 1, 2


class Engine(tpm_process.Engine):
    """An engine that also says how it is."""

    def __init__(self, create):
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.text = ""
        options = ["--control-fd", str(theirs.fileno())]
        if create:
            os.close(os.open(STORE, os.O_CREAT, 0o600))
        super().__init__(ENGINE, STORE, create, None, options, [theirs.fileno()])
        theirs.close()

    def state(self, seconds=60):
        """The next state that it reports; None if it ends or says nothing."""
        while select.select([self.control], [], [], seconds)[0]:
            data = self.control.recv(CONTROL.size)
            if not data:
                return None
            kind, value, _, text = CONTROL.unpack(data)
            if kind == STATE:
                self.text = text.split(b"\0")[0].decode()
                return value
        return None

    def begin(self, command):
        """Hand a command in, and do not wait."""
        self.sequence += 1
        self.socket.sendall(
            tpm_process.REQUEST.pack(self.sequence, len(command), 0, 0, 0) + command)

    def answers(self, seconds):
        """Does an answer come in this time?"""
        return bool(select.select([self.socket], [], [], seconds)[0] and self.socket.recv(8192))

    def end(self):
        self.control.send(CONTROL.pack(SHUTDOWN, KEEP, 0, b""))
        return self.process.wait(60)


class Host:
    def __init__(self):
        self.engine = None

    def start(self, create=""):
        self.engine = Engine(create == "create")
        while True:
            state = self.engine.state()
            if state == READY:
                return "up %s" % self.engine.text
            if state is None:
                return "ended %d %s" % (self.engine.process.wait(60), self.engine.text)

    def count(self):
        self.engine.startup()
        self.engine.define_counter()
        return str(self.engine.read_counter())

    def increment(self):
        self.engine.increment()
        return str(self.engine.read_counter())

    def send(self):
        handles = struct.pack(">II", self.engine.OWNER, self.engine.INDEX)
        body = handles + self.engine.PASSWORD
        self.engine.begin(struct.pack(">HII", 0x8002, 10 + len(body), 0x134) + body)
        return "sent"

    def answer(self, seconds):
        return "yes" if self.engine.answers(float(seconds)) else "no"

    def state(self, seconds):
        state = self.engine.state(float(seconds))
        return "nothing" if state is None else "%d %s" % (state, self.engine.text)

    def back(self):
        """Not from a cache: what is asked for is not there."""
        return "there" if os.path.exists("/mnt/%d" % os.getpid()) else "back"

    def kill(self):
        self.engine.kill()
        return "ended"

    def end(self):
        return "ended %d" % self.engine.end()


def main():
    name, server, client = sys.argv[1:]
    socket.sethostname(name)
    os.makedirs("/mnt", exist_ok=True)
    options = "vers=4.2,hard,timeo=50,addr=%s,clientaddr=%s" % (server, client)
    subprocess.run(["mount", "-i", "-t", "nfs4", "-o", options, "%s:/" % server, "/mnt"],
                   check=True)
    host = Host()
    print("mounted", flush=True)
    for line in sys.stdin:
        word, *arguments = line.split()
        if word == "quit":
            print("quits", flush=True)
            break
        try:
            print(getattr(host, word)(*arguments), flush=True)
        except (OSError, tpm.TpmError, tpm_process.Ended) as error:
            print("failed %s" % error, flush=True)


main()
