/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What fuzz targets do to the device of a couple: as its guest, by registers; as who manages the platform, by commands. The other side
 * of the couple is the target itself, which has the control page and the eventfds.
 */

#include "qemu-couple.h"

#include <fcntl.h>
#include <glib.h>
#include <hw/misc/idm-regs.h>
#include <hw/misc/idm-stm32-regs.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#define MIB 0x100000U
#define SLAVE ",slave=on,memory-backend=mem"
#define SLAVE_OBJECT "-object", "memory-backend-shared,id=mem,size=16M"

static const char *const master_arguments[] = { "-machine", "virt", "-cpu", "cortex-a15", "-device", "idm_ipi,id=idm", "-device",
                                                "idm_stm32,couple=5", NULL };
static const char *const slave_arguments[] = { "-machine", "virt" SLAVE, "-m", "16M", SLAVE_OBJECT, "-cpu", "cortex-a15", "-device",
                                               "idm_ipi,id=idm", "-device", "idm_stm32", NULL };
static const char *const flat_arguments[] = { "-machine", "mps2-an385" SLAVE, "-m", "16M", SLAVE_OBJECT, "-device",
                                              "idm_ipi-flat,id=idm,addr=0x50000000,irq=31", "-device",
                                              "idm_stm32-flat,addr=0x50010000,irq=29,irq-free=30", NULL };

static const char *const *const arguments[] = { master_arguments, slave_arguments, flat_arguments };
static Couple couples[] = {
        { .name = "master", .idm = 0x0c000000, .stm32 = 0x0c000000 + IDM_MMIO_SIZE },
        { .name = "slave", .idm = 0x0c000000, .stm32 = 0x0c000000 + IDM_MMIO_SIZE, .ram = 0x40000000, .slave = true },
        { .name = "flat", .idm = 0x50000000, .stm32 = 0x50010000, .ram = 0x21000000, .slave = true },
};

unsigned couple_peer(const Couple *couple) {
        return couple->slave ? 0 : COUPLE_ID;
}

/* --- the couple --- */

static int make_memfd(size_t size) {
        int fd = memfd_create("fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING);

        g_assert_cmpint(fd, >=, 0);
        g_assert_cmpint(ftruncate(fd, (off_t) size), ==, 0);
        g_assert_cmpint(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW), ==, 0);
        return fd;
}

static int make_eventfd(void) {
        int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

        g_assert_cmpint(fd, >=, 0);
        return fd;
}

static void give(Couple *couple, const char *name, int fd) {
        qemu_must(couple->qemu, fd, "{\"execute\":\"getfd\",\"arguments\":{\"fdname\":\"%s\"}}", name);
}

void couple_attach(Couple *couple) {
        if (couple->attached)
                return;

        couple->page_fd = make_memfd(HET_PAGE_SIZE);
        couple->master_rx = make_eventfd();
        couple->slave_rx = make_eventfd();
        couple->page = mmap(NULL, HET_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, couple->page_fd, 0);
        g_assert_true(couple->page != MAP_FAILED);
        couple->page->magic = HET_PAGE_MAGIC;
        couple->page->version = HET_PAGE_VERSION;
        couple->page->id = COUPLE_ID;

        give(couple, "page", couple->page_fd);
        give(couple, "rx", couple->slave ? couple->slave_rx : couple->master_rx);
        give(couple, "tx", couple->slave ? couple->master_rx : couple->slave_rx);
        qemu_must(couple->qemu, -1,
                  "{\"execute\":\"het-%s-attach\",\"arguments\":{\"id\":%u,\"couple\":{\"page\":\"page\",\"rx\":\"rx\",\"tx\":\"tx\"}}}",
                  couple->slave ? "master" : "slave", COUPLE_ID);
        couple->attached = true;
}

void couple_detach(Couple *couple) {
        if (!couple->attached)
                return;

        if (couple->slave)
                qemu_must(couple->qemu, -1, "{\"execute\":\"het-master-detach\"}");
        else
                qemu_must(couple->qemu, -1, "{\"execute\":\"het-slave-detach\",\"arguments\":{\"id\":%u}}", COUPLE_ID);

        (void) munmap(couple->page, HET_PAGE_SIZE);
        close(couple->page_fd);
        close(couple->master_rx);
        close(couple->slave_rx);
        couple->attached = false;
}

Couple *couple_begin(uint8_t which) {
        Couple *couple = &couples[which % G_N_ELEMENTS(couples)];

        if (!couple->qemu) {
                couple->qemu = qemu_start(arguments[couple - couples]);
                if (couple->slave) {
                        int memory = make_memfd(16 * MIB);

                        give(couple, "memory", memory);
                        close(memory);
                        qemu_must(couple->qemu, -1, "{\"execute\":\"het-memory-grant\",\"arguments\":{\"id\":\"mem\",\"memory\":\"memory\"}}");
                }
        }
        couple_attach(couple);
        qemu_coverage_begin();
        return couple;
}

void couple_end(Couple *couple) {
        uint64_t block = couple->idm + IDM_COUPLE(couple_peer(couple));
        HetPageSide *peer;

        qemu_settle(couple->qemu, couple->idm + IDM_ID);
        qemu_coverage_end();

        couple_detach(couple);
        qemu_reset(couple->qemu);
        couple_attach(couple);
        peer = couple->slave ? &couple->page->master : &couple->page->slave;
        qemu_write(couple->qemu, 'l', block + IDM_DOORBELL, 9);
        g_assert_cmphex(__atomic_exchange_n(&peer->pending, 0, __ATOMIC_SEQ_CST), ==, 1U << 9);
        g_assert_cmphex(qemu_read(couple->qemu, 'l', couple->idm + IDM_ID), ==, IDM_ID_VALUE);
        g_assert_cmphex(qemu_read(couple->qemu, 'l', block + IDM_STATUS), ==, IDM_STATUS_ATTACHED);
        g_assert_cmphex(qemu_read(couple->qemu, 'l', block + IDM_PENDING), ==, 0);
        couple_detach(couple);
}

/* --- what the input says --- */

/* Mostly registers that are there */
static uint64_t take_address(const Couple *couple, Bytes *bytes) {
        uint8_t kind = (uint8_t) bytes_take(bytes, 1);
        uint32_t n = (uint32_t) bytes_take(bytes, 2);

        switch (kind % 6) {
        case 0:
                return couple->idm + n % 0x40;
        case 1:
                return couple->idm + IDM_COUPLE(couple_peer(couple)) + n % IDM_COUPLE_SIZE;
        case 2:
                return couple->idm + IDM_EXTENSION(couple_peer(couple)) + n % 32;
        case 3:
                return couple->stm32 + n % 0x80 + (n & 0x8000 ? 0x800 : 0);
        case 4:
                return couple->stm32 + n % (STM32_MMIO_SIZE - 8);
        default:
                return couple->idm + n % (IDM_MMIO_SIZE - 8);
        }
}

void couple_access(Couple *couple, Bytes *bytes) {
        static const struct {
                char width;
                uint64_t mask;
        } widths[] = { { 'l', 3 }, { 'l', 3 }, { 'l', 3 }, { 'b', 0 }, { 'w', 1 }, { 'q', 7 } };
        uint8_t how = (uint8_t) bytes_take(bytes, 1), n = (how >> 1) % G_N_ELEMENTS(widths);
        uint64_t address = take_address(couple, bytes) & ~widths[n].mask;

        if (how & 1)
                qemu_write(couple->qemu, widths[n].width, address, bytes_take(bytes, how & 0x80 ? 4 : 1));
        else if (widths[n].width == 'l')
                (void) qemu_read(couple->qemu, 'l', address);
        else            /* the registers take accesses of 32 bits only */
                g_assert_cmphex(qemu_read(couple->qemu, widths[n].width, address), ==, 0);
}

void couple_command(Couple *couple, Bytes *bytes) {
        static const char *const results[] = { "done", "refused", "failed" };
        uint8_t which = (uint8_t) bytes_take(bytes, 1), value = (uint8_t) bytes_take(bytes, 1);
        unsigned other = couple_peer(couple);
        Qemu *qemu = couple->qemu;

        switch (which % 10) {
        case 0:
                (void) qemu_command(qemu, -1, "{\"execute\":\"het-ipi-send\",\"arguments\":{\"id\":%u,\"vector\":%u}}", other, value % 40);
                break;
        case 1:
                (void) qemu_command(qemu, -1, "{\"execute\":\"het-ipi-watch\",\"arguments\":{\"id\":%u,\"enable\":%s}}", other,
                                    value & 1 ? "true" : "false");
                break;
        case 2:
                (void) qemu_command(qemu, -1, "{\"execute\":\"het-request-complete\",\"arguments\":{\"id\":%u,\"result\":\"%s\"}}", other,
                                    results[value % G_N_ELEMENTS(results)]);
                break;
        case 3:
                qemu_must(qemu, -1, "{\"execute\":\"query-het\"}");
                break;
        case 4:
                qemu_reset(qemu);
                break;
        case 5:
                qemu_clock_step(qemu, (value + 1ULL) << 22);
                break;
        case 6:
                (void) qemu_command(qemu, -1, "{\"execute\":\"het-slave-boot\",\"arguments\":{\"entry\":%u,\"argument\":1,\"resource-table\":%u}}",
                                    (unsigned) couple->ram, (unsigned) (couple->ram + value * 0x20000U));
                break;
        case 7:
                (void) qemu_command(qemu, -1, "{\"execute\":\"het-slave-stop\"}");
                break;
        case 8:
                couple_detach(couple);
                break;
        default:
                couple_attach(couple);
                break;
        }
}
