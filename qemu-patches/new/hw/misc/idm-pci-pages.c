/*
 * Control pages in a region of a PCI device
 *
 * See idm-pages.h. Called by idm-pci.c. What the guest does to a page is
 * what a process at this side could do to it, and the other side is prepared
 * for that: see hw/core/het-couple.c.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/error-report.h"
#include "qemu/event_notifier.h"
#include "qemu/rcu.h"
#include "hw/het-couple.h"
#include "hw/misc/idm-pages.h"
#include "qom/object.h"
#include "system/kvm.h"
#include "trace.h"

#define TYPE_IDM_PAGE "idm-page"
OBJECT_DECLARE_SIMPLE_TYPE(IDMPageState, IDM_PAGE)

/*
 * The owner of its region: views of the guest's memory that are still in
 * use keep it alive, and with it the mapping.
 */
struct IDMPageState {
    Object parent_obj;

    MemoryRegion mr;
    EventNotifier tx;           /* a copy of the couple's */
    bool kicked;                /* KICK is in the kernel */
};

OBJECT_DEFINE_SIMPLE_TYPE(IDMPageState, idm_page, IDM_PAGE, OBJECT)

static void idm_page_init(Object *obj)
{
}

static void idm_page_finalize(Object *obj)
{
}

static void idm_page_class_init(ObjectClass *oc, void *data)
{
}

static hwaddr idm_page_kick(uint32_t id)
{
    return IDM_EXTENSION(id) + IDM_KICK;
}

/* Without KVM the register is emulated: that knows how the peer waits */
static void idm_page_add_kick(IDMPages *pages, uint32_t id, int tx)
{
    IDMPageState *p = pages->page[id];
    int fd = kvm_enabled() ? qemu_dup(tx) : -1;

    if (fd < 0) {
        return;
    }
    event_notifier_init_fd(&p->tx, fd);
    memory_region_add_eventfd(pages->registers, idm_page_kick(id), 4, false, 0,
                              &p->tx);
    p->kicked = true;
}

static void idm_page_remove_kick(IDMPages *pages, uint32_t id)
{
    IDMPageState *p = pages->page[id];

    if (p->kicked) {
        memory_region_del_eventfd(pages->registers, idm_page_kick(id), 4,
                                  false, 0, &p->tx);
        close(event_notifier_get_fd(&p->tx));
        p->kicked = false;
    }
}

static void idm_page_add(IDMPages *pages, uint32_t id, HetCoupleState *c)
{
    g_autofree char *name = g_strdup_printf("idm-page-%u", id);
    IDMPageState *p = IDM_PAGE(object_new(TYPE_IDM_PAGE));
    int fds[HET_COUPLE_FDS_MAX], fd;
    Error *err = NULL;

    het_couple_fds(c, fds);
    fd = qemu_dup(fds[0]);
    if (fd < 0 ||
        !memory_region_init_ram_from_fd(&p->mr, OBJECT(p), name,
                                        HET_PAGE_SIZE, RAM_SHARED, fd, 0,
                                        &err)) {
        /* As on a host with larger pages. The registers are there. */
        warn_report("couple %u: the guest gets no control page: %s", id,
                    err ? error_get_pretty(err) : strerror(errno));
        error_free(err);
        if (fd >= 0) {
            close(fd);
        }
        object_unref(OBJECT(p));
        return;
    }
    object_property_add_child(pages->bar.owner, name, OBJECT(p));
    object_unref(OBJECT(p));
    memory_region_add_subregion(&pages->bar, id * HET_PAGE_SIZE, &p->mr);
    pages->page[id] = p;
    idm_page_add_kick(pages, id, fds[2]);
    het_couple_set_kick(c, p->kicked);
    trace_idm_pages_add(id, p->kicked);
}

static void idm_page_remove(IDMPages *pages, uint32_t id)
{
    IDMPageState *p = pages->page[id];

    trace_idm_pages_remove(id);
    idm_page_remove_kick(pages, id);
    pages->page[id] = NULL;
    memory_region_del_subregion(&pages->bar, &p->mr);
    object_unparent(OBJECT(p));
    /* The region's views, then its memory: as in hw/core/het-window.c */
    drain_call_rcu();
    drain_call_rcu();
}

void idm_pages_update(IDMPages *pages, uint32_t id)
{
    HetCoupleState *c = het_couple_find(id);

    if (c && !pages->page[id]) {
        idm_page_add(pages, id, c);
    } else if (!c && pages->page[id]) {
        idm_page_remove(pages, id);
    }
}

void idm_pages_init(IDMPages *pages, Object *owner, MemoryRegion *registers)
{
    pages->registers = registers;
    memory_region_init(&pages->bar, owner, "idm-pages", IDM_PCI_PAGES_SIZE);
}

void idm_pages_exit(IDMPages *pages)
{
    for (uint32_t id = 0; id < IDM_COUPLE_MAX; id++) {
        if (pages->page[id]) {
            idm_page_remove(pages, id);
        }
    }
}
