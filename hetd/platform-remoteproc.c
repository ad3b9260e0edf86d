/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Remoteproc=: by which registers and driver a master's Linux drives a slave. The STM32 registers are those of a chip
 * with one 32-bit master and one Cortex-M, so not every slave can be shown by them. Called by platform-check.c, when
 * all else is known.
 */

#include <inttypes.h>

#include "platform-parser.h"

/* The interrupts of virt's platform bus: one for the IDM, three for each slave */
#define STM32_SLAVES_MAX        ((64U - 1) / 3)
/* The end of the window, for rings and buffers */
#define VIRTIO_SIZE             (1U << 20)
#define ADDRESS_END             (UINT64_C(1) << 32)

static bool is_good(const ParsedProcessor *pp, ProcessorKey key) {
        return pp->keys[key].state == KEY_GOOD;
}

static bool is_slave(const ParsedProcessor *pp) {
        return is_good(pp, KEY_ROLE) && pp->config->role == PROCESSOR_SLAVE;
}

/* In a platform that says nothing: Debian's armhf kernels have the driver, those for 64 bits have not; firmware needs neither, and
 * a device tree of the user's does not know these registers */
static Remoteproc default_remoteproc(const ProcessorConfig *master) {
        bool has_driver = master->kernel && master->target && g_str_equal(master->target, TARGET_ARM);

        return has_driver && !master->device_tree ? REMOTEPROC_STM32 : REMOTEPROC_IDM;
}

/* NULL: the master can see it by STM32 registers. Keys that are bad were reported. */
static char *stm32_problem(const ProcessorConfig *master, const ParsedProcessor *pp) {
        const ProcessorConfig *c = pp->config;

        if (!master->board->platform_bus || !master->board->device_tree)
                return g_strdup_printf("%s has no place for STM32 registers; use idm", master->board->machine);
        if (master->idm_pci || c->idm_pci)
                return g_strdup("STM32 registers are next to an IDM that the board has, and not on PCI; use idm");
        if (c->protocol == BOOT_PROTOCOL_LINUX)
                return g_strdup("Linux in a slave is not started by STM32 registers, which know of no device tree; use idm");
        if (is_good(pp, KEY_WINDOW) && c->window_address + c->window_size > ADDRESS_END)
                return g_strdup("the window is not below 4 GiB, where STM32 registers and their driver end; move it, or use idm");
        if (is_good(pp, KEY_WINDOW) && c->window_size <= VIRTIO_SIZE)
                return g_strdup("of the window 1 MiB is for rings and buffers, which leaves nothing; make it larger, or use idm");
        return NULL;
}

static void check_one(PlatformParser *p, const ProcessorConfig *master, ParsedProcessor *pp, unsigned *n) {
        ProcessorConfig *c = pp->config;
        bool said = is_good(pp, KEY_REMOTEPROC);
        g_autofree char *problem = NULL;

        if (!said)
                c->remoteproc = p->config->remoteproc != REMOTEPROC_DEFAULT ? p->config->remoteproc : default_remoteproc(master);
        if (c->remoteproc != REMOTEPROC_STM32)
                return;

        problem = stm32_problem(master, pp);
        if (!problem && ++*n > STM32_SLAVES_MAX)
                problem = g_strdup_printf("%s has interrupts for the STM32 registers of %u slaves, this is one more; use idm for it",
                                          master->board->machine, STM32_SLAVES_MAX);
        if (!problem)
                return;

        if (said || p->remoteproc_line)
                platform_parser_key_error(p, pp, KEY_REMOTEPROC, "%s", problem);
        else
                c->remoteproc = REMOTEPROC_IDM;
}

/* A driver of ours leaves that to the user */
static void check_auto_boot(PlatformParser *p, ParsedProcessor *pp) {
        if (is_good(pp, KEY_AUTO_BOOT) && pp->config->auto_boot_by_master && pp->config->remoteproc != REMOTEPROC_STM32)
                platform_parser_key_error(p, pp, KEY_AUTO_BOOT,
                                          "only the driver of Remoteproc=stm32 boots a slave by itself; write Remoteproc=stm32, or "
                                          "AutoBoot=yes, with which hetd boots it");
}

void platform_parser_check_remoteproc(PlatformParser *p) {
        const ParsedProcessor *master = NULL;
        unsigned n = 0;

        for (unsigned i = 0; i < p->processors->len && !master; i++) {
                const ParsedProcessor *pp = g_ptr_array_index(p->processors, i);

                if (is_good(pp, KEY_ROLE) && pp->config->role == PROCESSOR_MASTER && is_good(pp, KEY_MACHINE))
                        master = pp;
        }

        for (unsigned i = 0; master && i < p->processors->len; i++) {
                ParsedProcessor *pp = g_ptr_array_index(p->processors, i);

                if (is_slave(pp) && pp->keys[KEY_REMOTEPROC].state != KEY_BAD && is_good(pp, KEY_MACHINE)) {
                        check_one(p, master->config, pp, &n);
                        check_auto_boot(p, pp);
                }
        }
}
