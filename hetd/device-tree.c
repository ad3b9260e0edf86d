/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Device trees of the guests. Called by the objects of a platform before they start a process or boot a slave. */

#include "device-tree.h"

#include <inttypes.h>
#include <libfdt.h>
#include <string.h>

#include "hw/misc/idm-regs.h"
#include "hw/misc/idm-stm32-regs.h"
#include "util/error.h"

#define IDM_COMPATIBLE          "het,idm-1.0"
#define SLAVE_COMPATIBLE        "het,slave-1.0"
#define STM32_COMPATIBLE        "het,stm32-1.0"
#define ROOM_EACH               2560U   /* for the nodes of a slave, names and strings included */
#define ROOM_FIXED              4096U
#define GIC_SPI                 0U
#define IRQ_LEVEL_HIGH          4U

/* Where Linux puts rings and buffers, from the end of a window; a driver of ours has the same numbers */
#define VIRTIO_SIZE             0x100000U
#define VRING_SIZE              0x10000U
#define BUFFERS_OFFSET          0x20000U

/* The tree while it grows. r is the first error; once there is one, nothing more happens. */
typedef struct Tree {
        void *blob;
        int r;
} Tree;

static int note(Tree *t, int r) {
        if (r < 0 && t->r == 0)
                t->r = r;
        return r;
}

/* Offset of the node, made if it is not there; offsets move with every change of the tree */
static int subnode(Tree *t, int parent, const char *name) {
        int node;

        if (t->r < 0)
                return t->r;

        node = fdt_subnode_offset(t->blob, parent, name);
        return note(t, node == -FDT_ERR_NOTFOUND ? fdt_add_subnode(t->blob, parent, name) : node);
}

static void set_cells(Tree *t, int node, const char *property, const uint32_t *values, unsigned n) {
        fdt32_t cells[9];

        g_assert(n <= G_N_ELEMENTS(cells));
        for (unsigned i = 0; i < n; i++)
                cells[i] = cpu_to_fdt32(values[i]);
        if (t->r == 0)
                note(t, fdt_setprop(t->blob, node, property, cells, (int) (n * sizeof(cells[0]))));
}

static void set_cell(Tree *t, int node, const char *property, uint32_t value) {
        set_cells(t, node, property, &value, 1);
}

static void set_string(Tree *t, int node, const char *property, const char *value) {
        if (t->r == 0)
                note(t, fdt_setprop_string(t->blob, node, property, value));
}

/* A list, ended by NULL */
static void set_strings(Tree *t, int node, const char *property, ...) G_GNUC_NULL_TERMINATED;

static void set_strings(Tree *t, int node, const char *property, ...) {
        g_autoptr(GString) list = g_string_new(NULL);
        const char *s;
        va_list args;

        va_start(args, property);
        while ((s = va_arg(args, const char *)))
                g_string_append_len(list, s, (gssize) strlen(s) + 1);
        va_end(args);
        if (t->r == 0)
                note(t, fdt_setprop(t->blob, node, property, list->str, (int) list->len));
}

static void set_flag(Tree *t, int node, const char *property) {
        if (t->r == 0)
                note(t, fdt_setprop(t->blob, node, property, NULL, 0));
}

/* reg of a node below parent, whose number of cells decides */
static void set_reg(Tree *t, int parent, int node, uint64_t address, uint64_t size) {
        uint32_t cells[8];
        int n_address, n_size;
        unsigned n = 0;

        if (t->r < 0)
                return;

        n_address = note(t, fdt_address_cells(t->blob, parent));
        n_size = note(t, fdt_size_cells(t->blob, parent));
        if (t->r < 0)
                return;
        if (n_address < 1 || n_address > 2 || n_size < 1 || n_size > 2 || (n_address == 1 && address > UINT32_MAX) ||
            (n_size == 1 && size > UINT32_MAX)) {
                note(t, -FDT_ERR_BADNCELLS);
                return;
        }

        if (n_address == 2)
                cells[n++] = (uint32_t) (address >> 32);
        cells[n++] = (uint32_t) address;
        if (n_size == 2)
                cells[n++] = (uint32_t) (size >> 32);
        cells[n++] = (uint32_t) size;
        set_cells(t, node, "reg", cells, n);
}

/* --- nodes --- */

/* QEMU makes one for a device on its platform bus, with what the board chose; only where it did not, the board's
 * numbers are used */
static int idm_node(Tree *t, const Board *board) {
        const uint32_t interrupt[] = { GIC_SPI, board->idm_irq, IRQ_LEVEL_HIGH };
        g_autofree char *name = NULL;
        int node;

        if (t->r < 0)
                return t->r;

        node = fdt_node_offset_by_compatible(t->blob, -1, IDM_COMPATIBLE);
        if (node != -FDT_ERR_NOTFOUND)
                return note(t, node);

        name = g_strdup_printf("idm@%" PRIx64, board->idm_address);
        node = subnode(t, 0, name);
        set_reg(t, 0, node, board->idm_address, IDM_MMIO_SIZE);
        set_string(t, node, "compatible", IDM_COMPATIBLE);
        set_cells(t, node, "interrupts", interrupt, G_N_ELEMENTS(interrupt));
        return node;
}

/* With as many cells as the root has, as the specification wants it */
static int reserved_memory_node(Tree *t) {
        int node = subnode(t, 0, "reserved-memory");

        if (t->r < 0)
                return t->r;

        set_cell(t, node, "#address-cells", (uint32_t) fdt_address_cells(t->blob, 0));
        set_cell(t, node, "#size-cells", (uint32_t) fdt_size_cells(t->blob, 0));
        set_flag(t, node, "ranges");
        return node;
}

static uint32_t set_phandle(Tree *t, int node) {
        uint32_t phandle = 0;

        if (t->r == 0)
                note(t, fdt_generate_phandle(t->blob, &phandle));
        set_cell(t, node, "phandle", phandle);
        return phandle;
}

static uint32_t add_region(Tree *t, const char *name, uint64_t address, uint64_t size, const char *compatible) {
        g_autofree char *full = g_strdup_printf("%s@%" PRIx64, name, address);
        int parent = reserved_memory_node(t), node = subnode(t, parent, full);

        set_reg(t, parent, node, address, size);
        set_flag(t, node, "no-map");
        if (compatible)
                set_string(t, node, "compatible", compatible);
        return set_phandle(t, node);
}

static uint32_t add_window(Tree *t, const ProcessorConfig *slave) {
        return add_region(t, slave->name, slave->window_address, slave->window_size, NULL);
}

/* Of a program that the master's guest loads; a guest cannot know what AUTO means for this slave */
static BootProtocol boot_protocol(const ProcessorConfig *slave) {
        if (slave->protocol != BOOT_PROTOCOL_AUTO)
                return slave->protocol;
        return slave->board->m_profile ? BOOT_PROTOCOL_VECTOR_TABLE : BOOT_PROTOCOL_RAW;
}

static void set_firmware_name(Tree *t, int node, const ProcessorConfig *slave) {
        if (slave->firmware) {
                g_autofree char *name = g_path_get_basename(slave->firmware);

                set_string(t, node, "firmware-name", name);
        }
}

static void add_slave(Tree *t, const ProcessorConfig *master, const ProcessorConfig *slave) {
        g_autofree char *name = g_strdup_printf("slave@%x", slave->id);
        uint32_t phandle = add_window(t, slave);
        int parent, node;

        if (master->idm_pci)
                return;         /* its driver finds what else there is to know in the registers */

        parent = idm_node(t, master->board);
        set_cell(t, parent, "#address-cells", 1);
        set_cell(t, parent, "#size-cells", 0);
        node = subnode(t, parent, name);
        set_string(t, node, "compatible", SLAVE_COMPATIBLE);
        set_cell(t, node, "reg", slave->id);
        set_string(t, node, "label", slave->name);
        set_cell(t, node, "memory-region", phandle);
        set_string(t, node, "het,boot-protocol", boot_protocol_to_string(boot_protocol(slave)));
        set_firmware_name(t, node, slave);
}

/* --- a slave by STM32 registers: the nodes that the kernel's binding st,stm32-rproc and the drivers next to it want --- */

/* QEMU makes one where it has put the registers of a couple, and says which */
static int stm32_node(Tree *t, uint32_t id) {
        int node = t->r < 0 ? t->r : fdt_node_offset_by_compatible(t->blob, -1, STM32_COMPATIBLE);

        while (node >= 0) {
                const fdt32_t *couple = fdt_getprop(t->blob, node, "het,couple", NULL);

                if (couple && fdt32_to_cpu(*couple) == id)
                        break;
                node = fdt_node_offset_by_compatible(t->blob, node, STM32_COMPATIBLE);
        }

        return note(t, node);
}

/* The part of a property of QEMU's node that begins at a cell */
static void get_cells(Tree *t, int node, const char *property, unsigned first, unsigned n, uint32_t *ret) {
        int length = 0;
        const fdt32_t *cells = t->r < 0 ? NULL : fdt_getprop(t->blob, node, property, &length);

        if (t->r == 0 && (!cells || (size_t) length < (first + n) * sizeof(cells[0])))
                note(t, -FDT_ERR_BADVALUE);
        for (unsigned i = 0; i < n; i++)
                ret[i] = t->r == 0 ? fdt32_to_cpu(cells[first + i]) : 0;
}

/* A mailbox must have a clock; the board has one that never changes */
static uint32_t clock_phandle(Tree *t) {
        int node = t->r < 0 ? t->r : fdt_node_offset_by_compatible(t->blob, -1, "fixed-clock");
        uint32_t phandle;

        if (node == -FDT_ERR_NOTFOUND) {
                node = subnode(t, 0, "apb-pclk");
                set_string(t, node, "compatible", "fixed-clock");
                set_cell(t, node, "#clock-cells", 0);
                set_cell(t, node, "clock-frequency", 24000000);
        }
        if (note(t, node) < 0)
                return 0;

        phandle = fdt_get_phandle(t->blob, node);
        return phandle ?: set_phandle(t, node);
}

static uint32_t add_mailbox(Tree *t, uint32_t id) {
        uint32_t interrupts[6], clock = clock_phandle(t);
        int parent = stm32_node(t, id), node;

        get_cells(t, parent, "interrupts", 0, G_N_ELEMENTS(interrupts), interrupts);
        node = subnode(t, parent, "mailbox@0");
        set_string(t, node, "compatible", "st,stm32mp1-ipcc");
        set_cells(t, node, "reg", (const uint32_t[]) { 0, STM32_RESET }, 2);
        set_cells(t, node, "interrupts", interrupts, G_N_ELEMENTS(interrupts));
        set_strings(t, node, "interrupt-names", "rx", "tx", NULL);
        set_cell(t, node, "clocks", clock);
        set_cell(t, node, "st,proc-id", 0);
        set_cell(t, node, "#mbox-cells", 1);
        return set_phandle(t, node);
}

static uint32_t add_reset_controller(Tree *t, uint32_t id) {
        int node = subnode(t, stm32_node(t, id), "reset-controller@400");

        set_string(t, node, "compatible", "snps,dw-high-reset");
        set_cells(t, node, "reg", (const uint32_t[]) { STM32_RESET, 4 }, 2);
        set_cell(t, node, "#reset-cells", 1);
        return set_phandle(t, node);
}

static uint32_t add_syscon(Tree *t, uint32_t id) {
        int node = subnode(t, stm32_node(t, id), "syscon@800");

        set_string(t, node, "compatible", "syscon");
        set_cells(t, node, "reg", (const uint32_t[]) { STM32_TZEN, STM32_WATCHDOG - STM32_TZEN }, 2);
        return set_phandle(t, node);
}

/* The regions are found by their names. All of the window but its end is for the program. */
static void add_stm32_regions(Tree *t, const ProcessorConfig *slave, uint32_t regions[4]) {
        uint64_t virtio = slave->window_address + slave->window_size - VIRTIO_SIZE;

        regions[0] = add_region(t, slave->name, slave->window_address, slave->window_size - VIRTIO_SIZE, NULL);
        regions[1] = add_region(t, "vdev0vring0", virtio, VRING_SIZE, NULL);
        regions[2] = add_region(t, "vdev0vring1", virtio + VRING_SIZE, VRING_SIZE, NULL);
        regions[3] = add_region(t, "vdev0buffer", virtio + BUFFERS_OFFSET, VIRTIO_SIZE - BUFFERS_OFFSET, "shared-dma-pool");
}

/* A bus of its own, since the driver takes the ranges of its bus for those of the slave */
static void set_stm32_bus(Tree *t, const ProcessorConfig *slave) {
        const uint32_t address = (uint32_t) slave->window_address, size = (uint32_t) slave->window_size;
        int node = stm32_node(t, slave->id);
        uint32_t reg[2];

        get_cells(t, node, "reg", 0, 2, reg);
        set_strings(t, node, "compatible", STM32_COMPATIBLE, "simple-bus", NULL);
        set_cell(t, node, "#address-cells", 1);
        set_cell(t, node, "#size-cells", 1);
        set_cells(t, node, "ranges", (const uint32_t[]) { 0, reg[0], reg[1] }, 3);
        set_cells(t, node, "dma-ranges", (const uint32_t[]) { address, address, size }, 3);
}

static void set_syscon(Tree *t, int node, const char *property, uint32_t syscon, uint32_t reg, uint32_t mask) {
        set_cells(t, node, property, (const uint32_t[]) { syscon, reg - STM32_TZEN, mask }, 3);
}

static void add_stm32_slave(Tree *t, const ProcessorConfig *slave) {
        uint32_t mailbox, reset, syscon, regions[4], watchdog[3];
        int node;

        add_stm32_regions(t, slave, regions);
        set_stm32_bus(t, slave);
        syscon = add_syscon(t, slave->id);
        reset = add_reset_controller(t, slave->id);
        mailbox = add_mailbox(t, slave->id);
        get_cells(t, stm32_node(t, slave->id), "interrupts", 6, G_N_ELEMENTS(watchdog), watchdog);

        node = subnode(t, stm32_node(t, slave->id), slave->name);
        set_string(t, node, "compatible", "st,stm32mp1-m4");
        set_cells(t, node, "memory-region", regions, G_N_ELEMENTS(regions));
        set_cells(t, node, "resets", (const uint32_t[]) { reset, 0 }, 2);
        set_syscon(t, node, "st,syscfg-tz", syscon, STM32_TZEN, 1);
        set_syscon(t, node, "st,syscfg-holdboot", syscon, STM32_HOLD_BOOT, STM32_HOLD_BOOT_RELEASE);
        set_syscon(t, node, "st,syscfg-pdds", syscon, STM32_PDDS, 1);
        set_syscon(t, node, "st,syscfg-m4-state", syscon, STM32_STATE, UINT32_MAX);
        set_syscon(t, node, "st,syscfg-rsc-tbl", syscon, STM32_RESOURCE_TABLE, UINT32_MAX);
        set_cells(t, node, "mboxes", (const uint32_t[]) { mailbox, 0, mailbox, 1, mailbox, STM32_CHANNEL_SHUTDOWN, mailbox,
                                                          STM32_CHANNEL_DETACH }, 8);
        set_strings(t, node, "mbox-names", "vq0", "vq1", "shutdown", "detach", NULL);
        set_cells(t, node, "interrupts", watchdog, G_N_ELEMENTS(watchdog));
        if (slave->auto_boot_by_master)
                set_flag(t, node, "st,auto-boot");
        set_firmware_name(t, node, slave);
}

static void remove_memory(Tree *t) {
        int node, next;

        for (node = t->r == 0 ? fdt_first_subnode(t->blob, 0) : -FDT_ERR_NOTFOUND; node >= 0; node = next) {
                const char *type = fdt_getprop(t->blob, node, "device_type", NULL);

                if (!type || strcmp(type, "memory") != 0) {
                        next = fdt_next_subnode(t->blob, node);
                        continue;
                }

                if (note(t, fdt_del_node(t->blob, node)) < 0)
                        return;
                next = fdt_first_subnode(t->blob, 0);
        }
}

/* A slave sees its window at two addresses; Linux gets the one that the master knows, so that what they tell each other
 * fits */
static void set_memory(Tree *t, const ProcessorConfig *slave) {
        g_autofree char *name = g_strdup_printf("memory@%" PRIx64, slave->window_address);
        int node;

        remove_memory(t);
        node = subnode(t, 0, name);
        set_string(t, node, "device_type", "memory");
        set_reg(t, 0, node, slave->window_address, slave->window_size);
}

static void set_address(Tree *t, int node, const char *property, uint64_t address) {
        const uint32_t cells[] = { (uint32_t) (address >> 32), (uint32_t) address };

        set_cells(t, node, property, cells, G_N_ELEMENTS(cells));
}

static void set_chosen(Tree *t, const ProcessorConfig *slave, uint64_t initrd_address, uint64_t initrd_size) {
        int node = subnode(t, 0, "chosen");

        if (slave->command_line)
                set_string(t, node, "bootargs", slave->command_line);
        if (initrd_size > 0) {
                set_address(t, node, "linux,initrd-start", initrd_address);
                set_address(t, node, "linux,initrd-end", initrd_address + initrd_size);
        }
}

/* --- blobs --- */

static bool fail(const ProcessorConfig *c, int r, GError **error) {
        g_set_error(error, HET_ERROR, HET_ERROR_INVALID_ARGUMENT,
                    "Cannot make the device tree of %s from the one of %s: %s", c->name, c->board->machine,
                    fdt_strerror(r));
        return false;
}

/* A property whose length is a negative number leads back, with a libfdt older than 1.7, which would go round there for ever */
static bool goes_forward(const void *base) {
        int offset, next = 0;
        uint32_t tag;

        do {
                offset = next;
                tag = fdt_next_tag(base, offset, &next);
        } while (tag != FDT_END && next > offset);

        return tag == FDT_END;
}

/*
 * base may be shorter than it says, or no device tree at all. libfdt's whole check trips over a root node of a tree older than version
 * 16, where names are stored with their paths; QEMU makes version 17.
 */
static int check(const void *base, size_t size) {
        int r;

        if (size < sizeof(struct fdt_header))
                return -FDT_ERR_TRUNCATED;
        r = fdt_check_header(base);
        if (r < 0)
                return r;
        if (fdt_totalsize(base) > size)
                return -FDT_ERR_TRUNCATED;
        if (fdt_version(base) < 16)
                return -FDT_ERR_BADVERSION;
        return goes_forward(base) ? fdt_check_full(base, size) : -FDT_ERR_BADSTRUCTURE;
}

/* A copy of base with room to grow */
static bool tree_open(Tree *t, const ProcessorConfig *c, const void *base, size_t base_size, size_t room,
                      GError **error) {
        size_t size = base_size + room;

        if (!c->board->device_tree) {
                g_set_error(error, HET_ERROR, HET_ERROR_NOT_SUPPORTED, "%s (%s) has no device tree", c->name,
                            c->board->machine);
                return false;
        }

        if (base_size > DEVICE_TREE_SIZE_MAX) {
                g_set_error(error, HET_ERROR, HET_ERROR_INVALID_ARGUMENT,
                            "The device tree of %s is larger than %u bytes", c->name, DEVICE_TREE_SIZE_MAX);
                return false;
        }

        t->r = check(base, base_size);
        if (t->r < 0)
                return fail(c, t->r, error);

        t->blob = g_malloc0(size);
        t->r = fdt_open_into(base, t->blob, (int) size);
        return t->r == 0 || fail(c, t->r, error);
}

static bool tree_close(Tree *t, const ProcessorConfig *c, void **ret, size_t *ret_size, GError **error) {
        if (t->r == 0)
                t->r = fdt_pack(t->blob);
        if (t->r < 0)
                return fail(c, t->r, error);

        *ret_size = fdt_totalsize(t->blob);
        *ret = g_steal_pointer(&t->blob);
        return true;
}

bool device_tree_make_master(const PlatformConfig *platform, const void *base, size_t base_size,
                             void **ret, size_t *ret_size, GError **error) {
        const ProcessorConfig *master = platform_config_get_master(platform);
        Tree t = { 0 };
        bool ok;

        ok = tree_open(&t, master, base, base_size, ROOM_FIXED + platform->processors->len * ROOM_EACH, error);
        if (ok) {
                if (!master->idm_pci)
                        (void) idm_node(&t, master->board);
                /* libfdt puts a new node before the others, and Linux counts them from the first: so the last slave goes first */
                for (unsigned i = platform->processors->len; i-- > 0;) {
                        const ProcessorConfig *c = g_ptr_array_index(platform->processors, i);

                        if (c->role == PROCESSOR_SLAVE && c->remoteproc == REMOTEPROC_STM32)
                                add_stm32_slave(&t, c);
                        else if (c->role == PROCESSOR_SLAVE)
                                add_slave(&t, master, c);
                }
                ok = tree_close(&t, master, ret, ret_size, error);
        }

        g_free(t.blob);
        return ok;
}

bool device_tree_make_slave(const ProcessorConfig *slave, const void *base, size_t base_size, uint64_t initrd_address,
                            uint64_t initrd_size, void **ret, size_t *ret_size, GError **error) {
        size_t room = ROOM_FIXED + (slave->command_line ? strlen(slave->command_line) : 0);
        Tree t = { 0 };
        bool ok;

        ok = tree_open(&t, slave, base, base_size, room, error);
        if (ok) {
                set_memory(&t, slave);
                if (!slave->idm_pci)
                        (void) idm_node(&t, slave->board);
                set_chosen(&t, slave, initrd_address, initrd_size);
                ok = tree_close(&t, slave, ret, ret_size, error);
        }

        g_free(t.blob);
        return ok;
}
