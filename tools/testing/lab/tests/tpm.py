# SPDX-License-Identifier: GPL-2.0-only
"""Both kinds of TPM, by a descriptor that stays open: just what the soak needs.

Each class has the same methods, so that what is done over and over does not know the
kind: setup() makes what is held, extend(), increment(), session() and key() are the
effects and the checks, long() works for seconds, release() ends what is held. A TPM's error is a TpmError."""
import hashlib
import hmac
import os
import struct


class TpmError(Exception):
    def __init__(self, ordinal, code):
        super().__init__("command 0x%x: TPM error 0x%x" % (ordinal, code))
        self.code = code


class Changed(Exception):
    """What is held is no longer as it was."""


class Tpm:
    PCR = 16

    def __init__(self, fd):
        self.fd = fd

    def transfer(self, command):
        if os.write(self.fd, command) != len(command):
            raise OSError("the command was written in part")
        return os.read(self.fd, 4096)

    def raw(self, tag, ordinal, body):
        """Execute a command; return what follows the response's header."""
        response = self.transfer(
            struct.pack(">HII", tag, 10 + len(body), ordinal) + body)
        if len(response) < 10:
            raise OSError("a response of %d bytes" % len(response))
        _, size, code = struct.unpack(">HII", response[:10])
        if size != len(response):
            raise OSError("a response of %d bytes says that it has %d" % (len(response), size))
        if code:
            raise TpmError(ordinal, code)
        return response[10:]

    @classmethod
    def digest(cls, number):
        """What is extended as the number-th, from 1."""
        return cls.hash(b"soak %d" % number).digest()

    @classmethod
    def chain(cls, value, digest):
        return cls.hash(value + digest).digest()


class Tpm2(Tpm):
    hash = hashlib.sha256
    POLICY_AUTH_VALUE = struct.pack(">I", 0x16B)
    OWNER = 0x40000001
    INDEX = 0x01500010
    PASSWORD = struct.pack(">IIHBH", 9, 0x40000009, 0, 0, 0)
    STORAGE_FLAGS = 0x30072

    def plain(self, ordinal, body=b""):
        return self.raw(0x8001, ordinal, body)

    def authorized(self, ordinal, handles, body=b"", out_handle=False):
        answer = self.raw(0x8002, ordinal, handles + self.PASSWORD + body)
        handle, answer = (answer[:4], answer[4:]) if out_handle else (None, answer)
        size = struct.unpack(">I", answer[:4])[0]
        return (handle, answer[4:4 + size]) if out_handle else answer[4:4 + size]

    def startup(self):
        self.plain(0x144, struct.pack(">H", 0))

    def setup(self):
        self.define_counter()
        nonce = struct.pack(">H16sHBHH", 16, b"n" * 16, 0, 1, 0x10, 0x000B)
        answer = self.plain(0x176, struct.pack(">II", 0x40000007, 0x40000007) + nonce)
        self.handle_session = answer[:4]
        self.policy = bytes(32)
        # ECC P-256, a storage key
        self.handle_key = self.create_primary(
            struct.pack(">HHIHHHHHHHHH", 0x23, 0xB, self.STORAGE_FLAGS, 0,
                        6, 128, 0x43, 0x10, 3, 0x10, 0, 0))
        self.public = self.plain(0x173, self.handle_key)

    def release(self):
        for handle in (self.handle_session, self.handle_key):
            self.plain(0x165, handle)

    def define_counter(self):
        public = struct.pack(">IHIHH", self.INDEX, 0xB, 0x02060016, 0, 8)
        try:
            self.authorized(0x12A, struct.pack(">I", self.OWNER),
                            struct.pack(">HH", 0, len(public)) + public)
        except TpmError as error:
            if error.code != 0x14C:
                raise
        else:
            self.increment()

    def create_primary(self, template):
        body = struct.pack(">HHHH", 4, 0, 0, len(template)) + template
        handle, _ = self.authorized(0x131, struct.pack(">I", self.OWNER),
                                    body + struct.pack(">HI", 0, 0), True)
        return handle

    def extend(self, number):
        self.authorized(0x182, struct.pack(">I", self.PCR),
                        struct.pack(">IH", 1, 0xB) + self.digest(number))

    def read_pcr(self):
        select = struct.pack(">IHB", 1, 0xB, 3) + (1 << self.PCR).to_bytes(3, "little")
        return self.plain(0x17E, select)[-32:]

    def increment(self):
        self.authorized(0x134, struct.pack(">II", self.OWNER, self.INDEX))

    def read_counter(self):
        answer = self.authorized(0x14E, struct.pack(">II", self.OWNER, self.INDEX),
                                 struct.pack(">HH", 8, 0))
        return struct.unpack(">HQ", answer)[1]

    def session(self):
        """The digest of a policy session grows in the same way as a PCR does."""
        self.plain(0x16B, self.handle_session)
        self.policy = self.chain(self.policy, self.POLICY_AUTH_VALUE)
        got = self.plain(0x189, self.handle_session)[2:]
        if got != self.policy:
            self.policy = got
            raise Changed("the digest of the session")

    def key(self):
        if self.plain(0x173, self.handle_key) != self.public:
            raise Changed("the transient key")

    def long(self, number):
        """An RSA key of its own: the modulus of the template goes into its seed."""
        unique = self.digest(number) * 8
        handle = self.create_primary(
            struct.pack(">HHIHHHHHHIH", 1, 0xB, self.STORAGE_FLAGS, 0,
                        6, 128, 0x43, 0x10, 2048, 0, len(unique)) + unique)
        self.plain(0x165, handle)


class Tpm12(Tpm):
    hash = hashlib.sha1
    LABEL = b"soak"
    ZERO = bytes(20)            # every secret here
    SRK = 0x40000000

    def plain(self, ordinal, body=b""):
        return self.raw(0xC1, ordinal, body)

    def oiap(self):
        return Auth(self, self.plain(0x0A), self.ZERO)

    def osap(self, kind, value):
        odd = os.urandom(20)
        answer = self.plain(0x0B, struct.pack(">HI", kind, value) + odd)
        return Auth(self, answer[:24],
                    hmac.new(self.ZERO, answer[24:44] + odd, hashlib.sha1).digest())

    def startup(self):
        self.raw(0xC1, 0x99, struct.pack(">H", 1))

    def setup(self):
        self.own()
        self.find_counter()
        self.auth = self.oiap()
        auth = self.osap(4, self.SRK)
        secrets = auth.encrypted(self.ZERO) * 2
        # Secret for use and for migration; only the first one counts.
        answer = auth.run(0x1F, struct.pack(">I", self.SRK), secrets + self.key_blob(0x10, 2048))
        auth = self.oiap()
        self.handle_key = auth.run(0x41, struct.pack(">I", self.SRK), answer)[:4]
        self.public = self.plain(0x21, self.handle_key)

    def release(self):
        self.plain(0xBA, self.auth.handle + struct.pack(">I", 2))
        self.plain(0xBA, self.handle_key + struct.pack(">I", 1))

    @staticmethod
    def key_blob(usage, bits):
        storage = usage == 0x11
        return struct.pack(">IHIBIHHIIIIIII", 0x01010000, usage, 0, storage, 1,
                           3 if storage else 1, 1 if storage else 2, 12, bits, 2, 0, 0, 0, 0)

    def own(self):
        """Take ownership, with secrets of zeroes, if nobody has."""
        try:
            answer = self.plain(0x7C, bytes(20))
        except TpmError as error:
            if error.code != 8:         # disabled: it has an owner
                raise
            return
        modulus = answer[28:28 + 256]
        secret = oaep(self.ZERO, int.from_bytes(modulus, "big"))
        part = struct.pack(">I", len(secret)) + secret
        try:
            self.oiap().run(0x0D, b"", struct.pack(">H", 5) + part * 2 +
                            self.key_blob(0x11, 2048))
        except TpmError as error:
            if error.code != 0x14:
                raise

    def find_counter(self):
        for number in range(8):
            try:
                answer = self.plain(0xDE, struct.pack(">I", number))
            except TpmError:
                continue
            if answer[2:6] == self.LABEL:
                self.counter = number
                return
        auth = self.osap(2, 0x40000001)
        answer = auth.run(0xDC, b"", auth.encrypted(self.ZERO) + self.LABEL)
        self.counter = struct.unpack(">I", answer[:4])[0]

    def extend(self, number):
        self.plain(0x14, struct.pack(">I", self.PCR) + self.digest(number))

    def read_pcr(self):
        return self.plain(0x15, struct.pack(">I", self.PCR))

    def increment(self):
        """The nonces of the session roll on: a second execution would show at once."""
        self.auth.run(0xDD, b"", struct.pack(">I", self.counter), True)

    def read_counter(self):
        return struct.unpack(">I", self.plain(0xDE, struct.pack(">I", self.counter))[6:10])[0]

    def session(self):
        """increment() has used it already."""

    def key(self):
        if self.plain(0x21, self.handle_key) != self.public:
            raise Changed("the loaded key")

    def long(self, number):
        auth = self.osap(4, self.SRK)
        auth.run(0x1F, struct.pack(">I", self.SRK),
                 auth.encrypted(self.ZERO) * 2 + self.key_blob(0x10, 2048))


class Auth:
    """An authorization session of a TPM 1.2."""

    def __init__(self, tpm, answer, secret):
        self.tpm = tpm
        self.handle, self.even = answer[:4], answer[4:24]
        self.secret = secret

    def encrypted(self, auth):
        pad = hashlib.sha1(self.secret + self.even).digest()
        return bytes(a ^ b for a, b in zip(auth, pad))

    def proof(self, digest, rest):
        return hmac.new(self.secret, digest + self.even + rest, hashlib.sha1).digest()

    def run(self, ordinal, handles, body, keep=False):
        odd = os.urandom(20)
        going_on = bytes([keep])
        number = struct.pack(">I", ordinal)
        proof = self.proof(hashlib.sha1(number + body).digest(), odd + going_on)
        answer = self.tpm.raw(0xC2, ordinal,
                              handles + body + self.handle + odd + going_on + proof)
        out, self.even, kept, proof = answer[:-41], answer[-41:-21], answer[-21], answer[-20:]
        # LoadKey2's handle is not part of what is authorized.
        covered = out[4:] if ordinal == 0x41 else out
        digest = hashlib.sha1(bytes(4) + number + covered).digest()
        if proof != self.proof(digest, odd + bytes([kept])):
            raise OSError("command 0x%x: the response is not authentic" % ordinal)
        return out


def mask(seed, size):
    out = b""
    while len(out) < size:
        out += hashlib.sha1(seed + struct.pack(">I", len(out) // 20)).digest()
    return out[:size]


def oaep(message, modulus):
    """Encrypt for the endorsement key of a TPM 1.2: RSA 2048, OAEP with label TCPA."""
    block = hashlib.sha1(b"TCPA").digest()
    block += bytes(256 - 2 * 20 - 2 - len(message)) + b"\1" + message
    seed = os.urandom(20)
    block = bytes(a ^ b for a, b in zip(block, mask(seed, len(block))))
    seed = bytes(a ^ b for a, b in zip(seed, mask(block, 20)))
    return pow(int.from_bytes(b"\0" + seed + block, "big"), 65537, modulus).to_bytes(256, "big")


KINDS = {"2.0": Tpm2, "1.2": Tpm12}
