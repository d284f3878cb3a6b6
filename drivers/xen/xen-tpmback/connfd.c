// SPDX-License-Identifier: GPL-2.0-only
/*
 * The descriptor of a connection: an engine reads requests from it and writes
 * responses to it. See Documentation/dev-vtpm.md.
 */
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/uaccess.h>

#include "tpmback.h"

/*
 * One packet on its way to a reader. The bytes stay where they are while the
 * request is in REQUEST_READING.
 */
struct connfd_packet {
	struct vtpm_request header;
	size_t header_size;
	const u8 *body;
	size_t body_size;
};

static void connfd_begin_packet(struct tpmback_conn *conn,
				struct connfd_packet *packet)
{
	packet->header.length = sizeof(conn->hello);
	packet->header.kind = VTPM_REQUEST_BEGIN;
	packet->header_size = sizeof(packet->header);
	packet->body = (const u8 *)&conn->hello;
	packet->body_size = sizeof(conn->hello);
}

static void connfd_native_packet(struct tpmback_conn *conn,
				 struct connfd_packet *packet)
{
	packet->header.sequence = conn->sequence;
	packet->header.length = conn->length;
	packet->header.locality = conn->locality;
	packet->header.kind = conn->kind;
	packet->header_size = sizeof(packet->header);
	packet->body = conn->command;
	packet->body_size = conn->length;
}

static void connfd_raw_packet(struct tpmback_conn *conn,
			      struct connfd_packet *packet)
{
	if (conn->locality != conn->raw_locality) {
		conn->raw = RAW_LOCALITY;
		tpmback_command_set_locality(conn->set_locality, conn->command,
					     conn->locality);
		packet->body = conn->set_locality;
		packet->body_size = sizeof(conn->set_locality);
	} else {
		conn->raw = RAW_COMMAND;
		packet->body = conn->command;
		packet->body_size = conn->length;
	}
}

/* What a reader would get now: BEGIN or the request; NULL if neither is there. */
static enum tpmback_request *connfd_next(struct tpmback_conn *conn)
{
	if (conn->begin == REQUEST_PENDING)
		return &conn->begin;
	if (conn->begin == REQUEST_NONE && conn->request == REQUEST_PENDING)
		return &conn->request;
	return NULL;
}

/*
 * Returns the packet's bytes, 0 if the frontend has gone, or an errno. What has been
 * claimed is in @claimed.
 */
static ssize_t connfd_claim(struct tpmback_conn *conn, size_t room,
			    struct connfd_packet *packet,
			    enum tpmback_request **claimed)
{
	ssize_t size = 0;

	memset(packet, 0, sizeof(*packet));
	spin_lock_irq(&conn->lock);
	if (conn->gone)
		goto out;
	size = -EAGAIN;
	*claimed = connfd_next(conn);
	if (!*claimed)
		goto out;
	if (*claimed == &conn->begin)
		connfd_begin_packet(conn, packet);
	else if (conn->mode == VTPM_MODE_RAW)
		connfd_raw_packet(conn, packet);
	else
		connfd_native_packet(conn, packet);
	size = packet->header_size + packet->body_size;
	if (room < size)
		size = -EMSGSIZE;
	else
		**claimed = REQUEST_READING;
out:
	spin_unlock_irq(&conn->lock);
	return size;
}

static void connfd_settle(struct tpmback_conn *conn,
			  enum tpmback_request *claimed,
			  enum tpmback_request request)
{
	spin_lock_irq(&conn->lock);
	if (*claimed == REQUEST_READING) {
		*claimed = request;
		if (claimed == &conn->request && request == REQUEST_DELIVERED)
			tpmback_ring_handed_out(conn);
	}
	spin_unlock_irq(&conn->lock);
	wake_up_interruptible(&conn->wait);
}

static bool connfd_copy(char __user *buf, const struct connfd_packet *packet)
{
	return !copy_to_user(buf, &packet->header, packet->header_size) &&
	       !copy_to_user(buf + packet->header_size, packet->body,
			     packet->body_size);
}

static bool connfd_readable(struct tpmback_conn *conn)
{
	bool readable;

	spin_lock_irq(&conn->lock);
	readable = conn->gone || connfd_next(conn);
	spin_unlock_irq(&conn->lock);
	return readable;
}

static ssize_t connfd_read(struct file *file, char __user *buf, size_t count,
			   loff_t *pos)
{
	struct tpmback_conn *conn = file->private_data;
	enum tpmback_request *claimed = NULL;
	struct connfd_packet packet;
	ssize_t size;
	int err;

	for (;;) {
		size = connfd_claim(conn, count, &packet, &claimed);
		if (size != -EAGAIN || file->f_flags & O_NONBLOCK)
			break;
		err = wait_event_interruptible(conn->wait,
					       connfd_readable(conn));
		if (err)
			return err;
	}
	if (size <= 0)
		return size;
	if (!connfd_copy(buf, &packet)) {
		connfd_settle(conn, claimed, REQUEST_PENDING);
		return -EFAULT;
	}
	connfd_settle(conn, claimed, REQUEST_DELIVERED);
	return size;
}

/* The write_lock is held: the incoming buffer is ours. */
static ssize_t connfd_take_native(struct tpmback_conn *conn,
				  const char __user *buf, size_t count)
{
	struct vtpm_response header;
	size_t length;
	bool begin;
	int err;

	if (count < sizeof(header))
		return -EINVAL;
	if (copy_from_user(&header, buf, sizeof(header)))
		return -EFAULT;
	length = count - sizeof(header);
	if (header.reserved)
		return -EINVAL;
	if (header.length != length)
		return -EBADMSG;
	if (length > VTPM_MAX_TRANSFER)
		return -EMSGSIZE;
	if (copy_from_user(conn->incoming, buf + sizeof(header), length))
		return -EFAULT;
	/* Only a writer, which is us, or the last close changes this. */
	begin = READ_ONCE(conn->begin) == REQUEST_DELIVERED;
	err = tpmback_ring_answer(conn, header.sequence, length);
	if (err)
		return err;
	/* The answer to BEGIN lets the frontend in. */
	if (begin)
		tpmback_device_try_connect(conn->dev);
	return count;
}

/* As above. */
static ssize_t connfd_take_raw(struct tpmback_conn *conn,
			       const char __user *buf, size_t count)
{
	int err;

	if (count > VTPM_MAX_TRANSFER)
		return -EMSGSIZE;
	if (copy_from_user(conn->incoming, buf, count))
		return -EFAULT;
	if (!tpmback_response_check(conn->incoming, count))
		return -EBADMSG;
	err = tpmback_ring_answer_raw(conn, count);
	return err ? err : count;
}

static ssize_t connfd_write(struct file *file, const char __user *buf,
			    size_t count, loff_t *pos)
{
	struct tpmback_conn *conn = file->private_data;
	ssize_t ret;

	if (mutex_lock_interruptible(&conn->write_lock))
		return -ERESTARTSYS;
	if (READ_ONCE(conn->mode) == VTPM_MODE_RAW)
		ret = connfd_take_raw(conn, buf, count);
	else
		ret = connfd_take_native(conn, buf, count);
	mutex_unlock(&conn->write_lock);
	return ret;
}

static __poll_t connfd_poll(struct file *file, poll_table *wait)
{
	struct tpmback_conn *conn = file->private_data;
	__poll_t mask = 0;

	poll_wait(file, &conn->wait, wait);
	spin_lock_irq(&conn->lock);
	if (conn->gone)
		mask = EPOLLHUP;
	else if (connfd_next(conn))
		mask = EPOLLIN | EPOLLRDNORM;
	else if (conn->begin == REQUEST_DELIVERED ||
		 conn->request == REQUEST_DELIVERED)
		mask = EPOLLOUT | EPOLLWRNORM |
		       (conn->cancel ? EPOLLPRI : 0);
	spin_unlock_irq(&conn->lock);
	return mask;
}

static int connfd_release(struct inode *inode, struct file *file)
{
	struct tpmback_conn *conn = file->private_data;

	tpmback_ring_unserve(conn);
	tpmback_conn_put(conn);
	return 0;
}

static const struct file_operations connfd_fops = {
	.owner = THIS_MODULE,
	.read = connfd_read,
	.write = connfd_write,
	.poll = connfd_poll,
	.release = connfd_release,
};

/**
 * tpmback_connfd_open() - accept a connection
 * @conn: the connection
 * @policy: what the controller asks for; it has been checked
 *
 * Context: process; may sleep. No lock is held.
 * Return: a new descriptor, or a negative errno as VTPM_IOC_ACCEPT says.
 */
int tpmback_connfd_open(struct tpmback_conn *conn, const struct vtpm_accept *policy)
{
	struct file *file;
	int err, fd;

	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0)
		return fd;
	err = tpmback_ring_serve(conn, policy);
	if (err)
		goto err_fd;
	file = anon_inode_getfile("[vtpm]", &connfd_fops, conn, O_RDWR);
	if (IS_ERR(file)) {
		err = PTR_ERR(file);
		goto err_serve;
	}
	tpmback_conn_get(conn);
	tpmback_device_try_connect(conn->dev);
	fd_install(fd, file);
	return fd;

err_serve:
	tpmback_ring_unserve(conn);
err_fd:
	put_unused_fd(fd);
	return err;
}
