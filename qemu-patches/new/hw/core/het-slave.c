/*
 * Heterogeneous platforms: a slave, its memory, boot and stop
 *
 * A slave's machine is made with its CPUs powered off and its memory
 * hidden. It waits until it is granted memory (ready), until it is booted
 * (running), and comes back to ready when it is stopped, is reset or turns
 * itself off; each time all devices are reset and the memory is hidden,
 * untouched. Used by het-qmp.c, the machine's options and the run state.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qapi/qapi-events-het.h"
#include "qemu/error-report.h"
#include "qemu/main-loop.h"
#include "qemu/option.h"
#include "qemu/config-file.h"
#include "exec/tb-flush.h"
#include "migration/misc.h"
#include "system/reset.h"
#include "system/runstate.h"
#include "system/runstate-action.h"
#include "system/system.h"
#include "system/tcg.h"
#include "hw/boards.h"
#include "hw/core/cpu.h"
#include "hw/het-boot.h"
#include "hw/het-check.h"
#include "hw/het-couple.h"
#include "hw/het-slave.h"
#include "het-internal.h"
#include "trace.h"

static struct {
    char *memory_id;            /* of -incoming shared:ID */

    /* This file stops, resets or starts the machine, and sets the state */
    bool in_transition;
    ShutdownCause reset_cause;
    /* Ends what cannot be ended where it is noticed; none: only stop */
    QEMUBH *settle_bh;
    HetStateReason settle_reason;

    Notifier machine_done;
} slave;

/* --- state --- */

static bool het_is_booted(void)
{
    return het_self.state == HET_STATE_RUNNING ||
           het_self.state == HET_STATE_PAUSED ||
           het_self.state == HET_STATE_CRASHED;
}

static void het_set_state(HetState state, HetStateReason reason)
{
    uint32_t id = het_couple_self();

    het_self.reason = reason;
    if (het_self.state == state) {
        return;
    }
    trace_het_state(HetState_str(het_self.state), HetState_str(state),
                    HetStateReason_str(reason));
    het_self.state = state;
    if (!het_is_booted()) {
        het_self.resource_table = 0;
    }
    het_couples_publish_state(state);
    qapi_event_send_het_slave_state(id != UINT32_MAX, id, state, reason);
}

void het_set_resource_table(uint64_t address)
{
    if (het_is_booted() && het_self.resource_table != address) {
        het_self.resource_table = address;
        het_couples_publish_state(het_self.state);
    }
}

static int het_hide_one(HostMemoryBackendShared *s, void *opaque)
{
    hostmem_shared_set_visible(s, false);
    return 0;
}

static int het_show_one(HostMemoryBackendShared *s, void *opaque)
{
    if (hostmem_shared_is_granted(s)) {
        hostmem_shared_set_visible(s, true);
    }
    return 0;
}

static void het_set_memory_visible(bool visible)
{
    memory_region_transaction_begin();
    hostmem_shared_foreach(visible ? het_show_one : het_hide_one, NULL);
    memory_region_transaction_commit();
}

/* --- what happens to the machine --- */

/*
 * Brings a slave's machine into the state it was in before its first boot.
 * The memory keeps its content: it is hidden before anything is reset.
 */
static void het_quiesce(bool reset)
{
    /* Whatever was to be settled is, by this */
    qemu_bh_cancel(slave.settle_bh);
    slave.settle_reason = HET_STATE_REASON_NONE;

    slave.in_transition = true;
    if (runstate_is_live(runstate_get())) {
        vm_stop(RUN_STATE_PAUSED);
    }
    if (reset) {
        qemu_system_reset(SHUTDOWN_CAUSE_NONE);
    }
    if (!runstate_check(RUN_STATE_PRELAUNCH) &&
        !runstate_check(RUN_STATE_INMIGRATE)) {
        runstate_set(RUN_STATE_PRELAUNCH);
    }
    slave.in_transition = false;
}

static void het_settle(void *opaque)
{
    HetStateReason reason = slave.settle_reason;

    slave.settle_reason = HET_STATE_REASON_NONE;
    if (reason != HET_STATE_REASON_NONE) {
        if (het_is_booted()) {
            het_quiesce(true);
            het_set_state(HET_STATE_READY, reason);
        }
    } else if (!het_is_booted() && runstate_is_live(runstate_get())) {
        het_quiesce(false);
    }
}

/* Devices may write to memory, too: a loader does */
void het_begin_reset(ShutdownCause cause)
{
    slave.reset_cause = cause;
    if (het_self.role == HET_ROLE_SLAVE) {
        het_set_memory_visible(false);
    }
}

static void het_reset(void *opaque)
{
    if (slave.in_transition || !het_is_booted()) {
        return;
    }
    het_set_state(HET_STATE_READY,
                  slave.reset_cause == SHUTDOWN_CAUSE_GUEST_RESET
                  ? HET_STATE_REASON_GUEST_RESET
                  : HET_STATE_REASON_HOST_RESET);
    qemu_bh_schedule(slave.settle_bh);
}

static void het_slave_stopped(RunState state)
{
    switch (state) {
    case RUN_STATE_GUEST_PANICKED:
    case RUN_STATE_INTERNAL_ERROR:
        het_set_state(HET_STATE_CRASHED, HET_STATE_REASON_GUEST_PANICKED);
        break;
    case RUN_STATE_WATCHDOG:
        het_set_state(HET_STATE_CRASHED, HET_STATE_REASON_WATCHDOG);
        break;
    case RUN_STATE_SHUTDOWN:
        /* Not while the machine is still being stopped */
        slave.settle_reason = HET_STATE_REASON_GUEST_SHUTDOWN;
        qemu_bh_schedule(slave.settle_bh);
        break;
    default:
        het_set_state(HET_STATE_PAUSED, HET_STATE_REASON_CPUS_STOPPED);
        break;
    }
}

static void het_slave_vm_state_changed(void *opaque, bool running,
                                       RunState state)
{
    if (slave.in_transition || !het_is_booted()) {
        return;
    }
    if (running) {
        het_set_state(HET_STATE_RUNNING, HET_STATE_REASON_CPUS_RESUMED);
    } else {
        het_slave_stopped(state);
    }
}

bool het_guest_lockup(CPUState *cs)
{
    if (het_self.role != HET_ROLE_SLAVE) {
        return false;
    }
    qemu_system_guest_panicked(NULL);
    return true;
}

/* --- becoming one --- */

/*
 * The trees that boards of Arm and RISC-V leave in their memory for firmware.
 * A slave's are never written: see het_begin_reset().
 */
static const char *const het_board_trees[] = { "dtb", "fdt", NULL };

static int het_check_memory(HostMemoryBackendShared *s, void *opaque)
{
    const char *id = object_get_canonical_path_component(OBJECT(s));
    bool *found = opaque;
    const char *image;
    uint64_t address;

    if (!hostmem_shared_check_used(s)) {
        return 0;
    }
    image = hostmem_shared_address(s, &address)
            ? het_find_image(address, hostmem_shared_size(s), het_board_trees)
            : NULL;
    if (image) {
        error_report("'%s' would be loaded into the memory '%s' of a slave,"
                     " which whoever grants the memory must do", image, id);
        exit(EXIT_FAILURE);
    }
    if (!slave.memory_id || !strcmp(slave.memory_id, id)) {
        *found = true;
    }
    return 0;
}

/* Where a slave's memory will be there is nothing now, at no address of it */
static void het_check_images(void)
{
    const char *image = het_find_lost_image(het_board_trees);

    if (image) {
        error_report("'%s' would be loaded to where a slave has nothing:"
                     " whoever grants its memory loads that", image);
        exit(EXIT_FAILURE);
    }
}

bool het_check_loader(AddressSpace *as, uint64_t address, uint64_t size,
                      bool sets_pc, Error **errp)
{
    if (het_self.role != HET_ROLE_SLAVE) {
        return true;
    }
    if (sets_pc) {
        error_setg(errp, "a slave begins where het-slave-boot says: leave out"
                   " 'cpu-num', and a loader that is there for nothing else");
        return false;
    }
    if (size && het_is_nowhere(as, address, size)) {
        error_setg(errp, "a slave has nothing at 0x%" PRIx64 ": whoever grants"
                   " its memory loads that", address);
        return false;
    }
    return true;
}

/* That which a PC would have by default is not loaded */
static bool het_is_given_firmware(void)
{
    const char *name = current_machine->firmware;
    g_autofree char *option = g_strdup_printf("firmware=%s", name ?: "");

    return name && strcmp(name, "none") &&
           g_strcmp0(MACHINE_GET_CLASS(current_machine)->default_machine_opts,
                     option);
}

/* -no-shutdown and -action come before this: who uses them, gets them */
static void het_set_default_actions(void)
{
    if (!qemu_opts_find(qemu_find_opts("action"), NULL)) {
        shutdown_action = SHUTDOWN_ACTION_PAUSE;
        panic_action = PANIC_ACTION_PAUSE;
    }
}

/*
 * Runs last of all machine-done notifiers, being the first that was
 * registered, and before the images' reset handler is registered.
 */
static void het_slave_machine_done(Notifier *notifier, void *data)
{
    Error *err = NULL;
    bool found = false;
    CPUState *cs;

    if (!het_check_accel(&err)) {
        error_report_err(err);
        exit(EXIT_FAILURE);
    }
    if (current_machine->kernel_filename || het_is_given_firmware()) {
        error_report("a slave has neither -kernel nor -bios: whoever grants"
                     " its memory loads it, and het-slave-boot starts it");
        exit(EXIT_FAILURE);
    }
    hostmem_shared_foreach(het_check_memory, &found);
    if (!found) {
        error_report("a slave needs a %s object%s%s%s as the memory of its"
                     " machine", TYPE_MEMORY_BACKEND_SHARED,
                     slave.memory_id ? " '" : "",
                     slave.memory_id ? slave.memory_id : "",
                     slave.memory_id ? "'" : "");
        exit(EXIT_FAILURE);
    }
    het_check_images();
    CPU_FOREACH(cs) {
        cs->start_powered_off = true;
    }
    het_set_default_actions();
    /* With -incoming het_set_slave() is called before there is a main loop */
    slave.settle_bh = qemu_bh_new(het_settle, NULL);
    qemu_register_reset(het_reset, NULL);
}

void het_set_slave(const char *memory_id)
{
    if (memory_id) {
        g_free(slave.memory_id);
        slave.memory_id = g_strdup(memory_id);
    }
    if (het_self.role == HET_ROLE_SLAVE) {
        return;
    }
    assert(het_self.role == HET_ROLE_NONE);
    het_self.role = HET_ROLE_SLAVE;
    het_self.state = HET_STATE_WAITING;
    autostart = 0;
    /* KVM wants to know when it creates a CPU */
    object_register_sugar_prop(TYPE_CPU, "start-powered-off", "on", true);
    qemu_add_vm_change_state_handler(het_slave_vm_state_changed, NULL);
    slave.machine_done.notify = het_slave_machine_done;
    qemu_add_machine_init_done_notifier(&slave.machine_done);
}

/* --- memory --- */

static int het_lacks_memory(HostMemoryBackendShared *s, void *opaque)
{
    return hostmem_shared_is_mapped(s) && !hostmem_shared_is_granted(s);
}

bool het_memory_grant(HostMemoryBackendShared *s, int fd, uint64_t offset,
                      size_t page_size, bool readonly,
                      const uint64_t *bus_address, Error **errp)
{
    if (!hostmem_shared_grant(s, fd, offset, page_size, readonly, bus_address,
                              errp)) {
        return false;
    }
    qapi_event_send_het_memory_granted(
        object_get_canonical_path_component(OBJECT(s)),
        hostmem_shared_size(s));
    if (het_self.state == HET_STATE_WAITING &&
        !hostmem_shared_foreach(het_lacks_memory, NULL)) {
        het_set_state(HET_STATE_READY, HET_STATE_REASON_GRANTED);
    }
    return true;
}

bool het_memory_revoke(HostMemoryBackendShared *s, Error **errp)
{
    const char *id = object_get_canonical_path_component(OBJECT(s));

    if (hostmem_shared_is_master(s)) {
        error_setg(errp, "'%s' allocates its memory itself", id);
        return false;
    }
    if (!hostmem_shared_is_granted(s)) {
        error_setg(errp, "'%s' has no memory", id);
        return false;
    }
    if (het_is_booted()) {
        error_setg(errp, "the slave is %s: it must be stopped first",
                   HetState_str(het_self.state));
        return false;
    }
    hostmem_shared_revoke(s);
    qapi_event_send_het_memory_revoked(id);
    if (het_self.state == HET_STATE_READY &&
        hostmem_shared_foreach(het_lacks_memory, NULL)) {
        het_set_state(HET_STATE_WAITING, HET_STATE_REASON_REVOKED);
    }
    return true;
}

/* --- boot and stop --- */

static bool het_start(HetBootInfo *info, Error **errp)
{
    if (!first_cpu) {
        error_setg(errp, "this machine has no CPU");
        return false;
    }
    /* Another process's writes do not invalidate translated code */
    if (tcg_enabled()) {
        tb_flush(first_cpu);
    }
    if (!het_boot_cpu(first_cpu, info, errp)) {
        return false;
    }
    return !runstate_check(RUN_STATE_INMIGRATE) ||
           migration_block_activate(errp);
}

bool het_boot(HetBootProtocol protocol, uint64_t entry, uint64_t argument,
              uint64_t resource_table, Error **errp)
{
    HetBootInfo info = {
        .protocol = protocol,
        .entry = entry,
        .argument = argument,
    };

    if (het_self.role != HET_ROLE_SLAVE) {
        error_setg(errp, "this QEMU process is not a slave");
        return false;
    }
    if (het_self.state != HET_STATE_READY) {
        error_setg(errp, het_is_booted() ? "the slave is %s: it must be"
                   " stopped first" : "the slave is %s: it has no memory",
                   HetState_str(het_self.state));
        return false;
    }

    /* The machine may have been set going, with its CPUs powered off */
    if (!runstate_check(RUN_STATE_PRELAUNCH) &&
        !runstate_check(RUN_STATE_INMIGRATE)) {
        het_quiesce(true);
    }
    het_set_memory_visible(true);
    if (!het_start(&info, errp)) {
        het_quiesce(true);
        return false;
    }
    trace_het_boot(entry, argument, HetBootProtocol_str(info.protocol));
    het_self.boots++;
    het_self.resource_table = resource_table;
    het_set_state(HET_STATE_RUNNING, HET_STATE_REASON_BOOT);
    slave.in_transition = true;
    vm_start();
    slave.in_transition = false;
    return true;
}

bool het_fail(Error **errp)
{
    if (het_self.role != HET_ROLE_SLAVE) {
        error_setg(errp, "this QEMU process is not a slave");
        return false;
    }
    if (het_self.state != HET_STATE_RUNNING &&
        het_self.state != HET_STATE_CRASHED) {
        error_setg(errp, "the slave is %s: only one that runs can fail",
                   HetState_str(het_self.state));
        return false;
    }
    /* What follows is the same as when its guest says it */
    vm_stop(RUN_STATE_WATCHDOG);
    return true;
}

bool het_stop(Error **errp)
{
    if (het_self.role != HET_ROLE_SLAVE) {
        error_setg(errp, "this QEMU process is not a slave");
        return false;
    }
    if (het_is_booted()) {
        het_quiesce(true);
        het_set_state(HET_STATE_READY, HET_STATE_REASON_STOP);
    }
    return true;
}
