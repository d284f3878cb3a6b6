/* SPDX-License-Identifier: GPL-2.0-only */
/* What the fuzz targets share. */
#ifndef FUZZ_FUZZ_H
#define FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What libFuzzer calls, and what it offers. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);

/* A finding unless @condition holds. */
#define require(condition)							\
	do {									\
		if (!(condition)) {						\
			fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__,	\
				__LINE__, #condition);				\
			abort();						\
		}								\
	} while (0)

/**
 * struct input - what is left of an input that is taken piece by piece
 * @at: the next byte
 * @left: bytes from there on
 */
struct input {
	const uint8_t *at;
	size_t left;
};

/**
 * input_byte - take one byte
 * @input: the input
 *
 * Return: the byte; 0 if there is none left.
 */
static inline uint8_t input_byte(struct input *input)
{
	if (!input->left)
		return 0;
	input->left--;
	return *input->at++;
}

/**
 * input_take - take bytes
 * @input: the input
 * @bytes: where to put them; what is missing becomes zero
 * @size: how many
 *
 * Return: how many there were.
 */
static inline size_t input_take(struct input *input, void *bytes, size_t size)
{
	size_t have = size < input->left ? size : input->left;

	memset(bytes, 0, size);
	if (have)
		memcpy(bytes, input->at, have);
	input->at += have;
	input->left -= have;
	return have;
}

/**
 * der_mutate - change DER somewhere, and mend the lengths of all around that
 * @data: the bytes, changed in place
 * @size: their number
 * @max_size: room there
 * @seed: decides what is changed
 *
 * What is no DER is changed as libFuzzer likes.
 *
 * Return: bytes that there are now.
 */
size_t der_mutate(uint8_t *data, size_t size, size_t max_size, unsigned int seed);

#endif
