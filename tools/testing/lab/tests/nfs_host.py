#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""One of two hosts that have their stores on the same NFS server: in a network and a UTS
namespace of its own. Takes a line, answers with a line.

    nfs_host.py NAME SERVER CLIENT

    start [create]      up TEXT | ended CODE TEXT
    define | write TEXT | read SIZE     CODE DATA
    send TEXT           sent: a write, whose response is not waited for
    answer SECONDS      CODE | nothing
    state SECONDS       STATE TEXT | nothing
    kill | end          ended CODE
    quit                quits"""
import os
import socket
import subprocess
import sys

from engine_client import Engine, READY, nv_define, nv_read, nv_write, startup

INDEX = 0x01500001
STORE = "/mnt/store"
TEXT_SIZE = 8


class Host:
    def __init__(self, name):
        self.log = "/run/nfs-%s.log" % name
        self.engine = None

    def start(self, create=""):
        self.engine = Engine(STORE, create == "create", self.log)
        while True:
            state = self.engine.state()
            if state == READY:
                return "up %s" % self.engine.text
            if state is None:
                text = self.engine.text
                return "ended %d %s" % (self.engine.process.wait(60), text)

    def define(self):
        self.engine.execute(startup())
        return "%x" % self.engine.execute(nv_define(INDEX, TEXT_SIZE))[0]

    def write(self, text):
        return "%x" % self.engine.execute(nv_write(INDEX, text.encode().ljust(TEXT_SIZE)))[0]

    def read(self):
        self.engine.execute(startup())
        code, data = self.engine.execute(nv_read(INDEX, TEXT_SIZE))
        return "%x %s" % (code, data[6:6 + TEXT_SIZE].decode(errors="replace").strip())

    def send(self, text):
        self.engine.send(nv_write(INDEX, text.encode().ljust(TEXT_SIZE)))
        return "sent"

    def answer(self, seconds):
        response = self.engine.receive(float(seconds))
        return "nothing" if response is None else response[6:10].hex()

    def state(self, seconds):
        state = self.engine.state(float(seconds))
        return "nothing" if state is None else "%d %s" % (state, self.engine.text)

    def kill(self):
        self.engine.kill()
        return "ended"

    def end(self):
        return "ended %d" % self.engine.end()


def main():
    name, server, client = sys.argv[1:]
    socket.sethostname(name)
    os.makedirs("/mnt", exist_ok=True)
    subprocess.run(["mount", "-i", "-t", "nfs4", "-o", "vers=4.2,hard,addr=%s,clientaddr=%s" % (
        server, client), "%s:/" % server, "/mnt"], check=True)
    host = Host(name)
    print("mounted", flush=True)
    for line in sys.stdin:
        word, *arguments = line.split()
        if word == "quit":
            print("quits", flush=True)
            break
        try:
            print(getattr(host, word)(*arguments), flush=True)
        except (OSError, TimeoutError) as error:
            print("failed %s" % error, flush=True)


main()
