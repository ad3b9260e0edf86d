// SPDX-License-Identifier: GPL-2.0-only
/*
 * A slave as an instance of remoteproc.
 *
 * Two kinds of work come with an interrupt:
 *
 * - events (a request was answered, the slave changed its state) are dealt with
 *   in the interrupt's thread, which must not take rproc->lock: start and stop
 *   hold it while they wait for an event;
 * - vectors are the ids of virtqueues. They are collected, and a work item of
 *   the slave's own hands them over under rproc->lock, so that virtqueues cannot
 *   go meanwhile, and a callback that waits holds up nobody else.
 */

#include <linux/bitops.h>
#include <linux/elf.h>
#include <linux/of.h>
#include <linux/of_address.h>

#include "idm_rproc.h"

#define IDM_STATE_TIMEOUT	(5 * HZ)	/* one that died may be started again by then */

static u32 idm_slave_state(struct idm_slave *slave)
{
	return idm_state(slave->regs);
}

/* ------------------------------------------------------------------------ */
/* Requests                                                                 */

static int idm_slave_request(struct idm_slave *slave, u32 request)
{
	int ret = idm_request(slave->regs, &slave->changed, request, false);

	if (ret == -ETIMEDOUT)
		dev_err(&slave->rproc->dev, "the platform does not answer\n");
	return ret;
}

/* Returns the time that is left, 0 if there is none. */
static long idm_wait_state(struct idm_slave *slave, unsigned long states)
{
	return wait_event_timeout(slave->changed, BIT(idm_slave_state(slave)) & states,
				  IDM_STATE_TIMEOUT);
}

static void idm_expect_running(struct idm_slave *slave, bool expected)
{
	spin_lock(&slave->lock);
	slave->expect_running = expected && !slave->removed;
	spin_unlock(&slave->lock);
}

/* For good, whatever a recovery that is on its way says. */
static void idm_expect_no_crash(struct idm_slave *slave)
{
	spin_lock(&slave->lock);
	slave->removed = true;
	slave->expect_running = false;
	spin_unlock(&slave->lock);
}

static void idm_check_state(struct idm_slave *slave)
{
	struct device *dev = &slave->rproc->dev;
	u32 state;

	/* Reported under the lock, so that nothing comes after idm_expect_no_crash(). */
	spin_lock(&slave->lock);
	state = idm_slave_state(slave);
	if (slave->expect_running && !idm_state_is_alive(state)) {
		slave->expect_running = false;
		dev_err(dev, "it does not run any more: it is %s\n", idm_state_name(state));
		rproc_report_crash(slave->rproc, state == IDM_STATE_CRASHED ? RPROC_FATAL_ERROR
									    : RPROC_WATCHDOG);
	}
	spin_unlock(&slave->lock);
}

/* ------------------------------------------------------------------------ */
/* Operations                                                               */

/* The device tree and the IDM are of different makers. */
static bool idm_window_is_right(struct idm_slave *slave)
{
	return idm_window_base(slave->regs) == slave->window &&
		idm_window_size(slave->regs) == slave->window_size;
}

/*
 * Before anything is written to it. One that has crashed is stopped first: it
 * may have done so while nobody looked.
 */
static int idm_check_ready(struct idm_slave *slave)
{
	u32 state = idm_slave_state(slave);

	if (state == IDM_STATE_CRASHED) {
		if (!idm_slave_request(slave, IDM_CONTROL_STOP))
			idm_wait_state(slave, ~BIT(IDM_STATE_CRASHED));
		state = idm_slave_state(slave);
	}
	if (state != IDM_STATE_READY) {
		dev_err(&slave->rproc->dev, "it is %s and cannot be started\n",
			idm_state_name(state));
		return idm_state_is_alive(state) ? -EBUSY : -ENODEV;
	}
	return 0;
}

static int idm_prepare(struct rproc *rproc)
{
	struct idm_slave *slave = rproc->priv;
	int ret;

	slave->recovering = false;
	slave->attached = rproc->state == RPROC_DETACHED;
	/* The core forgets that it has freed this, and frees it when it cannot attach. */
	rproc->clean_table = NULL;
	if (!slave->attached) {
		ret = idm_check_ready(slave);
		if (ret)
			return ret;
	}
	if (!idm_window_is_right(slave)) {
		dev_err(&rproc->dev, "its window is not where the device tree has it\n");
		return -EINVAL;
	}

	/* One that runs has no virtio if it has no resource table. */
	ret = idm_add_dump(slave);
	if (!ret && !slave->attached)
		ret = idm_add_virtio_memory(slave);
	if (ret)
		rproc_resource_cleanup(rproc);
	return ret;
}

static int idm_unprepare(struct rproc *rproc)
{
	struct idm_slave *slave = rproc->priv;

	/* The core forgets this when firmware is refused. */
	rproc_resource_cleanup(rproc);
	idm_forget_table(slave);
	return 0;
}

/* So that another kernel, or this one after a reboot, can attach to what is started now. */
static void idm_tell_table(struct idm_slave *slave)
{
	struct rproc *rproc = slave->rproc;
	bool loaded = rproc->table_ptr && rproc->table_ptr != rproc->cached_table;

	if (slave->extension)
		idm_set_resource_table(slave->extension,
				       loaded ? idm_mapped_address(slave, rproc->table_ptr) : 0);
}

static int idm_start(struct rproc *rproc)
{
	struct idm_slave *slave = rproc->priv;
	u32 ready = BIT(IDM_STATE_READY);
	int ret = -ENODEV;

	/* After a crash its process may be on its way back. */
	if (!idm_wait_state(slave, ready)) {
		dev_err(&rproc->dev, "it is %s and cannot be started\n",
			idm_state_name(idm_slave_state(slave)));
		goto failed;
	}

	atomic_set(&slave->vectors, 0);
	writel(~0u, slave->regs + IDM_PENDING);
	writel(~0u, slave->regs + IDM_ENABLE);
	idm_set_boot(slave->regs, rproc->bootaddr, 0);
	idm_tell_table(slave);

	ret = idm_slave_request(slave, IDM_CONTROL_START | IDM_CONTROL_PROTOCOL(slave->protocol));
	if (ret) {
		dev_err(&rproc->dev, "its start was %s (%d)\n",
			ret == -EPERM ? "refused" : "not successful", ret);
		goto failed;
	}
	if (!idm_wait_state(slave, ~ready)) {
		dev_err(&rproc->dev, "it was started and does not run\n");
		ret = -ETIMEDOUT;
		goto failed;
	}

	slave->recovering = false;
	idm_expect_running(slave, true);
	idm_check_state(slave);
	return 0;

failed:
	writel(0, slave->regs + IDM_ENABLE);
	return ret;
}

/* As the core does it when a slave is stopped. Its image is not known: it is not a crashed one. */
static void idm_give_up(struct rproc *rproc)
{
	idm_unprepare(rproc);
	kfree(rproc->cached_table);
	rproc->cached_table = NULL;
	rproc->table_ptr = NULL;
	atomic_set(&rproc->power, 0);
}

/*
 * Makes the state of the core that of the slave, where it would not come to it
 * by itself: after a recovery that has failed, and when somebody else boots or
 * stops the slave.
 */
static void idm_settle_work(struct work_struct *work)
{
	struct idm_slave *slave = container_of(work, struct idm_slave, settle_work);
	struct rproc *rproc = slave->rproc;
	bool alive;

	mutex_lock(&rproc->lock);
	alive = idm_state_is_alive(idm_slave_state(slave));
	if (rproc->state == RPROC_OFFLINE && slave->recovering) {
		/*
		 * The core counts it as in use, so that it could neither be
		 * started nor stopped. As a crashed one it can be recovered.
		 */
		if (slave->attached)
			idm_give_up(rproc);
		else
			rproc->state = RPROC_CRASHED;
		slave->recovering = false;
		slave->attached = false;
	}
	if (rproc->state == RPROC_OFFLINE && alive && !atomic_read(&rproc->power))
		rproc->state = RPROC_DETACHED;
	else if (rproc->state == RPROC_DETACHED && !alive)
		rproc->state = RPROC_OFFLINE;
	mutex_unlock(&rproc->lock);
}

static int idm_stop(struct rproc *rproc)
{
	struct idm_slave *slave = rproc->priv;
	u32 state;
	int ret = 0;

	/* What comes of it is looked at when the recovery is over, and the lock free. */
	slave->recovering = rproc->state == RPROC_CRASHED;
	if (slave->recovering)
		queue_work(slave->idm->workqueue, &slave->settle_work);
	idm_expect_running(slave, false);
	writel(0, slave->regs + IDM_ENABLE);
	idm_leave_loaded_table(slave);

	state = idm_slave_state(slave);
	if (idm_state_is_alive(state) || state == IDM_STATE_CRASHED)
		ret = idm_slave_request(slave, IDM_CONTROL_STOP);
	/* The answer may be here before the state is, which the next start looks at. */
	if (!ret)
		idm_wait_state(slave, ~(BIT(IDM_STATE_RUNNING) | BIT(IDM_STATE_PAUSED)));

	/* One whose process is gone cannot be stopped, and need not. */
	state = idm_slave_state(slave);
	if (!ret || !idm_state_is_alive(state))
		return 0;

	dev_err(&rproc->dev, "it cannot be stopped (%d), it is %s\n", ret, idm_state_name(state));
	idm_expect_running(slave, true);
	writel(~0u, slave->regs + IDM_ENABLE);
	return ret;
}

/* Somebody else has booted it. Its virtqueues are made next, if it has a resource table. */
static int idm_attach(struct rproc *rproc)
{
	struct idm_slave *slave = rproc->priv;

	if (!idm_state_is_alive(idm_slave_state(slave)))
		return -ENODEV;

	/* What came for a driver before us */
	atomic_set(&slave->vectors, 0);
	writel(~0u, slave->regs + IDM_PENDING);
	writel(~0u, slave->regs + IDM_ENABLE);
	idm_use_loaded_table(slave);
	idm_expect_running(slave, true);
	idm_check_state(slave);
	return 0;
}

/* It goes on; its resource table is that of a slave without a driver again. */
static int idm_detach(struct rproc *rproc)
{
	struct idm_slave *slave = rproc->priv;

	idm_expect_running(slave, false);
	writel(0, slave->regs + IDM_ENABLE);
	if (slave->table)
		idm_tell_driver_left(slave);
	return 0;
}

static void idm_kick(struct rproc *rproc, int vqid)
{
	struct idm_slave *slave = rproc->priv;

	if (vqid >= 0 && vqid < 32)
		writel(vqid, slave->regs + IDM_DOORBELL);
	else
		dev_warn_once(&rproc->dev, "virtqueue %d has no vector\n", vqid);
}

static const struct rproc_ops idm_rproc_ops = {
	.prepare = idm_prepare,
	.unprepare = idm_unprepare,
	.start = idm_start,
	.stop = idm_stop,
	.attach = idm_attach,
	.detach = idm_detach,
	.kick = idm_kick,
	.load = idm_load,
	.parse_fw = idm_parse_fw,
	.find_loaded_rsc_table = rproc_elf_find_loaded_rsc_table,
	.get_loaded_rsc_table = idm_get_loaded_table,
	.sanity_check = idm_sanity_check,
	.get_boot_addr = idm_get_boot_addr,
};

/* ------------------------------------------------------------------------ */
/* Interrupts                                                               */

static void idm_vector_work(struct work_struct *work)
{
	struct idm_slave *slave = container_of(work, struct idm_slave, vector_work);
	struct rproc *rproc = slave->rproc;
	unsigned long vectors;
	unsigned int vector;

	mutex_lock(&rproc->lock);
	vectors = (u32)atomic_xchg(&slave->vectors, 0);
	if (rproc->state == RPROC_RUNNING || rproc->state == RPROC_ATTACHED)
		for_each_set_bit(vector, &vectors, 32)
			rproc_vq_interrupt(rproc, vector);
	mutex_unlock(&rproc->lock);
}

bool idm_slave_interrupt(struct idm_slave *slave)
{
	u32 vectors = idm_take(slave->regs, slave->take);
	u32 events = readl(slave->regs + IDM_EVENT);

	if (vectors) {
		atomic_or(vectors, &slave->vectors);
		queue_work(slave->idm->workqueue, &slave->vector_work);
	}
	if (events) {
		writel(events, slave->regs + IDM_EVENT);
		wake_up_all(&slave->changed);
		idm_check_state(slave);
		if (events & IDM_EVENT_STATE)
			queue_work(slave->idm->workqueue, &slave->settle_work);
	}
	return vectors || events;
}

/* ------------------------------------------------------------------------ */
/* Set-up                                                                   */

static int idm_parse_protocol(struct device_node *np, u32 *protocol)
{
	const char *name;

	*protocol = IDM_PROTOCOL_RAW;
	if (of_property_read_string(np, "het,boot-protocol", &name) || !strcmp(name, "raw"))
		return 0;
	if (!strcmp(name, "vector-table"))
		*protocol = IDM_PROTOCOL_VECTORS;
	else if (!strcmp(name, "linux"))
		*protocol = IDM_PROTOCOL_LINUX;
	else
		return -EINVAL;
	return 0;
}

static int idm_parse_window(struct device_node *np, struct idm_slave *slave)
{
	struct device_node *region = of_parse_phandle(np, "memory-region", 0);
	struct resource res;
	int ret;

	if (!region)
		return -EINVAL;
	ret = of_address_to_resource(region, 0, &res);
	of_node_put(region);
	if (ret)
		return ret;

	slave->window = res.start;
	slave->window_size = resource_size(&res);
	return 0;
}

static bool idm_window_is_possible(struct idm_slave *slave)
{
	return slave->window_size > IDM_VIRTIO_SIZE && PAGE_ALIGNED(slave->window) &&
		PAGE_ALIGNED(slave->window_size);
}

static struct idm_slave *idm_slave_alloc(struct idm *idm, const char *name, const char *firmware)
{
	struct idm_slave *slave;
	struct rproc *rproc;

	rproc = rproc_alloc(idm->dev, name, &idm_rproc_ops, firmware, sizeof(*slave));
	if (!rproc)
		return NULL;

	rproc->auto_boot = false;
	rproc->has_iommu = false;
	slave = rproc->priv;
	slave->rproc = rproc;
	slave->idm = idm;
	init_waitqueue_head(&slave->changed);
	INIT_WORK(&slave->vector_work, idm_vector_work);
	INIT_WORK(&slave->settle_work, idm_settle_work);
	spin_lock_init(&slave->lock);
	rproc_coredump_set_elf_info(rproc, ELFCLASS32, EM_ARM);
	return slave;
}

struct idm_slave *idm_slave_alloc_node(struct idm *idm, struct device_node *np)
{
	const char *name = np->name, *firmware = NULL;

	of_property_read_string(np, "label", &name);
	of_property_read_string(np, "firmware-name", &firmware);
	return idm_slave_alloc(idm, name, firmware);
}

struct idm_slave *idm_slave_alloc_id(struct idm *idm, unsigned int id)
{
	char name[16];

	snprintf(name, sizeof(name), "slave%u", id);
	return idm_slave_alloc(idm, name, NULL);
}

static int idm_slave_claim(struct idm_slave *slave)
{
	if (!idm_window_is_possible(slave))
		return -EINVAL;
	slave->regs = slave->idm->base + IDM_COUPLE(slave->id);
	slave->extension = idm_extension(slave->idm->base, slave->id);
	slave->take = idm_take_register(slave->idm->base, slave->id);
	writel(0, slave->regs + IDM_ENABLE);
	writel(~0u, slave->regs + IDM_PENDING);
	writel(IDM_EVENT_STATE | IDM_EVENT_REQUEST, slave->regs + IDM_EVENT);
	return 0;
}

int idm_slave_parse(struct idm_slave *slave, struct device_node *np)
{
	int ret;

	ret = of_property_read_u32(np, "reg", &slave->id);
	if (!ret && (slave->id == 0 || slave->id >= IDM_COUPLE_MAX))
		ret = -EINVAL;
	if (!ret)
		ret = idm_parse_protocol(np, &slave->protocol);
	if (!ret)
		ret = idm_parse_window(np, slave);
	return ret ?: idm_slave_claim(slave);
}

int idm_slave_find(struct idm_slave *slave, unsigned int id)
{
	void __iomem *regs = slave->idm->base + IDM_COUPLE(id);

	slave->id = id;
	slave->protocol = IDM_PROTOCOL_AUTO;
	slave->window = idm_window_base(regs);
	slave->window_size = idm_window_size(regs);
	return idm_slave_claim(slave);
}

int idm_slave_register(struct idm_slave *slave)
{
	int ret;

	writel(IDM_EVENT_STATE | IDM_EVENT_REQUEST, slave->regs + IDM_EVENT_ENABLE);
	if (idm_state_is_alive(idm_slave_state(slave)))
		slave->rproc->state = RPROC_DETACHED;
	ret = rproc_add(slave->rproc);
	if (ret)
		writel(0, slave->regs + IDM_EVENT_ENABLE);
	return ret;
}

void idm_slave_remove(struct idm_slave *slave)
{
	struct rproc *rproc = slave->rproc;

	/* No new crash, and the recovery from an old one is over. */
	idm_expect_no_crash(slave);
	flush_work(&rproc->crash_handler);
	flush_work(&slave->settle_work);

	/*
	 * The core would not clean up after one whose recovery has failed, and
	 * counts what was started meanwhile as one more user.
	 */
	mutex_lock(&rproc->lock);
	if (rproc->state == RPROC_CRASHED)
		rproc->state = RPROC_RUNNING;
	if (rproc->state == RPROC_RUNNING)
		atomic_set(&rproc->power, 1);
	mutex_unlock(&rproc->lock);

	rproc_del(rproc);
	writel(0, slave->regs + IDM_ENABLE);
	writel(0, slave->regs + IDM_EVENT_ENABLE);
}
