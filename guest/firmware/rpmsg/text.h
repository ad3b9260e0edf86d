/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Text in messages: commands that people type, and answers for them. It has a length and no zero byte. */

#include <stdbool.h>
#include <stddef.h>

/* What is left to be read */
typedef struct Text {
        const char *data;
        size_t size;
} Text;

/* The next word is this one; it and the blanks behind it are taken. What is something else is left. */
bool text_take_word(Text *text, const char *word);
/* A decimal number up to max */
bool text_take_number(Text *text, unsigned max, unsigned *ret);
/* Nothing but blanks and line feeds is left */
bool text_is_empty(Text *text);

/* An answer as it is written; what has no room is dropped */
typedef struct Answer {
        char data[80];
        size_t size;
} Answer;

void answer_add(Answer *answer, const char *string);
void answer_add_number(Answer *answer, unsigned number);
