// SPDX-License-Identifier: GPL-2.0-only
/*
 * Changes that keep DER well-formed. Without them a length that does not fit any more
 * hides what is behind it.
 */
#include "der.h"
#include "fuzz.h"

#define MAX_ELEMENTS	64

/* The elements that stand side by side from @data on. */
struct elements {
	struct der_reader inside[MAX_ELEMENTS];
	const uint8_t *begin[MAX_ELEMENTS];
	size_t size[MAX_ELEMENTS];
	unsigned int count;
};

static unsigned int next(unsigned int *seed)
{
	*seed = *seed * 1103515245 + 12345;
	return *seed >> 16;
}

static void find(struct elements *elements, const uint8_t *data, size_t size)
{
	struct der_reader reader = { data, size };

	elements->count = 0;
	while (reader.left && elements->count < MAX_ELEMENTS) {
		unsigned int i = elements->count;

		elements->begin[i] = reader.at;
		if (der_enter(&reader, *reader.at, &elements->inside[i]))
			return;
		elements->size[i] = reader.at - elements->begin[i];
		elements->count++;
	}
}

/* Puts @inside with a new length where an element was; what is behind it moves. */
static size_t replace(uint8_t *data, size_t size, size_t max_size, size_t begin, size_t old,
		      const uint8_t *inside, size_t inside_size)
{
	uint8_t tag = data[begin];
	size_t now = der_size(inside_size), behind = size - begin - old;

	if (size - old + now > max_size)
		return size;
	memmove(data + begin + now, data + begin + old, behind);
	der_put(data + begin, tag, inside, inside_size);
	return begin + now + behind;
}

static size_t change_inside(uint8_t *data, size_t size, size_t max_size,
			    const struct elements *elements, unsigned int i, unsigned int seed,
			    bool cut)
{
	size_t begin = elements->begin[i] - data, inside = elements->inside[i].left;
	size_t room = inside + (max_size - size);
	uint8_t *copy = malloc(room + 1);

	if (!copy)
		return size;
	memcpy(copy, elements->inside[i].at, inside);
	if (cut)
		inside = next(&seed) % (inside + 1);
	else if (room)
		inside = der_mutate(copy, inside, room, seed);
	size = replace(data, size, max_size, begin, elements->size[i], copy, inside);
	free(copy);
	return size;
}

/* Whole elements: one goes, or stands twice. */
static size_t change_whole(uint8_t *data, size_t size, size_t max_size,
			   const struct elements *elements, unsigned int i, bool twice)
{
	size_t begin = elements->begin[i] - data, one = elements->size[i];

	if (!twice) {
		memmove(data + begin, data + begin + one, size - begin - one);
		return size - one;
	}
	if (size + one > max_size)
		return size;
	memmove(data + begin + one, data + begin, size - begin);
	return size + one;
}

size_t der_mutate(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
	struct elements elements;
	unsigned int i;

	find(&elements, data, size);
	if (!elements.count || next(&seed) % 8 == 0)
		return LLVMFuzzerMutate(data, size, max_size);
	i = next(&seed) % elements.count;
	switch (next(&seed) % 16) {
	case 0:
		return change_whole(data, size, max_size, &elements, i, false);
	case 1:
		return change_whole(data, size, max_size, &elements, i, true);
	case 2:
		return change_inside(data, size, max_size, &elements, i, seed, true);
	default:
		return change_inside(data, size, max_size, &elements, i, seed, false);
	}
}
