// SPDX-License-Identifier: GPL-2.0-only
/* Checksums and encryption of slots, with libcrypto. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <string.h>

#include "vnvram_internal.h"

static const char id_label[] = "xen-vtpm key id";
static const char key_label[] = "xen-vtpm store";

/*
 * By the old functions: to find the same ones by name, libcrypto first makes tables of all names and
 * digests that it knows, 80 KB in each engine. libtpms uses these, too.
 */
int digest_parts(const struct bytes *parts, unsigned int count, uint8_t *result)
{
	SHA256_CTX ctx;
	bool ok = SHA256_Init(&ctx) == 1;

	for (unsigned int i = 0; i < count && ok; i++)
		ok = SHA256_Update(&ctx, parts[i].at, parts[i].size) == 1;
	ok = ok && SHA256_Final(result, &ctx) == 1;
	return ok ? 0 : -ENOMEM;
}

int random_bytes(void *bytes, size_t size)
{
	return RAND_bytes(bytes, size) == 1 ? 0 : -EIO;
}

/* HKDF-SHA256 (RFC 5869). */
static int derive(const uint8_t *master, const void *salt, size_t salt_size, const char *label,
		  uint8_t *result, size_t size)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_id(EVP_PKEY_HKDF, NULL);
	bool ok = ctx && EVP_PKEY_derive_init(ctx) == 1 &&
		  EVP_PKEY_CTX_set_hkdf_md(ctx, EVP_sha256()) == 1 &&
		  EVP_PKEY_CTX_set1_hkdf_salt(ctx, salt, salt_size) == 1 &&
		  EVP_PKEY_CTX_set1_hkdf_key(ctx, master, VNVRAM_KEY_SIZE) == 1 &&
		  EVP_PKEY_CTX_add1_hkdf_info(ctx, (const uint8_t *)label, strlen(label)) == 1 &&
		  EVP_PKEY_derive(ctx, result, &size) == 1;

	EVP_PKEY_CTX_free(ctx);
	return ok ? 0 : -ENOMEM;
}

int vnvram_key_id(const uint8_t *key, uint8_t *id)
{
	return derive(key, "", 0, id_label, id, VNVRAM_KEY_ID_SIZE);
}

/* Each store has a salt of its own, and so its own key and nonces. */
int derive_key(struct vnvram *store)
{
	uint8_t salt[UUID_SIZE + SALT_SIZE];
	int ret;

	if (!store->encrypted)
		return 0;
	memcpy(salt, store->identity.uuid.b, UUID_SIZE);
	memcpy(salt + UUID_SIZE, store->salt, SALT_SIZE);
	ret = vnvram_key_id(store->master, store->key_id);
	return ret ? ret : derive(store->master, salt, sizeof(salt), key_label, store->key,
				  sizeof(store->key));
}

/* AES-256-GCM over header digest, head and body, in place. */
static bool crypt_body(EVP_CIPHER_CTX *ctx, const uint8_t *header_digest,
		       const struct slot_info *slot, int size)
{
	int n;

	return EVP_CipherUpdate(ctx, NULL, &n, header_digest, DIGEST_SIZE) == 1 &&
	       EVP_CipherUpdate(ctx, NULL, &n, slot->head, slot->head_size) == 1 &&
	       EVP_CipherUpdate(ctx, slot->body, &n, slot->body, size) == 1 && n == size;
}

/* The last TAG_SIZE bytes of the body are for the tag. */
int encrypt_body(const struct vnvram *store, const struct slot_info *slot)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int size = slot->body_size - TAG_SIZE, n;
	bool ok = ctx && EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, store->key,
					    slot->nonce) == 1 &&
		  crypt_body(ctx, store->header_digest, slot, size) &&
		  EVP_EncryptFinal_ex(ctx, slot->body + size, &n) == 1 &&
		  EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG_SIZE,
				      slot->body + size) == 1;

	EVP_CIPHER_CTX_free(ctx);
	return ok ? 0 : -ENOMEM;
}

int decrypt_body(const struct vnvram *store, const uint8_t *header_digest,
		 struct slot_info *slot)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int size = slot->body_size - TAG_SIZE, n;
	bool ok = ctx && EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, store->key,
					    slot->nonce) == 1 &&
		  EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG_SIZE,
				      slot->body + size) == 1 &&
		  crypt_body(ctx, header_digest, slot, size);

	if (!ok) {
		EVP_CIPHER_CTX_free(ctx);
		return -ENOMEM;
	}
	ok = EVP_DecryptFinal_ex(ctx, slot->body + size, &n) == 1;
	EVP_CIPHER_CTX_free(ctx);
	slot->body_size = size;
	return ok ? 0 : -EUCLEAN;
}
