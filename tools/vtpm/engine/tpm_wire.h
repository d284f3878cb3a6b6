/* SPDX-License-Identifier: GPL-2.0-only */
/* Numbers and byte order of TPM commands, as the TCG's specifications have them. */
#ifndef ENGINE_TPM_WIRE_H
#define ENGINE_TPM_WIRE_H

#include <stdint.h>

#define TPM12_TAG_RESPONSE		0x00c4
#define TPM2_ST_NO_SESSIONS		0x8001
#define TPM2_RS_PW			0x40000009
#define TPM2_NV_ORDERLY			0x04000000
#define TPM2_RC_FAILURE			0x101

#define TPM2_CC_CREATE_PRIMARY		0x131
#define TPM2_CC_NV_INCREMENT		0x134
#define TPM2_CC_NV_SET_BITS		0x135
#define TPM2_CC_NV_EXTEND		0x136
#define TPM2_CC_NV_WRITE		0x137
#define TPM2_CC_PCR_EVENT		0x13c
#define TPM2_CC_PCR_RESET		0x13d
#define TPM2_CC_SET_AUDIT_STATUS	0x140
#define TPM2_CC_INCREMENTAL_SELF_TEST	0x142
#define TPM2_CC_SELF_TEST		0x143
#define TPM2_CC_NV_READ			0x14e
#define TPM2_CC_CREATE			0x153
#define TPM2_CC_SIGN			0x15d
#define TPM2_CC_NV_READ_PUBLIC		0x169
#define TPM2_CC_READ_PUBLIC		0x173
#define TPM2_CC_ECC_PARAMETERS		0x178
#define TPM2_CC_GET_CAPABILITY		0x17a
#define TPM2_CC_GET_RANDOM		0x17b
#define TPM2_CC_GET_TEST_RESULT		0x17c
#define TPM2_CC_HASH			0x17d
#define TPM2_CC_PCR_READ		0x17e
#define TPM2_CC_READ_CLOCK		0x181
#define TPM2_CC_PCR_EXTEND		0x182
#define TPM2_CC_TEST_PARMS		0x18a
#define TPM2_CC_COMMIT			0x18b
#define TPM2_CC_EC_EPHEMERAL		0x18e
#define TPM2_CC_CREATE_LOADED		0x191

static inline uint16_t get_be16(const uint8_t *p)
{
	return p[0] << 8 | p[1];
}

static inline uint32_t get_be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
}

static inline void put_be16(uint8_t *p, uint16_t value)
{
	p[0] = value >> 8;
	p[1] = value;
}

static inline void put_be32(uint8_t *p, uint32_t value)
{
	put_be16(p, value >> 16);
	put_be16(p + 2, value);
}

#endif
