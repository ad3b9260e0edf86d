/*
 * Test of the IDM on PCI: configuration, INTA#, MSI-X, control pages
 *
 * The registers have their tests on PCI as well (idm-test). Messages go to
 * the machine's memory, where the test sees them.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/atomic.h"
#include "standard-headers/linux/pci_regs.h"
#include "idm-util.h"

#define MESSAGE         0x5a5a0001u
/* Where in the memory the message goes */
#define TARGET          0x100000

/* --- configuration --- */

static uint32_t find_msix(Side *side)
{
    uint32_t at = pci_rd(side, PCI_CAPABILITY_LIST) & 0xff;

    while (at && (pci_rd(side, at) & 0xff) != PCI_CAP_ID_MSIX) {
        at = pci_rd(side, at) >> 8 & 0xff;
    }
    g_assert_cmphex(at, !=, 0);
    return at;
}

static void test_config(const void *data)
{
    uint32_t at;
    Side side;

    side_start(&side, data, false);
    g_assert_cmphex(pci_rd(&side, PCI_VENDOR_ID), ==,
                    IDM_PCI_DEVICE_ID << 16 | IDM_PCI_VENDOR_ID);
    g_assert_cmphex(pci_rd(&side, PCI_CLASS_REVISION), ==,
                    0x08800000 | IDM_PCI_REVISION);
    g_assert_cmphex(pci_rd(&side, PCI_INTERRUPT_LINE) >> 8 & 0xff, ==, 1);
    at = find_msix(&side);
    g_assert_cmpuint(pci_rd(&side, at) >> 16 & PCI_MSIX_FLAGS_QSIZE, ==, 0);
    g_assert_cmphex(pci_rd(&side, at + PCI_MSIX_TABLE), ==, IDM_PCI_MSIX_BAR);

    pci_wr(&side, PCI_BASE_ADDRESS_0, UINT32_MAX);
    g_assert_cmphex(pci_rd(&side, PCI_BASE_ADDRESS_0), ==,
                    0u - IDM_MMIO_SIZE);
    side_end(&side);
}

/* --- MSI-X --- */

static uint64_t target(Side *side)
{
    return side->machine->ram + TARGET;
}

static void msix_control(Side *side, uint32_t flags)
{
    uint32_t at = find_msix(side);

    pci_wr(side, at, (pci_rd(side, at) & 0xffff) | flags << 16);
}

static void msix_mask(Side *side, bool mask)
{
    qtest_writel(side->qts, side->machine->base + IDM_MMIO_SIZE +
                 PCI_MSIX_ENTRY_VECTOR_CTRL, mask);
}

static void msix_setup(Side *side)
{
    uint64_t entry = side->machine->base + IDM_MMIO_SIZE;

    qtest_writel(side->qts, entry + PCI_MSIX_ENTRY_LOWER_ADDR, target(side));
    qtest_writel(side->qts, entry + PCI_MSIX_ENTRY_UPPER_ADDR, 0);
    qtest_writel(side->qts, entry + PCI_MSIX_ENTRY_DATA, MESSAGE);
    msix_mask(side, false);
    msix_control(side, PCI_MSIX_FLAGS_ENABLE);
}

static bool msix_came(Side *side)
{
    uint32_t value;

    settle(side);
    value = qtest_readl(side->qts, target(side));
    g_assert_true(!value || value == MESSAGE);
    qtest_writel(side->qts, target(side), 0);
    return value;
}

static void start(Side *side, Couple *c, const void *data)
{
    side_start(side, data, false);
    couple_make(c, 1);
    couple_attach(c, side);
    wr(side, IDM_COUPLE(1) + IDM_EVENT, UINT32_MAX);
    wr(side, IDM_COUPLE(1) + IDM_ENABLE, 6);
    wr(side, IDM_CTRL, IDM_CTRL_IRQ_ENABLE);
}

static void end(Side *side, Couple *c)
{
    couple_end(c);
    side_end(side);
}

static void test_message(const void *data)
{
    uint32_t block = IDM_COUPLE(1);
    Side side;
    Couple c;

    start(&side, &c, data);
    msix_setup(&side);
    g_assert_false(msix_came(&side));

    /* one that is not enabled, one that is */
    send_to_master(&c, 1);
    g_assert_false(msix_came(&side));
    send_to_master(&c, 2);
    g_assert_true(msix_came(&side));
    /* the line stays with the vector */
    g_assert_false(irq(&side));
    wr(&side, block + IDM_PENDING, 2);
    g_assert_false(msix_came(&side));

    /* what came while the guest handles another one is announced again */
    send_to_master(&c, 2);
    g_assert_true(msix_came(&side));
    send_to_master(&c, 4);
    msix_came(&side);
    wr(&side, block + IDM_PENDING, 2);
    g_assert_true(msix_came(&side));
    wr(&side, block + IDM_PENDING, 4);
    g_assert_false(msix_came(&side));

    /* and what was there when interrupts are enabled */
    wr(&side, IDM_CTRL, 0);
    send_to_master(&c, 2);
    g_assert_false(msix_came(&side));
    wr(&side, IDM_CTRL, IDM_CTRL_IRQ_ENABLE);
    g_assert_true(msix_came(&side));
    end(&side, &c);
}

static void test_masked(const void *data)
{
    Side side;
    Couple c;

    start(&side, &c, data);
    msix_setup(&side);
    msix_mask(&side, true);
    send_to_master(&c, 2);
    g_assert_false(msix_came(&side));
    msix_mask(&side, false);
    g_assert_true(msix_came(&side));

    /* the whole function */
    msix_control(&side, PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
    wr(&side, IDM_COUPLE(1) + IDM_PENDING, 2);
    send_to_master(&c, 2);
    g_assert_false(msix_came(&side));
    msix_control(&side, PCI_MSIX_FLAGS_ENABLE);
    g_assert_true(msix_came(&side));
    end(&side, &c);
}

/* Between INTA# and MSI-X a pending interrupt goes along */
static void test_switch(const void *data)
{
    Side side;
    Couple c;

    start(&side, &c, data);
    send_to_master(&c, 2);
    settle(&side);
    g_assert_true(irq(&side));
    g_assert_false(msix_came(&side));
    msix_setup(&side);
    g_assert_true(msix_came(&side));
    g_assert_false(irq(&side));
    msix_control(&side, 0);
    g_assert_true(irq(&side));
    wr(&side, IDM_COUPLE(1) + IDM_PENDING, 2);
    g_assert_false(irq(&side));

    /* a reset ends both */
    msix_setup(&side);
    send_to_master(&c, 2);
    g_assert_true(msix_came(&side));
    qtest_system_reset(side.qts);
    pci_setup(&side);
    g_assert_cmphex(pci_rd(&side, find_msix(&side)) >> 16 &
                    PCI_MSIX_FLAGS_ENABLE, ==, 0);
    g_assert_cmphex(rd(&side, IDM_CTRL), ==, 0);
    g_assert_cmphex(rd(&side, IDM_COUPLE(1) + IDM_PENDING), ==, 0);
    g_assert_false(irq(&side));
    end(&side, &c);
}

/* A function that may not master the bus cannot send a message */
static void test_no_master(const void *data)
{
    Side side;
    Couple c;

    start(&side, &c, data);
    msix_setup(&side);
    pci_wr(&side, PCI_COMMAND, PCI_COMMAND_MEMORY);
    send_to_master(&c, 2);
    g_assert_false(msix_came(&side));
    end(&side, &c);
}

/* --- control pages --- */

static uint64_t page_of(Side *side, uint32_t id)
{
    return side->machine->base + IDM_PCI_PAGES_SIZE + id * HET_PAGE_SIZE;
}

static void test_pages(const void *data)
{
    uint32_t kick = IDM_EXTENSION(1) + IDM_KICK;
    uint64_t page, word;
    Side side;
    Couple c;

    side_start(&side, data, false);
    page = page_of(&side, 1);
    word = page + offsetof(HetPage, slave.pending);
    g_assert_cmphex(rd(&side, IDM_FEATURES) & IDM_FEATURE_PAGES, !=, 0);
    g_assert_cmphex(qtest_readl(side.qts, page), !=, HET_PAGE_MAGIC);

    couple_make(&c, 1);
    for (int i = 0; i < 2; i++) {
        couple_attach(&c, &side);
        g_assert_cmphex(qtest_readl(side.qts, page), ==, HET_PAGE_MAGIC);
        g_assert_cmphex(qtest_readl(side.qts, page_of(&side, 2)), !=,
                        HET_PAGE_MAGIC);
        woken(c.slave_rx);      /* the master's state is known */

        /* what the guest sends */
        qtest_writel(side.qts, word, 8);
        g_assert_cmpuint(woken(c.slave_rx), ==, 0);
        wr(&side, kick, 1);
        g_assert_cmpuint(woken(c.slave_rx), ==, 1);
        g_assert_cmphex(qatomic_xchg(&c.page->slave.pending, 0), ==, 8);

        /* what it takes: here the device has been woken, and has it */
        send_to_master(&c, 4);
        wait_for(&side, IDM_COUPLE(1) + IDM_PENDING, 4, 4);
        g_assert_cmphex(qtest_readl(side.qts, page +
                                    offsetof(HetPage, master.pending)), ==, 0);

        couple_detach(&c, &side);
        woken(c.slave_rx);
        g_assert_cmphex(qtest_readl(side.qts, page), !=, HET_PAGE_MAGIC);
        qtest_writel(side.qts, word, 8);
        wr(&side, kick, 1);
        g_assert_cmpuint(woken(c.slave_rx), ==, 0);
        g_assert_cmphex(qatomic_read(&c.page->slave.pending), ==, 0);
    }
    couple_end(&c);
    side_end(&side);
}

static void test_no_pages(const void *data)
{
    g_autofree char *args = NULL;
    Machine machine = *(const Machine *)data;
    Side side;
    Couple c;

    args = g_strconcat(machine.args, " -global idm_ipi-pci.pages=off", NULL);
    machine.args = args;
    start(&side, &c, &machine);
    g_assert_cmphex(rd(&side, IDM_FEATURES) & IDM_FEATURE_PAGES, ==, 0);
    pci_wr(&side, PCI_BASE_ADDRESS_0 + 4 * IDM_PCI_PAGES_BAR, UINT32_MAX);
    g_assert_cmphex(pci_rd(&side, PCI_BASE_ADDRESS_0 + 4 * IDM_PCI_PAGES_BAR),
                    ==, 0);
    woken(c.slave_rx);
    wr(&side, IDM_EXTENSION(1) + IDM_KICK, 1);
    g_assert_cmpuint(woken(c.slave_rx), ==, 0);
    end(&side, &c);
}

/* --- */

static const MachineTest tests[] = {
    { "config", test_config },
    { "message", test_message },
    { "masked", test_masked },
    { "switch", test_switch },
    { "no-master", test_no_master },
    { "pages", test_pages },
    { "no-pages", test_no_pages },
};

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    add_pci_machine_tests(tests, ARRAY_SIZE(tests));
    return g_test_run();
}
