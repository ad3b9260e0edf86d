/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading and writing what text.h says. */

#include "text.h"

static bool is_blank(char c) {
        return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void text_skip(Text *text, size_t size) {
        text->data += size;
        text->size -= size;
}

static void text_skip_blanks(Text *text) {
        while (text->size > 0 && is_blank(text->data[0]))
                text_skip(text, 1);
}

/* Something was read that ends here and not in the middle of a word */
static bool text_take(Text *text, size_t size) {
        if (size < text->size && !is_blank(text->data[size]))
                return false;
        text_skip(text, size);
        text_skip_blanks(text);
        return true;
}

bool text_take_word(Text *text, const char *word) {
        size_t size;

        text_skip_blanks(text);
        for (size = 0; word[size]; size++)
                if (size == text->size || text->data[size] != word[size])
                        return false;
        return text_take(text, size);
}

bool text_take_number(Text *text, unsigned max, unsigned *ret) {
        unsigned number = 0;
        size_t size;

        text_skip_blanks(text);
        for (size = 0; size < text->size && text->data[size] >= '0' && text->data[size] <= '9'; size++) {
                unsigned digit = (unsigned) (text->data[size] - '0');

                if (digit > max || number > (max - digit) / 10)
                        return false;
                number = number * 10 + digit;
        }
        if (size == 0 || !text_take(text, size))
                return false;
        *ret = number;
        return true;
}

bool text_is_empty(Text *text) {
        text_skip_blanks(text);
        return text->size == 0;
}

void answer_add(Answer *answer, const char *string) {
        while (*string && answer->size < sizeof(answer->data))
                answer->data[answer->size++] = *string++;
}

void answer_add_number(Answer *answer, unsigned number) {
        char digits[11], *p = digits + sizeof(digits);

        *--p = '\0';
        do
                *--p = (char) ('0' + number % 10);
        while ((number /= 10));
        answer_add(answer, p);
}
