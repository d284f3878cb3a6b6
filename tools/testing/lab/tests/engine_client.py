# SPDX-License-Identifier: GPL-2.0-only
"""An engine without a guest: started on a store, as vtpmd does it, and given commands."""
import os
import select
import socket
import struct
import subprocess

ENGINE = "/usr/libexec/xen-vtpm/vtpm-engine"
UUID = "00000000-0000-4000-8000-0000000000e0"
CONTROL = struct.Struct("=IIQ496s")
SHUTDOWN, STATE = 3, 16
READY, STORE_WAITS, REFUSED, FAILED = 1, 2, 3, 4
POWER_OFF, KEEP = 0, 2
PASSWORD = "00000009 40000009 0000 00 0000 "
RETRY = 0x922


def command(text):
    """A TPM command from hexadecimal digits; its length is filled in."""
    data = bytearray.fromhex(text)
    data[2:6] = struct.pack(">I", len(data))
    return bytes(data)


def startup():
    return command("8001 00000000 00000144 0000")


def nv_define(index, size):
    return command("8002 00000000 0000012a 40000001 " + PASSWORD +
                   "0000 000e %08x 000b 00040004 0000 %04x" % (index, size))


def nv_write(index, data):
    return command("8002 00000000 00000137 %08x %08x " % (index, index) + PASSWORD +
                   "%04x %s 0000" % (len(data), data.hex()))


def nv_read(index, size):
    return command("8002 00000000 0000014e %08x %08x " % (index, index) + PASSWORD +
                   "%04x 0000" % size)


class Engine:
    def __init__(self, store, create=False, log=None):
        flags = os.O_RDWR | (os.O_CREAT if create else 0)
        store_fd = os.open(store, flags, 0o600)
        self.control, control = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.conn, conn = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.sequence = 0
        self.text = ""
        arguments = [ENGINE, "--store-fd", store_fd, "--store-name", store, "--uuid", UUID,
                     "--tpm", "2.0", "--control-fd", control.fileno(),
                     "--conn-fd", conn.fileno()] + (["--create"] if create else [])
        with open(log or os.devnull, "ab") as output:
            self.process = subprocess.Popen(
                [str(argument) for argument in arguments], stdin=subprocess.DEVNULL,
                stderr=output, pass_fds=(store_fd, control.fileno(), conn.fileno()))
        for fd in (control, conn):
            fd.close()
        os.close(store_fd)

    def state(self, seconds=60):
        """The next state it reports; None if it ends or says nothing."""
        while select.select([self.control], [], [], seconds)[0]:
            data = self.control.recv(CONTROL.size)
            if not data:
                return None
            kind, value, _, text = CONTROL.unpack(data)
            if kind == STATE:
                self.text = text.split(b"\0")[0].decode()
                return value
        return None

    def send(self, data):
        self.sequence += 1
        self.conn.send(struct.pack("=QIBBH", self.sequence, len(data), 0, 0, 0) + data)

    def receive(self, seconds=60):
        """The response, or None."""
        if not select.select([self.conn], [], [], seconds)[0]:
            return None
        data = self.conn.recv(8192)
        return data[16:] if len(data) >= 26 else None

    def execute(self, data, seconds=60):
        """Execute; return the response's code and what follows it, again while it says RETRY."""
        while True:
            self.send(data)
            response = self.receive(seconds)
            if response is None:
                raise TimeoutError("no response")
            code = struct.unpack(">I", response[6:10])[0]
            if code != RETRY:
                return code, response[10:]

    def end(self, how=KEEP, seconds=60):
        self.control.send(CONTROL.pack(SHUTDOWN, how, 0, b""))
        return self.process.wait(seconds)

    def kill(self):
        self.process.kill()
        self.process.wait()
