/*
 * memory-backend-shared: memory that comes later, or that is handed out
 *
 * A slave's object reserves address space and is a disabled memory region,
 * so that the machine can be built on it while nothing can reach it. A
 * grant maps a file over the reservation (hostmem-shared-grant.c); only a
 * boot enables the region. The host address never changes, and the
 * RAMBlock's file is right whenever the region is enabled, so that no
 * listener needs to know.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include <sys/mman.h>
#include "qapi/error.h"
#include "qemu/error-report.h"
#include "qemu/memfd.h"
#include "qemu/mmap-alloc.h"
#include "qemu/module.h"
#include "qemu/notify.h"
#include "qemu/rcu.h"
#include "qemu/units.h"
#include "qom/object_interfaces.h"
#include "exec/address-spaces.h"
#include "exec/ramblock.h"
#include "migration/blocker.h"
#include "system/system.h"
#include "hw/boards.h"
#include "hw/het.h"
#include "hostmem-shared-internal.h"

/* Sealed for good: whoever gets the memory cannot make it unusable for us */
#define SHARED_MEMFD_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

static Notifier shared_machine_done;

/* --- looking up --- */

HostMemoryBackendShared *hostmem_shared_find(const char *id, Error **errp)
{
    Object *obj = object_resolve_path_component(object_get_objects_root(), id);

    if (!obj || !object_dynamic_cast(obj, TYPE_MEMORY_BACKEND_SHARED)) {
        error_setg(errp, "there is no %s object '%s'",
                   TYPE_MEMORY_BACKEND_SHARED, id);
        return NULL;
    }
    return MEMORY_BACKEND_SHARED(obj);
}

typedef struct SharedForeach {
    int (*fn)(HostMemoryBackendShared *s, void *opaque);
    void *opaque;
} SharedForeach;

static int hostmem_shared_foreach_child(Object *obj, void *opaque)
{
    SharedForeach *each = opaque;

    if (!object_dynamic_cast(obj, TYPE_MEMORY_BACKEND_SHARED) ||
        !host_memory_backend_mr_inited(MEMORY_BACKEND(obj))) {
        return 0;
    }
    return each->fn(MEMORY_BACKEND_SHARED(obj), each->opaque);
}

int hostmem_shared_foreach(int (*fn)(HostMemoryBackendShared *s, void *opaque),
                           void *opaque)
{
    SharedForeach each = { .fn = fn, .opaque = opaque };

    return object_child_foreach(object_get_objects_root(),
                                hostmem_shared_foreach_child, &each);
}

bool hostmem_shared_is_master(HostMemoryBackendShared *s)
{
    return s->is_master;
}

bool hostmem_shared_is_mapped(HostMemoryBackendShared *s)
{
    return memory_region_is_mapped(hostmem_shared_mr(s));
}

bool hostmem_shared_is_granted(HostMemoryBackendShared *s)
{
    return s->is_master || s->granted;
}

uint64_t hostmem_shared_size(HostMemoryBackendShared *s)
{
    return memory_region_size(hostmem_shared_mr(s));
}

Object *hostmem_shared_socket(HostMemoryBackendShared *s)
{
    Object *obj = s->chardev
        ? object_resolve_path_component(object_get_objects_root(), s->chardev)
        : NULL;

    return obj ? object_dynamic_cast(obj, TYPE_MULTI_SOCKET_BACKEND) : NULL;
}

bool hostmem_shared_address(HostMemoryBackendShared *s, uint64_t *address)
{
    MemoryRegion *mr = hostmem_shared_mr(s), *part;
    uint64_t sum = 0;

    /* A PC has its memory in parts; the first begins where the memory does */
    if (!mr->container) {
        QTAILQ_FOREACH(part, &get_system_memory()->subregions,
                       subregions_link) {
            if (part->alias == mr && !part->alias_offset) {
                *address = part->addr;
                return true;
            }
        }
    }
    /* Which a Cortex-M has in a container of its own */
    for (; mr->container && mr != get_system_memory(); mr = mr->container) {
        sum += mr->addr;
    }
    if (mr != get_system_memory()) {
        return false;
    }
    *address = sum;
    return true;
}

typedef struct SharedParts {
    const MemoryRegion *mr;
    GArray *parts;
} SharedParts;

static bool hostmem_shared_add_part(Int128 start, Int128 size,
                                    const MemoryRegion *mr, hwaddr offset,
                                    void *opaque)
{
    SharedParts *p = opaque;
    HostMemorySharedPart part = {
        .address = int128_get64(start),
        .offset = offset,
    };

    if (mr == p->mr) {
        part.size = int128_get64(size);
        g_array_append_val(p->parts, part);
    }
    return false;
}

GArray *hostmem_shared_parts(HostMemoryBackendShared *s)
{
    SharedParts p = {
        .mr = hostmem_shared_mr(s),
        .parts = g_array_new(false, false, sizeof(HostMemorySharedPart)),
    };

    RCU_READ_LOCK_GUARD();
    flatview_for_each_range(address_space_to_flatview(&address_space_memory),
                            hostmem_shared_add_part, &p);
    return p.parts;
}

/* --- asking about it --- */

int hostmem_shared_fd(HostMemoryBackendShared *s, uint64_t *offset,
                      size_t *page_size)
{
    MemoryRegion *mr = hostmem_shared_mr(s);

    *offset = mr->ram_block->fd_offset;
    *page_size = qemu_ram_pagesize(mr->ram_block);
    return memory_region_get_fd(mr);
}

HetMemoryInfo *hostmem_shared_query(HostMemoryBackendShared *s)
{
    HetMemoryInfo *info = g_new0(HetMemoryInfo, 1);
    MemoryRegion *mr = hostmem_shared_mr(s);

    info->id = g_strdup(hostmem_shared_id(s));
    info->size = memory_region_size(mr);
    info->granted = hostmem_shared_is_granted(s);
    info->visible = mr->enabled && memory_region_is_mapped(mr);
    if (info->granted) {
        info->has_page_size = info->has_offset = true;
        info->page_size = qemu_ram_pagesize(mr->ram_block);
        info->offset = mr->ram_block->fd_offset;
    }
    info->readonly = s->granted && mr->readonly;
    info->has_bus_address = s->has_alias;
    info->bus_address = s->bus_address;
    return info;
}

/* --- making the memory --- */

/* Boards that have their memory in themselves take an object, and forget it */
bool hostmem_shared_check_used(HostMemoryBackendShared *s)
{
    if (hostmem_shared_is_mapped(s)) {
        return true;
    }
    if (host_memory_backend_is_mapped(MEMORY_BACKEND(s))) {
        error_report("machine '%s' does not use the memory '%s' that it"
                     " was given as its main memory",
                     MACHINE_GET_CLASS(current_machine)->name,
                     hostmem_shared_id(s));
        exit(EXIT_FAILURE);
    }
    return false;
}

static int hostmem_shared_check_one(HostMemoryBackendShared *s, void *opaque)
{
    hostmem_shared_check_used(s);
    return 0;
}

/* A slave's are checked by het-slave.c, which wants one that is used */
static void hostmem_shared_machine_done(Notifier *notifier, void *data)
{
    hostmem_shared_foreach(hostmem_shared_check_one, NULL);
}

static bool hostmem_shared_alloc_reservation(HostMemoryBackendShared *s,
                                             const char *name, Error **errp)
{
    HostMemoryBackend *backend = MEMORY_BACKEND(s);
    size_t page = qemu_real_host_page_size();
    size_t size = backend->size;
    /* So that huge pages of either size can be granted */
    size_t align = size >= GiB ? GiB : 2 * MiB;
    uint8_t *raw, *host;

    if (!QEMU_IS_ALIGNED(size, page)) {
        error_setg(errp, "the size must be a multiple of 0x%zx", page);
        return false;
    }
    raw = mmap(NULL, size + align, PROT_NONE,
               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (raw == MAP_FAILED) {
        error_setg_errno(errp, errno, "cannot reserve address space");
        return false;
    }
    host = QEMU_ALIGN_PTR_UP(raw, align);
    if (host > raw) {
        munmap(raw, host - raw);
    }
    if (host < raw + align) {
        munmap(host + size, raw + align - host);
    }

    s->reservation = g_new0(SharedReservation, 1);
    *s->reservation = (SharedReservation) {
        .host = host, .size = size, .fd = -1,
    };
    /* The truth, and keeps prealloc=on from touching it from now on */
    backend->reserve = false;
    memory_region_init_ram_ptr(&backend->mr, OBJECT(s), name, size, host);
    backend->mr.ram_block->flags |= RAM_SHARED;
    memory_region_set_enabled(&backend->mr, false);
    return true;
}

static bool hostmem_shared_alloc_file(HostMemoryBackendShared *s,
                                      const char *name, uint32_t ram_flags,
                                      Error **errp)
{
    HostMemoryBackend *backend = MEMORY_BACKEND(s);
    QemuFsType fs;

    /* What is not there would be made, and stay there, even on a disk */
    if (!g_file_test(s->mem_path, G_FILE_TEST_IS_DIR)) {
        error_setg(errp, "mem-path '%s' is no directory: give one that is on"
                   " tmpfs or hugetlbfs", s->mem_path);
        return false;
    }
    if (!memory_region_init_ram_from_file(&backend->mr, OBJECT(s), name,
                                          backend->size, 0,
                                          ram_flags | RAM_NAMED_FILE,
                                          s->mem_path, 0, errp)) {
        return false;
    }
    fs = qemu_fd_getfs(memory_region_get_fd(&backend->mr));
    if (fs != QEMU_FS_TYPE_TMPFS && fs != QEMU_FS_TYPE_HUGETLBFS) {
        error_setg(errp, "mem-path '%s' is neither on tmpfs nor on hugetlbfs",
                   s->mem_path);
        return false;
    }
    return true;
}

static bool hostmem_shared_alloc_memfd(HostMemoryBackendShared *s,
                                       const char *name, uint32_t ram_flags,
                                       Error **errp)
{
    HostMemoryBackend *backend = MEMORY_BACKEND(s);
    int fd = qemu_memfd_create(name, backend->size, false, 0,
                               SHARED_MEMFD_SEALS, errp);

    if (fd < 0) {
        return false;
    }
    if (!memory_region_init_ram_from_fd(&backend->mr, OBJECT(s), name,
                                        backend->size, ram_flags, fd, 0,
                                        errp)) {
        close(fd);
        return false;
    }
    return true;
}

static bool hostmem_shared_alloc_master(HostMemoryBackendShared *s,
                                        const char *name, Error **errp)
{
    HostMemoryBackend *backend = MEMORY_BACKEND(s);
    uint32_t ram_flags = RAM_SHARED | (backend->reserve ? 0 : RAM_NORESERVE);

    if (!het_become_master(errp)) {
        error_append_hint(errp, "A slave's memory is granted to it: leave out"
                          " 'master=on'.\n");
        return false;
    }
    if (!shared_machine_done.notify) {
        shared_machine_done.notify = hostmem_shared_machine_done;
        qemu_add_machine_init_done_notifier(&shared_machine_done);
    }
    if (s->mem_path) {
        return hostmem_shared_alloc_file(s, name, ram_flags, errp);
    }
    return hostmem_shared_alloc_memfd(s, name, ram_flags, errp);
}

/* What must be asked of whoever allocates the memory */
static bool hostmem_shared_check_slave(HostMemoryBackendShared *s,
                                       Error **errp)
{
    HostMemoryBackend *backend = MEMORY_BACKEND(s);
    const char *option = NULL;

    if (het_role() != HET_ROLE_SLAVE) {
        error_setg(errp, "'master=off' is for a slave, which needs"
                   " -machine slave=on or -incoming shared:ID");
        return false;
    }
    if (s->mem_path && !s->chardev) {
        /* Over a socket comes what the master has, wherever it is */
        option = "mem-path";
    } else if (backend->prealloc) {
        option = "prealloc=on";
    } else if (backend->policy != HOST_MEM_POLICY_DEFAULT ||
               !bitmap_empty(backend->host_nodes, MAX_NODES + 1)) {
        option = "host-nodes and policy";
    }
    if (option) {
        error_setg(errp, "%s: a slave's memory is granted to it, so this is"
                   " for whoever allocates it", option);
        return false;
    }
    return true;
}

static bool hostmem_shared_alloc(HostMemoryBackend *backend, Error **errp)
{
    ERRP_GUARD();
    HostMemoryBackendShared *s = MEMORY_BACKEND_SHARED(backend);
    g_autofree char *name = host_memory_backend_get_name(backend);

    if (!backend->size) {
        error_setg(errp, "the size must not be 0");
        return false;
    }
    if (!backend->share) {
        error_setg(errp, "share=off makes no sense for memory that is shared"
                   " with other processes");
        return false;
    }
    if (s->chardev && !hostmem_shared_socket(s)) {
        error_setg(errp, "chardev=%s: there is no %s object of this name",
                   s->chardev, TYPE_MULTI_SOCKET_BACKEND);
        return false;
    }
    s->is_master = s->master == ON_OFF_AUTO_AUTO ?
                   het_role() != HET_ROLE_SLAVE : s->master == ON_OFF_AUTO_ON;
    if (!s->is_master && !hostmem_shared_check_slave(s, errp)) {
        return false;
    }

    error_setg(&s->migration_blocker, "the memory of '%s' is shared with other"
               " processes", hostmem_shared_id(s));
    if (migrate_add_blocker(&s->migration_blocker, errp) < 0) {
        return false;
    }
    backend->aligned = true;
    return s->is_master ? hostmem_shared_alloc_master(s, name, errp)
                        : hostmem_shared_alloc_reservation(s, name, errp);
}

/* --- the object --- */

static bool hostmem_shared_get_master(Object *obj, Error **errp)
{
    HostMemoryBackendShared *s = MEMORY_BACKEND_SHARED(obj);

    return s->is_master || s->master == ON_OFF_AUTO_ON;
}

static bool hostmem_shared_may_change(Object *obj, Error **errp)
{
    if (host_memory_backend_mr_inited(MEMORY_BACKEND(obj))) {
        error_setg(errp, "cannot change property value");
        return false;
    }
    return true;
}

static void hostmem_shared_set_master(Object *obj, bool value, Error **errp)
{
    if (hostmem_shared_may_change(obj, errp)) {
        MEMORY_BACKEND_SHARED(obj)->master =
            value ? ON_OFF_AUTO_ON : ON_OFF_AUTO_OFF;
    }
}

static char *hostmem_shared_get_mem_path(Object *obj, Error **errp)
{
    return g_strdup(MEMORY_BACKEND_SHARED(obj)->mem_path);
}

static void hostmem_shared_set_mem_path(Object *obj, const char *value,
                                        Error **errp)
{
    HostMemoryBackendShared *s = MEMORY_BACKEND_SHARED(obj);

    if (hostmem_shared_may_change(obj, errp)) {
        g_free(s->mem_path);
        s->mem_path = g_strdup(value);
    }
}

static char *hostmem_shared_get_chardev(Object *obj, Error **errp)
{
    return g_strdup(MEMORY_BACKEND_SHARED(obj)->chardev);
}

static void hostmem_shared_set_chardev(Object *obj, const char *value,
                                       Error **errp)
{
    HostMemoryBackendShared *s = MEMORY_BACKEND_SHARED(obj);

    if (hostmem_shared_may_change(obj, errp)) {
        g_free(s->chardev);
        s->chardev = g_strdup(value);
    }
}

static void hostmem_shared_instance_init(Object *obj)
{
    MEMORY_BACKEND(obj)->share = true;
}

static void hostmem_shared_reclaim(SharedReservation *r)
{
    munmap(r->host, r->size);
    if (r->fd >= 0) {
        close(r->fd);
    }
    g_free(r);
}

/* What was granted must be revoked first: then there is no alias either */
static bool hostmem_shared_can_be_deleted(UserCreatable *uc)
{
    return !host_memory_backend_is_mapped(MEMORY_BACKEND(uc)) &&
           !MEMORY_BACKEND_SHARED(uc)->granted;
}

static void hostmem_shared_finalize(Object *obj)
{
    HostMemoryBackendShared *s = MEMORY_BACKEND_SHARED(obj);

    migrate_del_blocker(&s->migration_blocker);
    error_free(s->migration_blocker);
    g_free(s->mem_path);
    g_free(s->chardev);
    if (s->reservation) {
        call_rcu(s->reservation, hostmem_shared_reclaim, rcu);
    }
}

static void hostmem_shared_class_init(ObjectClass *oc, void *data)
{
    HostMemoryBackendClass *bc = MEMORY_BACKEND_CLASS(oc);

    bc->alloc = hostmem_shared_alloc;
    USER_CREATABLE_CLASS(oc)->can_be_deleted = hostmem_shared_can_be_deleted;

    object_class_property_add_bool(oc, "master", hostmem_shared_get_master,
                                   hostmem_shared_set_master);
    object_class_property_set_description(oc, "master",
        "Allocate the memory (on) or wait until it is granted (off)");
    object_class_property_add_str(oc, "mem-path", hostmem_shared_get_mem_path,
                                  hostmem_shared_set_mem_path);
    object_class_property_set_description(oc, "mem-path",
        "Directory on tmpfs or hugetlbfs to allocate the memory in");
    object_class_property_add_str(oc, "chardev", hostmem_shared_get_chardev,
                                  hostmem_shared_set_chardev);
    object_class_property_set_description(oc, "chardev",
        "multi-socket-backend that hands it to slaves, or that it comes from");
}

static const TypeInfo hostmem_shared_info = {
    .name = TYPE_MEMORY_BACKEND_SHARED,
    .parent = TYPE_MEMORY_BACKEND,
    .instance_init = hostmem_shared_instance_init,
    .instance_finalize = hostmem_shared_finalize,
    .class_init = hostmem_shared_class_init,
    .instance_size = sizeof(HostMemoryBackendShared),
};

static void hostmem_shared_register_types(void)
{
    type_register_static(&hostmem_shared_info);
}

type_init(hostmem_shared_register_types);
