// SPDX-License-Identifier: GPL-2.0-only
/*
 * libcrypto's random numbers come from the kernel, one system call for each request. Its own
 * generators (three in a process) would be instantiated at each start, and to find their cipher libcrypto
 * builds a table of all ciphers: 200 KB in each engine, and a fifth of its start.
 *
 * This interface of libcrypto is an old one, and the only one that does without them.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <errno.h>
#include <sys/random.h>

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "crypto.h"

static int random_bytes_from_kernel(unsigned char *bytes, int size)
{
	while (size > 0) {
		ssize_t n = getrandom(bytes, size, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return 0;
		bytes += n;
		size -= n;
	}
	return 1;
}

static int random_is_there(void)
{
	return 1;
}

int crypto_set_up(struct error *err)
{
	static const RAND_METHOD method = {
		.bytes = random_bytes_from_kernel,
		.pseudorand = random_bytes_from_kernel,
		.status = random_is_there,
	};

	/* The machine's OpenSSL configuration has no say in what a TPM computes. */
	if (OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) == 1 &&
	    RAND_set_rand_method(&method) == 1)
		return 0;
	return error_set(err, EIO, "libcrypto cannot be set up");
}
