/*
 * What the tests of idm_stm32 share
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "idm-stm32-util.h"

const Machine stm32_view_of_master = {
    .args = "-nodefaults -machine virt%s " VIRT_ARGS
            " -device idm_stm32,couple=5,entry=0x60001000,argument=7",
    .base = VIEW_BASE, .sysbus = true,
};
static const Machine view_of_slave = {
    .args = "-nodefaults -machine virt%s " VIRT_ARGS " -device idm_stm32",
    .base = VIEW_BASE, .sysbus = true,
};

void stm32_start(Side *side, bool slave)
{
    const Machine *machine = slave ? &view_of_slave : &stm32_view_of_master;
    g_autofree char *args = g_strdup_printf(machine->args,
                                            slave ? SLAVE_ARGS : "");

    side_start_args(side, machine, slave, args);
    /* The watchdog is an edge */
    qtest_writel(side->qts, GIC_BASE + 0xc00 + WATCHDOG / 16 * 4,
                 2u << 2 * (WATCHDOG % 16));
}

void stm32_start_attached(Side *side, Couple *c, bool slave)
{
    stm32_start(side, slave);
    couple_make(c, ID);
    couple_attach(c, side);
}

void stm32_end(Side *side, Couple *c)
{
    couple_end(c);
    side_end(side);
}

bool stm32_pends(Side *side, unsigned intid)
{
    return qtest_readl(side->qts, GIC_BASE + 0x200 + intid / 32 * 4) &
           (1u << intid % 32);
}

bool stm32_watchdog(Side *side)
{
    if (!stm32_pends(side, WATCHDOG)) {
        return false;
    }
    qtest_writel(side->qts, GIC_BASE + 0x280 + WATCHDOG / 32 * 4,
                 1u << WATCHDOG % 32);
    return true;
}

void stm32_wait_for_watchdog(Side *side)
{
    gint64 end = g_get_monotonic_time() + DEADLINE_S * G_USEC_PER_SEC;

    while (!stm32_watchdog(side)) {
        g_assert_cmpint(g_get_monotonic_time(), <, end);
    }
}
