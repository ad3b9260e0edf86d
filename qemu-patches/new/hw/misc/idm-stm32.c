/*
 * STM32 view of a couple: the registers and the mailbox
 *
 * A flag that was received is a bit of the IDM's PENDING, a flag that was
 * set a channel of the couple (hw/core/het-channel.c), so each works with
 * either kind of registers at the other end. A sender that does not wait,
 * because it uses those of the IDM, may send again before the flag was
 * cleared; where the IDM's protocol says "acknowledge, then look", drivers
 * of the mailbox look first. So what comes again meanwhile sets the flag
 * once more when it is cleared.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/log.h"
#include "hw/misc/idm-stm32.h"
#include "system/runstate.h"
#include "trace.h"

/* --- the mailbox --- */

static IDMCouple *idm_stm32_couple(IDMStm32State *s)
{
    return &s->view.idm->couple[s->view.id];
}

static uint32_t idm_stm32_received_flags(IDMStm32State *s)
{
    return idm_stm32_couple(s)->pending & STM32_CHANNEL_MASK;
}

static uint32_t idm_stm32_own_flags(IDMStm32State *s)
{
    const HetCoupleState *c = het_couple_find(s->view.id);

    return c ? het_channels_raised(c) & STM32_CHANNEL_MASK : 0;
}

static void idm_stm32_update_irqs(IDMStm32State *s)
{
    uint32_t received = idm_stm32_received_flags(s) & ~s->mask;
    uint32_t free = ~idm_stm32_own_flags(s) & ~(s->mask >> 16) &
                    STM32_CHANNEL_MASK;
    bool rx = (s->control & STM32_IPCC_CR_RXOIE) && received;
    bool tx = (s->control & STM32_IPCC_CR_TXFIE) && free;

    trace_idm_stm32_irqs(s->view.id, rx, tx);
    qemu_set_irq(s->rx, rx);
    qemu_set_irq(s->tx, tx);
}

static void idm_stm32_clear_flags(IDMStm32State *s, uint32_t flags)
{
    uint32_t again = s->repeated & flags;

    if (current_cpu) {
        het_couple_set_cpu(current_cpu);
    }
    s->repeated &= ~flags;
    idm_acknowledge(s->view.idm, s->view.id, flags);
    if (again) {
        idm_stm32_couple(s)->pending |= again;
        idm_update_couple(s->view.idm, s->view.id);
    }
}

static void idm_stm32_set_flags(IDMStm32State *s, uint32_t flags)
{
    HetCoupleState *c = het_couple_find(s->view.id);

    for (; c && flags; flags &= flags - 1) {
        het_channel_raise(c, ctz32(flags));
    }
}

static void idm_stm32_received(IDMView *view, uint32_t repeated)
{
    IDMStm32State *s = container_of(view, IDMStm32State, view);

    s->repeated |= repeated & STM32_CHANNEL_MASK;
    idm_stm32_update_irqs(s);
}

/* Those that interrupt when they come */
static uint32_t idm_stm32_heard(const IDMView *view)
{
    const IDMStm32State *s = container_of(view, IDMStm32State, view);

    return s->control & STM32_IPCC_CR_RXOIE ? ~s->mask & STM32_CHANNEL_MASK : 0;
}

static void idm_stm32_acknowledged(IDMView *view)
{
    idm_stm32_update_irqs(container_of(view, IDMStm32State, view));
}

static void idm_stm32_changed(IDMView *view)
{
    IDMStm32State *s = container_of(view, IDMStm32State, view);

    idm_stm32_update_irqs(s);
    if (idm_is_master()) {
        idm_stm32_run_changed(s);
    }
}

static void idm_stm32_completed(IDMView *view)
{
    idm_stm32_run_completed(container_of(view, IDMStm32State, view));
}

static const IDMViewOps idm_stm32_view_ops = {
    .received = idm_stm32_received,
    .heard = idm_stm32_heard,
    .changed = idm_stm32_changed,
    .request_completed = idm_stm32_completed,
    .acknowledged = idm_stm32_acknowledged,
};

/* --- registers: the mailbox --- */

static unsigned idm_stm32_processor(void)
{
    return idm_is_master() ? 0 : 1;
}

static bool idm_stm32_read_mailbox(IDMStm32State *s, hwaddr addr,
                                   uint32_t *value)
{
    unsigned self = idm_stm32_processor();

    if (addr == STM32_IPCC_BLOCK(!self) + STM32_IPCC_TOSR) {
        *value = idm_stm32_received_flags(s);
        return true;
    }
    switch (addr - STM32_IPCC_BLOCK(self)) {
    case STM32_IPCC_CR:
        *value = s->control;
        return true;
    case STM32_IPCC_MR:
        *value = s->mask;
        return true;
    case STM32_IPCC_SCR:
        /* Linux reads it, to set bits */
        return true;
    case STM32_IPCC_TOSR:
        *value = idm_stm32_own_flags(s);
        return true;
    default:
        return false;
    }
}

static bool idm_stm32_write_mailbox(IDMStm32State *s, hwaddr addr,
                                    uint32_t value)
{
    switch (addr - STM32_IPCC_BLOCK(idm_stm32_processor())) {
    case STM32_IPCC_CR:
        s->control = value & (STM32_IPCC_CR_RXOIE | STM32_IPCC_CR_TXFIE);
        break;
    case STM32_IPCC_MR:
        s->mask = value;
        break;
    case STM32_IPCC_SCR:
        idm_stm32_clear_flags(s, value & STM32_CHANNEL_MASK);
        idm_stm32_set_flags(s, (value >> 16) & STM32_CHANNEL_MASK);
        break;
    default:
        return false;
    }
    idm_stm32_update_irqs(s);
    return true;
}

/* --- registers: reset, system configuration and power --- */

uint32_t idm_stm32_resource_table(IDMStm32State *s)
{
    const HetCoupleState *c = het_couple_find(s->view.id);
    uint64_t table = c ? het_couple_peer_resource_table(c) : 0;

    return table <= UINT32_MAX ? table : 0;
}

static bool idm_stm32_read_master(IDMStm32State *s, hwaddr addr,
                                  uint32_t *value)
{
    switch (addr) {
    case STM32_RESET:
    case STM32_TZEN:
        *value = 0;
        return true;
    case STM32_HOLD_BOOT:
        *value = s->run.released ? STM32_HOLD_BOOT_RELEASE : 0;
        return true;
    case STM32_PDDS:
        *value = s->run.pdds;
        return true;
    case STM32_STATE:
        *value = idm_stm32_run_state(s);
        return true;
    case STM32_RESOURCE_TABLE:
        *value = idm_stm32_resource_table(s);
        return true;
    default:
        return false;
    }
}

static bool idm_stm32_write_master(IDMStm32State *s, hwaddr addr,
                                   uint32_t value)
{
    switch (addr) {
    case STM32_RESET:
        if (value & STM32_RESET_SLAVE) {
            s->repeated = 0;
            idm_acknowledge(s->view.idm, s->view.id, STM32_CHANNEL_MASK);
            idm_stm32_run_reset(s);
            idm_stm32_update_irqs(s);
        }
        return true;
    case STM32_HOLD_BOOT:
        idm_stm32_run_release(s, value & STM32_HOLD_BOOT_RELEASE);
        return true;
    case STM32_PDDS:
        s->run.pdds = value & 1;
        return true;
    case STM32_STATE:
        /* Linux writes what it believes; the truth is the slave's state */
        return true;
    default:
        return false;
    }
}

static bool idm_stm32_read_slave(hwaddr addr, uint32_t *value)
{
    switch (addr) {
    case STM32_RESOURCE_TABLE:
        *value = het_resource_table();
        return true;
    case STM32_HEARTBEAT:
        *value = het_heartbeat_ms();
        return true;
    default:
        return false;
    }
}

static bool idm_stm32_write_slave(hwaddr addr, uint32_t value)
{
    switch (addr) {
    case STM32_RESOURCE_TABLE:
        het_set_resource_table(value);
        return true;
    case STM32_WATCHDOG:
        qemu_system_vmstop_request_prepare();
        qemu_system_vmstop_request(RUN_STATE_WATCHDOG);
        return true;
    case STM32_HEARTBEAT:
        het_heartbeat();
        return true;
    default:
        return false;
    }
}

/* --- the region --- */

static bool idm_stm32_read_reg(IDMStm32State *s, hwaddr addr, uint32_t *value)
{
    switch (addr) {
    case STM32_IPCC_HWCFGR:
        *value = STM32_CHANNELS;
        return true;
    case STM32_IPCC_VERR:
        *value = STM32_IPCC_VERR_VALUE;
        return true;
    default:
        return idm_stm32_read_mailbox(s, addr, value) ||
               (idm_is_master() ? idm_stm32_read_master(s, addr, value)
                                : idm_stm32_read_slave(addr, value));
    }
}

static uint64_t idm_stm32_read(void *opaque, hwaddr addr, unsigned size)
{
    IDMStm32State *s = opaque;
    uint32_t value = 0;

    if (size != 4 || (addr & 3) || !idm_stm32_read_reg(s, addr, &value)) {
        qemu_log_mask(LOG_GUEST_ERROR, "idm_stm32: bad read of %u bytes at 0x%"
                      HWADDR_PRIx "\n", size, addr);
    }
    trace_idm_stm32_read(s->view.id, addr, value);
    return value;
}

static void idm_stm32_write(void *opaque, hwaddr addr, uint64_t value,
                            unsigned size)
{
    IDMStm32State *s = opaque;
    bool ok;

    trace_idm_stm32_write(s->view.id, addr, value);
    ok = size == 4 && !(addr & 3) &&
         (idm_stm32_write_mailbox(s, addr, value) ||
          (idm_is_master() ? idm_stm32_write_master(s, addr, value)
                           : idm_stm32_write_slave(addr, value)));
    if (!ok) {
        qemu_log_mask(LOG_GUEST_ERROR, "idm_stm32: bad write of 0x%" PRIx64
                      ", %u bytes, at 0x%" HWADDR_PRIx "\n",
                      value, size, addr);
    }
}

/* Every size and alignment comes here, so that the bad ones are reported */
static const MemoryRegionOps idm_stm32_ops = {
    .read = idm_stm32_read,
    .write = idm_stm32_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = {
        .min_access_size = 1,
        .max_access_size = 8,
        .unaligned = true,
    },
    .impl = {
        .min_access_size = 1,
        .max_access_size = 8,
        .unaligned = true,
    },
};

/* --- the device's life --- */

void idm_stm32_reset_hold(IDMStm32State *s)
{
    s->control = 0;
    s->mask = UINT32_MAX;
    s->repeated = 0;
    idm_stm32_run_reset_hold(s);
    idm_stm32_update_irqs(s);
}

void idm_stm32_reset_exit(IDMStm32State *s)
{
    if (idm_is_master()) {
        idm_stm32_run_reset_exit(s);
    }
}

bool idm_stm32_realize(IDMStm32State *s, Error **errp)
{
    if (!idm_add_view(&s->view, &idm_stm32_view_ops, s->couple, errp)) {
        return false;
    }
    idm_stm32_run_init(s);
    return true;
}

void idm_stm32_unrealize(IDMStm32State *s)
{
    idm_stm32_run_end(s);
    idm_remove_view(&s->view);
}

void idm_stm32_init_mmio(IDMStm32State *s, Object *owner)
{
    memory_region_init_io(&s->iomem, owner, &idm_stm32_ops, s, "idm-stm32",
                          STM32_MMIO_SIZE);
}

void idm_stm32_describe_properties(ObjectClass *oc)
{
    object_class_property_set_description(oc, "couple",
        "Number of the processor at the other end: a slave's, or 0");
    object_class_property_set_description(oc, "entry",
        "Where a start begins; 0: the beginning of the window");
    object_class_property_set_description(oc, "argument",
        "What a start has in its first argument register");
}
