/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "idm.h"

/* Whom the IDM tells of vectors: defined where they are heard */
extern const IdmClient idm_doorbell_client;
