/*
 * Heterogeneous platforms: checks of what others hand over
 *
 * hw/core/het-fd.c      file descriptors
 * hw/core/het-region.c  what lies where memory is to be laid
 *
 * All functions are called with the BQL held.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef HW_HET_CHECK_H
#define HW_HET_CHECK_H

/* --- het-region.c --- */

/*
 * Whether address..address+size, which must not wrap, holds nothing that
 * would be missed; false with errp, where what names what goes there.
 * over_ram: the machine's memory may be there
 */
bool het_check_place(const char *what, uint64_t address, uint64_t size,
                     bool over_ram, Error **errp);
/*
 * Whether nothing takes what is written to an address of these; what stands for
 * a device that a board lacks is nothing
 */
bool het_is_nowhere(AddressSpace *as, uint64_t address, uint64_t size);
/*
 * Name of an image that a reset writes into a range, or to nowhere; NULL if
 * there is none
 * except: names of images that do not count, NULL if all do
 */
const char *het_find_image(uint64_t address, uint64_t size,
                           const char *const *except);
const char *het_find_lost_image(const char *const *except);

/* --- het-fd.c --- */

/*
 * Checks that it is memory that its owner cannot pull away under us (a memfd
 * sealed against shrinking and growing, or a file on tmpfs or hugetlbfs, where
 * there are no seals and whoever hands it out vouches for it), open for reading
 * only or for both, and that offset..offset+size lies in it, page-aligned.
 * size 0: not checked.
 * name: what the user knows it by
 */
bool het_check_memory_fd(int fd, const char *name, uint64_t offset,
                         uint64_t size, bool readonly, size_t *page_size,
                         Error **errp);
/* The same for an eventfd, which is set up for use */
bool het_check_eventfd(int fd, const char *name, Error **errp);
/*
 * The same with the fd that getfd stored under name. Return -1 with errp; the
 * fd is then closed.
 */
int het_take_memory_fd(const char *name, uint64_t offset, uint64_t size,
                       bool readonly, size_t *page_size, Error **errp);
int het_take_eventfd(const char *name, Error **errp);
/*
 * Closes the fd that getfd stored under name, if there is one: for commands
 * that fail before they take it
 */
void het_forget_fd(const char *name);

#endif
