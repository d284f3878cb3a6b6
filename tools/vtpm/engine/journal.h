/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A journal: commands whose effect on a TPM follows from its state and from the command alone, one behind
 * the other, as they were executed and succeeded. Executed once more on the state
 * from before the first of them they lead to the state after the last one.
 *
 * Each is a byte for the locality, three of 0, the command's length (u32, in the byte order of
 * the host, which a journal does not leave), and the command.
 */
#ifndef ENGINE_JOURNAL_H
#define ENGINE_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of a journal at most: some sixty PCR_Extends. */
#define JOURNAL_MAX	4096

/**
 * struct journal_entry - one command
 * @locality: where it came from, 0 to 4
 * @size: bytes of @command
 * @command: the command
 */
struct journal_entry {
	uint8_t locality;
	size_t size;
	const uint8_t *command;
};

/**
 * journal_append - put a command behind those that are there
 * @journal: JOURNAL_MAX bytes
 * @used: how many of them are in use
 * @entry: the command
 *
 * Return: bytes in use then; 0, there is no room.
 */
size_t journal_append(uint8_t *journal, size_t used, const struct journal_entry *entry);

/**
 * journal_next - read a journal, from the first command on
 * @journal: the journal
 * @used: its bytes
 * @at: 0 at first; moved on to the next command
 * @entry: the command
 *
 * Return: true, there is one; false, that was the last one, if *@at is @used, else the journal
 * makes no sense.
 */
bool journal_next(const uint8_t *journal, size_t used, size_t *at, struct journal_entry *entry);

#endif
