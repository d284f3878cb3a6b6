// SPDX-License-Identifier: GPL-2.0-only
#include <linux/printk.h>

struct conn {
	u8 *command, *response, *incoming, session[16];
	u32 length;
	struct vtpm_begin hello;
};

static void good(struct conn *conn)
{
	pr_notice("vTPM %pUb: command of %u bytes\n", uuid, conn->length);
	dev_err(dev, "state %u, %pe, 100%\n", conn->length, ERR_PTR(err));
	memcpy(conn->command, conn->response, 10);
	snprintf(name, sizeof(name), "%pUb", uuid);
}

static void bytes_by_format(struct conn *conn, u8 *copy)
{
	pr_debug("%*ph\n", 10, copy); /* bad */
	pr_debug("%10phN\n", copy); /* bad */
	dev_dbg(dev, "command %*phD of %u\n", 10, copy, conn->length); /* bad */
	snprintf(name, sizeof(name), "%*pE", 10, copy); /* bad */
}

static void dumps(struct conn *conn, u8 *copy)
{
	print_hex_dump(KERN_DEBUG, "", DUMP_PREFIX_OFFSET, 16, 1, copy, 10, false); /* bad */
	print_hex_dump_bytes("", DUMP_PREFIX_OFFSET, copy, 10); /* bad */
	print_hex_dump_debug("", DUMP_PREFIX_OFFSET, 16, 1, copy, 10, false); /* bad */
	trace_printk("%u", copy[0]); /* bad */
}

static void bytes_by_name(struct conn *conn)
{
	pr_debug("tag %u\n", get_unaligned_be16(conn->command)); /* bad */
	pr_err("%02x\n", conn->response[0]); /* bad */
	dev_info(dev, "%s", conn->incoming); /* bad */
	printk(KERN_INFO "%pUb\n", conn->session); /* bad */
	xenbus_dev_error(xdev, -EINVAL, "%pUb", conn->hello.session); /* bad */
	seq_printf(m, "%u", ring_packet(conn)[6]); /* bad */
	trace_vtpm_command(conn->command, conn->length); /* bad */
}
