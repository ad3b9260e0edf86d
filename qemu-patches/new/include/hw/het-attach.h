/*
 * Heterogeneous platforms: slaves and masters come and go
 *
 * Implemented by hw/core/het-attach.c, for whoever brings them together.
 *
 * All functions are called with the BQL held.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef HW_HET_ATTACH_H
#define HW_HET_ATTACH_H

#include "hw/het-couple.h"
#include "hw/het-window.h"

/* Says why slave id cannot be attached to this process; true if it can */
bool het_may_attach_slave(uint32_t id, Error **errp);
bool het_may_attach_master(uint32_t id, Error **errp);
/* These take all fds, also when they fail. window NULL: none */
bool het_slave_attach(uint32_t id, HetCoupleFds *fds,
                      const HetWindowPlace *window, Error **errp);
bool het_master_attach(uint32_t id, HetCoupleFds *fds, Error **errp);
/* These drop the BQL for a moment */
bool het_slave_detach(uint32_t id, Error **errp);
bool het_master_detach(Error **errp);

#endif
