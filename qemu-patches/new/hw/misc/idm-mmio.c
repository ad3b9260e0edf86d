/*
 * Register file of the IDM
 *
 * The registers of hw/misc/idm-regs.h, as docs/specs/idm.rst
 * describes them, on top of hw/misc/idm.c.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/log.h"
#include "hw/het-window.h"
#include "hw/misc/idm.h"
#include "trace.h"

#define IDM_EVENTS (IDM_EVENT_STATE | IDM_EVENT_REQUEST)

/* The numbers of the registers are those of the QMP interface */
QEMU_BUILD_BUG_ON(IDM_STATE_CRASHED != (unsigned)HET_STATE_CRASHED);
QEMU_BUILD_BUG_ON(IDM_RESULT_FAILED != (unsigned)HET_REQUEST_RESULT_FAILED);
QEMU_BUILD_BUG_ON(IDM_PROTOCOL_VECTORS !=
                  (unsigned)HET_BOOT_PROTOCOL_VECTOR_TABLE);
QEMU_BUILD_BUG_ON(IDM_COUPLE(IDM_COUPLE_MAX) > IDM_EXTENSION(0));
QEMU_BUILD_BUG_ON(IDM_EXTENSION(IDM_COUPLE_MAX) > IDM_MMIO_SIZE);
QEMU_BUILD_BUG_ON(IDM_COUPLE_MAX != IDM_SUMMARY_COUNT * 32);

/* --- global registers --- */

static bool idm_read_global(IDMState *s, hwaddr addr, uint32_t *value)
{
    switch (addr) {
    case IDM_ID:
        *value = IDM_ID_VALUE;
        return true;
    case IDM_VERSION:
        *value = IDM_VERSION_VALUE;
        return true;
    case IDM_FEATURES:
        *value = IDM_FEATURE_RESOURCE_TABLE | IDM_FEATURE_TAKE |
                 (s->pages ? IDM_FEATURE_PAGES : 0) |
                 (idm_is_master() ? IDM_FEATURE_MASTER | IDM_FEATURE_CONTROL
                                  : IDM_FEATURE_HEARTBEAT);
        return true;
    case IDM_SELF:
        *value = het_couple_self();
        return true;
    case IDM_COUPLES:
        *value = het_couple_count();
        return true;
    case IDM_VECTORS:
        *value = HET_VECTORS;
        return true;
    case IDM_CTRL:
        *value = s->ctrl;
        return true;
    case IDM_IRQ_STATUS:
        *value = idm_irq_status(s);
        return true;
    case IDM_SUMMARY(0) ... IDM_SUMMARY(IDM_SUMMARY_COUNT - 1):
        *value = s->vector_summary[(addr - IDM_SUMMARY(0)) / 4] |
                 s->event_summary[(addr - IDM_SUMMARY(0)) / 4];
        return true;
    default:
        return false;
    }
}

static bool idm_write_global(IDMState *s, hwaddr addr, uint32_t value)
{
    if (addr != IDM_CTRL || (value & ~IDM_CTRL_IRQ_ENABLE)) {
        return false;
    }
    s->ctrl = value;
    idm_update_irq(s);
    return true;
}

/* --- registers of a couple --- */

static uint64_t idm_window(uint32_t id, bool want_size)
{
    uint64_t address = 0, size = 0;

    if (!het_window_get(id, &address, &size)) {
        return 0;
    }
    return want_size ? size : address;
}

/* The vCPU that handles the interrupts is the one whose halt is watched */
static void idm_acknowledge_by_cpu(IDMState *s, uint32_t id, uint32_t vectors)
{
    idm_acknowledge(s, id, vectors);
    if (current_cpu) {
        het_couple_set_cpu(current_cpu);
    }
}

static uint32_t idm_take(IDMState *s, uint32_t id)
{
    uint32_t vectors = s->couple[id].pending & s->couple[id].enable;

    /* Nothing has changed: nor shall PCI announce anything again */
    if (vectors) {
        idm_acknowledge_by_cpu(s, id, vectors);
    }
    return vectors;
}

static bool idm_read_master_couple(IDMState *s, uint32_t id, hwaddr reg,
                                   uint32_t *value)
{
    const HetCoupleState *c = het_couple_find(id);

    switch (reg) {
    case IDM_CONTROL:
        *value = c ? het_couple_request(c) : IDM_RESULT_NONE;
        return true;
    case IDM_ENTRY_LO:
        *value = s->couple[id].entry;
        return true;
    case IDM_ENTRY_HI:
        *value = s->couple[id].entry >> 32;
        return true;
    case IDM_ARGUMENT_LO:
        *value = s->couple[id].argument;
        return true;
    case IDM_ARGUMENT_HI:
        *value = s->couple[id].argument >> 32;
        return true;
    case IDM_WINDOW_BASE_LO:
        *value = idm_window(id, false);
        return true;
    case IDM_WINDOW_BASE_HI:
        *value = idm_window(id, false) >> 32;
        return true;
    case IDM_WINDOW_SIZE_LO:
        *value = idm_window(id, true);
        return true;
    case IDM_WINDOW_SIZE_HI:
        *value = idm_window(id, true) >> 32;
        return true;
    default:
        return false;
    }
}

static bool idm_read_couple(IDMState *s, uint32_t id, hwaddr reg,
                            uint32_t *value)
{
    const HetCoupleState *c = het_couple_find(id);

    switch (reg) {
    case IDM_STATUS:
        *value = c ? IDM_STATUS_ATTACHED : 0;
        return true;
    case IDM_PENDING:
        *value = s->couple[id].pending;
        return true;
    case IDM_ENABLE:
        *value = s->couple[id].enable;
        return true;
    case IDM_PEER_STATE:
        *value = c ? het_couple_peer_state(c) : IDM_STATE_OFFLINE;
        return true;
    case IDM_EVENT:
        *value = s->couple[id].event;
        return true;
    case IDM_EVENT_ENABLE:
        *value = s->couple[id].event_enable;
        return true;
    case IDM_DOORBELL:
        return false;
    default:
        return idm_is_master() && idm_read_master_couple(s, id, reg, value);
    }
}

static bool idm_write_control(IDMState *s, uint32_t id, uint32_t value)
{
    uint32_t command = extract32(value, 0, 8);
    uint32_t protocol = extract32(value, 8, 8);

    if (value >> 16) {
        return false;
    }
    switch (command) {
    case IDM_CONTROL_START:
        return protocol <= IDM_PROTOCOL_VECTORS && idm_start(s, id, protocol);
    case IDM_CONTROL_STOP:
        return !protocol && idm_stop(s, id);
    default:
        return false;
    }
}

static bool idm_write_master_couple(IDMState *s, uint32_t id, hwaddr reg,
                                    uint32_t value)
{
    IDMCouple *c = &s->couple[id];

    switch (reg) {
    case IDM_CONTROL:
        return idm_write_control(s, id, value);
    case IDM_ENTRY_LO:
        c->entry = deposit64(c->entry, 0, 32, value);
        return true;
    case IDM_ENTRY_HI:
        c->entry = deposit64(c->entry, 32, 32, value);
        return true;
    case IDM_ARGUMENT_LO:
        c->argument = deposit64(c->argument, 0, 32, value);
        return true;
    case IDM_ARGUMENT_HI:
        c->argument = deposit64(c->argument, 32, 32, value);
        return true;
    default:
        return false;
    }
}

static bool idm_write_couple(IDMState *s, uint32_t id, hwaddr reg,
                             uint32_t value)
{
    IDMCouple *c = &s->couple[id];

    switch (reg) {
    case IDM_DOORBELL:
        return idm_ring(s, id, value);
    case IDM_PENDING:
        idm_acknowledge_by_cpu(s, id, value);
        return true;
    case IDM_ENABLE:
        c->enable = value;
        break;
    case IDM_EVENT:
        c->event &= ~value;
        break;
    case IDM_EVENT_ENABLE:
        if (value & ~IDM_EVENTS) {
            return false;
        }
        c->event_enable = value;
        break;
    default:
        return idm_is_master() && idm_write_master_couple(s, id, reg, value);
    }
    idm_update_couple(s, id);
    return true;
}

/* --- more registers of a couple --- */

static bool idm_read_extension(IDMState *s, uint32_t id, hwaddr reg,
                               uint32_t *value)
{
    const HetCoupleState *c = het_couple_find(id);
    uint64_t own, peer;

    own = idm_is_master() ? s->couple[id].resource_table
                          : het_resource_table();
    peer = c ? het_couple_peer_resource_table(c) : 0;
    switch (reg) {
    case IDM_RESOURCE_TABLE_LO:
        *value = own;
        return true;
    case IDM_RESOURCE_TABLE_HI:
        *value = own >> 32;
        return true;
    case IDM_PEER_RESOURCE_TABLE_LO:
        *value = peer;
        return idm_is_master();
    case IDM_PEER_RESOURCE_TABLE_HI:
        *value = peer >> 32;
        return idm_is_master();
    case IDM_HEARTBEAT:
        *value = het_heartbeat_ms();
        return !idm_is_master();
    case IDM_TAKE:
        *value = idm_take(s, id);
        return true;
    default:
        return false;
    }
}

static bool idm_write_extension(IDMState *s, uint32_t id, hwaddr reg,
                                uint32_t value)
{
    IDMCouple *c = &s->couple[id];

    switch (reg) {
    case IDM_RESOURCE_TABLE_LO:
        c->resource_table = deposit64(c->resource_table, 0, 32, value);
        return true;
    case IDM_RESOURCE_TABLE_HI:
        c->resource_table = deposit64(c->resource_table, 32, 32, value);
        if (!idm_is_master()) {
            /* At once, so that nobody sees half of an address */
            het_set_resource_table(c->resource_table);
        }
        return true;
    case IDM_HEARTBEAT:
        het_heartbeat();
        return !idm_is_master();
    case IDM_KICK:
        return idm_kick(s, id);
    default:
        return false;
    }
}

/* --- the region --- */

/* A register, and what the block is that it is in; reg is that in the block */
typedef enum IDMBlock {
    IDM_BLOCK_NONE,
    IDM_BLOCK_GLOBAL,
    IDM_BLOCK_COUPLE,
    IDM_BLOCK_EXTENSION,
} IDMBlock;

static IDMBlock idm_decode(hwaddr addr, unsigned size, uint32_t *id,
                           hwaddr *reg)
{
    IDMBlock block;

    if (size != 4 || (addr & 3)) {
        return IDM_BLOCK_NONE;
    }
    if (addr < IDM_COUPLE(0)) {
        *reg = addr;
        return IDM_BLOCK_GLOBAL;
    }
    if (addr < IDM_COUPLE(IDM_COUPLE_MAX)) {
        block = IDM_BLOCK_COUPLE;
        *id = (addr - IDM_COUPLE(0)) / IDM_COUPLE_SIZE;
        *reg = (addr - IDM_COUPLE(0)) % IDM_COUPLE_SIZE;
    } else if (addr >= IDM_EXTENSION(0) &&
               addr < IDM_EXTENSION(IDM_COUPLE_MAX)) {
        block = IDM_BLOCK_EXTENSION;
        *id = (addr - IDM_EXTENSION(0)) / IDM_EXTENSION_SIZE;
        *reg = (addr - IDM_EXTENSION(0)) % IDM_EXTENSION_SIZE;
    } else {
        return IDM_BLOCK_NONE;
    }
    /* not the number of a couple that this side can have */
    return idm_couple_valid(*id) ? block : IDM_BLOCK_NONE;
}

/* What came without a word to this process is there before the guest looks */
static void idm_poll(IDMState *s, IDMBlock block, uint32_t id)
{
    s->polling = true;
    if (block == IDM_BLOCK_GLOBAL) {
        het_couples_poll();
    } else if (block != IDM_BLOCK_NONE) {
        het_couple_poll(het_couple_find(id));
    }
    s->polling = false;
}

static bool idm_read(IDMState *s, hwaddr addr, unsigned size, uint32_t *value)
{
    uint32_t id = 0;
    hwaddr reg = 0;
    IDMBlock block = idm_decode(addr, size, &id, &reg);

    idm_poll(s, block, id);
    switch (block) {
    case IDM_BLOCK_GLOBAL:
        return idm_read_global(s, reg, value);
    case IDM_BLOCK_COUPLE:
        return idm_read_couple(s, id, reg, value);
    case IDM_BLOCK_EXTENSION:
        return idm_read_extension(s, id, reg, value);
    default:
        return false;
    }
}

static bool idm_write(IDMState *s, hwaddr addr, unsigned size, uint32_t value)
{
    uint32_t id = 0;
    hwaddr reg = 0;
    IDMBlock block = idm_decode(addr, size, &id, &reg);

    idm_poll(s, block, id);
    switch (block) {
    case IDM_BLOCK_GLOBAL:
        return idm_write_global(s, reg, value);
    case IDM_BLOCK_COUPLE:
        return idm_write_couple(s, id, reg, value);
    case IDM_BLOCK_EXTENSION:
        return idm_write_extension(s, id, reg, value);
    default:
        return false;
    }
}

static uint64_t idm_mmio_read(void *opaque, hwaddr addr, unsigned size)
{
    IDMState *s = opaque;
    uint32_t value = 0;

    if (!idm_read(s, addr, size, &value)) {
        value = 0;
        qemu_log_mask(LOG_GUEST_ERROR, "idm: bad read of %u bytes at 0x%"
                      HWADDR_PRIx "\n", size, addr);
    }
    trace_idm_read(addr, value);
    return value;
}

static void idm_mmio_write(void *opaque, hwaddr addr, uint64_t value,
                           unsigned size)
{
    IDMState *s = opaque;

    trace_idm_write(addr, value);
    if (!idm_write(s, addr, size, value)) {
        qemu_log_mask(LOG_GUEST_ERROR, "idm: bad write of 0x%" PRIx64
                      ", %u bytes, at 0x%" HWADDR_PRIx "\n",
                      value, size, addr);
    }
}

/* Every size and alignment comes here, so that the bad ones are reported */
static const MemoryRegionOps idm_mmio_ops = {
    .read = idm_mmio_read,
    .write = idm_mmio_write,
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

void idm_init_mmio(IDMState *s, Object *owner)
{
    memory_region_init_io(&s->iomem, owner, &idm_mmio_ops, s, "idm",
                          IDM_MMIO_SIZE);
}
