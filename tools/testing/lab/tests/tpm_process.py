# SPDX-License-Identifier: GPL-2.0-only
"""A TPM 2.0 as a child process, without Xen: vtpm-engine or swtpm, by their own descriptors."""
import os
import select
import socket
import struct
import subprocess
import time

import tpm
from vtpmdev import REQUEST, RESPONSE

UUID = "ab010000-0000-0000-0000-000000000000"
RC_RETRY = 0x922


class Ended(Exception):
    """The TPM's process has ended, or does not answer."""


class Process(tpm.Tpm2):
    SECONDS = 30

    def __init__(self, command, kind, descriptors=(), environment=None):
        ours, theirs = socket.socketpair(socket.AF_UNIX, kind)
        self.socket = ours
        self.process = subprocess.Popen(
            [word.replace("{conn}", str(theirs.fileno())) for word in command],
            pass_fds=[theirs.fileno(), *descriptors], env=environment,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        theirs.close()
        super().__init__(ours.fileno())

    def exchange(self, message):
        try:
            self.socket.sendall(message)
            if not select.select([self.socket], [], [], self.SECONDS)[0]:
                raise Ended("no answer in %d s" % self.SECONDS)
            answer = self.socket.recv(8192)
        except OSError as error:
            raise Ended(str(error)) from error
        if not answer:
            raise Ended("it has ended")
        return answer

    def raw(self, tag, ordinal, body):
        """As in the kernel: a TPM may ask for a command again."""
        for _ in range(1000):
            try:
                return super().raw(tag, ordinal, body)
            except tpm.TpmError as error:
                if error.code != RC_RETRY:
                    raise
            time.sleep(0.01)
        raise Ended("it says RETRY for ever")

    def identity(self):
        """The public part of a key that the TPM's own seed makes: another TPM, another key."""
        template = struct.pack(">HHIHHHHHHHHH", 0x23, 0xB, self.STORAGE_FLAGS, 0,
                               6, 128, 0x43, 0x10, 3, 0x10, 0, 0)
        handle = self.create_primary(template)
        public = self.plain(0x173, handle)
        self.plain(0x165, handle)
        return public

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.socket.close()


class Engine(Process):
    """@program on the store @path, which is made if @create."""

    def __init__(self, program, path, create=False, environment=None, options=(),
                 descriptors=()):
        store = os.open(path, os.O_RDWR)
        self.sequence = 0
        command = [program, "--store-fd", str(store), "--store-name", path, "--conn-fd",
                   "{conn}", "--uuid", UUID, "--tpm", "2.0", *options]
        if create:
            command.append("--create")
        super().__init__(command, socket.SOCK_SEQPACKET, [store, *descriptors], environment)
        os.close(store)

    def transfer(self, command):
        self.sequence += 1
        answer = self.exchange(REQUEST.pack(self.sequence, len(command), 0, 0, 0) + command)
        return answer[RESPONSE.size:]


class Swtpm(Process):
    """With @state as in --tpmstate."""

    def __init__(self, state, environment=None):
        super().__init__(["swtpm", "chardev", "--fd", "{conn}", "--tpm2", "--tpmstate", state,
                          "--flags", "not-need-init", "--seccomp", "action=none"],
                         socket.SOCK_STREAM, (), environment)

    def transfer(self, command):
        return self.exchange(command)
