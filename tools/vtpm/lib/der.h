/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * DER (ITU-T X.690), as far as stores need it, over libtasn1's tags and lengths.
 * Tags are one byte: the classes and numbers of vnvram.asn, which are all universal.
 */
#ifndef VTPM_DER_H
#define VTPM_DER_H

#include <stddef.h>
#include <stdint.h>

#define DER_INTEGER	0x02
#define DER_OCTETS	0x04
#define DER_ENUMERATED	0x0a
#define DER_UTF8	0x0c
#define DER_BOOLEAN	0x01
#define DER_SEQUENCE	0x30

/**
 * struct der_reader - what is left to read of some DER
 * @at: the next byte
 * @left: bytes from there on
 */
struct der_reader {
	const uint8_t *at;
	size_t left;
};

/**
 * der_enter - read one element
 * @reader: goes on behind the element, if there is one
 * @tag: what it has to be
 * @inside: its contents
 *
 * Return: 0; -EINVAL, it is something else, does not fit into what is left, or
 * its length is not encoded as DER wants it.
 */
int der_enter(struct der_reader *reader, uint8_t tag, struct der_reader *inside);

/**
 * der_read_number - read an INTEGER, ENUMERATED or BOOLEAN from 0 on
 * @reader: goes on behind it
 * @tag: which of them
 * @value: the number; of a BOOLEAN 0 or 1
 *
 * Return: 0; -EINVAL as der_enter(), and for a negative number or one of over 63 bits.
 */
int der_read_number(struct der_reader *reader, uint8_t tag, uint64_t *value);

/**
 * der_read_fixed - read an OCTET STRING of known size
 * @reader: goes on behind it
 * @bytes: where to put it
 * @size: its bytes
 *
 * Return: 0; -EINVAL as der_enter(), and for another size.
 */
int der_read_fixed(struct der_reader *reader, void *bytes, size_t size);

/**
 * der_read_text - read a UTF8String
 * @reader: goes on behind it
 * @text: where to put it, with a zero at its end
 * @size: room there
 *
 * Return: 0; -EINVAL as der_enter(), and if it is too long or has a control
 * character in it.
 */
int der_read_text(struct der_reader *reader, char *text, size_t size);

/**
 * der_size - bytes of an element
 * @size: bytes of its contents
 */
size_t der_size(size_t size);

/**
 * der_number_size - bytes of an INTEGER, ENUMERATED or BOOLEAN
 * @value: the number
 */
size_t der_number_size(uint64_t value);

/**
 * der_put_start - write what comes before the contents of an element
 * @at: where, with room for 10 bytes
 * @tag: what it is
 * @size: bytes of its contents
 *
 * Return: where the contents belong. This and the other writers are given the room
 * that the sizes say.
 */
uint8_t *der_put_start(uint8_t *at, uint8_t tag, size_t size);

/**
 * der_put - write an element
 * @at: where
 * @tag: what it is
 * @bytes: its contents
 * @size: their number
 *
 * Return: the place behind it.
 */
uint8_t *der_put(uint8_t *at, uint8_t tag, const void *bytes, size_t size);

/**
 * der_put_number - write an INTEGER, ENUMERATED or BOOLEAN
 * @at: where
 * @tag: which of them
 * @value: the number, of up to 63 bits
 *
 * Return: the place behind it.
 */
uint8_t *der_put_number(uint8_t *at, uint8_t tag, uint64_t value);

#endif
