# SPDX-License-Identifier: GPL-2.0-only
"""TPM commands as hexadecimal text, as bench-tool takes them. NNNNNNNN is another number each
time: a TPM stores nothing when what is written is there already."""

PASSWORD = "00000009" "40000009" "0000" "00" "0000"
INDEX = "01500020"
NUMBERED = "NNNNNNNN"


def command(tag, code, body=""):
    body = body.replace(" ", "")
    return "%s%08x%s%s" % (tag, 10 + len(body) // 2, code, body)


def plain(code, body=""):
    return command("8001", code, body)


def authorized(code, handles, body=""):
    return command("8002", code, handles + PASSWORD + body)


SMALLEST = plain("0000017b")        # of use with an engine that does not look at it only

PCR_READ = plain("0000017e", "00000001 000b 03 000001")
GET_RANDOM = plain("0000017b", "0020")
PCR_EXTEND = authorized("00000182", "00000010", "00000001 000b" + NUMBERED + "01" * 28)
NV_DEFINE = authorized("0000012a", "40000001", "0000 000e" + INDEX + "000b 00040004 0000 0040")
NV_UNDEFINE = authorized("00000122", "40000001" + INDEX)
NV_WRITE = authorized("00000137", INDEX + INDEX, "0040" + NUMBERED + "01" * 60 + "0000")
CREATE_SIGNING_KEY = authorized(
    "00000131", "40000001", "0004 0000 0000 0018 0023 000b 00040072 0000 0010 0018 000b 0003 0010"
    "0000 0000 0000 00000000")
PCR_READ_12 = command("00c1", "00000015", "00000010")
GET_RANDOM_12 = command("00c1", "00000046", "00000020")


def sign(handle):
    """With the key that CREATE_SIGNING_KEY has made, by its own scheme: ECDSA P-256."""
    return authorized("0000015d", handle, "0020" + NUMBERED + "01" * 28 + "0010 8024 40000007 0000")


def flush(handle):
    return plain("00000165", handle)


def code(response):
    """The TPM's return code in a response."""
    return int(response[12:20], 16)
