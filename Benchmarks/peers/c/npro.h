// The packet protocol of the C servers: bytes in, replies out, no sockets. Both servers share it, so that they differ
// in nothing but how they talk to the kernel.
//
//     0        4    5             9
//     | "NPRO" | 01 | length (BE) | payload        length counts the payload only, at most 16 MiB
//
// A payload is one bincode value: u32 LE discriminant, then the fields; a String or a byte vector is a u64 LE count
// and its bytes. Bytes after the value are allowed and ignored; a discriminant of 8 or more is a legal unknown message.
#ifndef NPRO_H
#define NPRO_H

#include <endian.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

enum {
    NPRO_HEADER_BYTES = 9,
    NPRO_PAYLOAD_BYTES_MAX = 16 * 1024 * 1024,
    NPRO_ECHO_OVERHEAD_BYTES = 12,  // discriminant and text length
    NPRO_RETAINED_BYTES_MAX = 64 * 1024,
};

enum npro_kind {
    NPRO_PING, NPRO_PONG, NPRO_HANDSHAKE_INIT, NPRO_HANDSHAKE_RESPONSE, NPRO_HANDSHAKE_CONFIRM, NPRO_ECHO,
    NPRO_DISCONNECT, NPRO_CUSTOM,
};

static inline uint32_t npro_load32(const uint8_t *bytes) {
    uint32_t value;
    memcpy(&value, bytes, sizeof value);
    return le32toh(value);
}

static inline uint64_t npro_load64(const uint8_t *bytes) {
    uint64_t value;
    memcpy(&value, bytes, sizeof value);
    return le64toh(value);
}

// MARK: growable bytes

struct npro_bytes {
    uint8_t *start;
    size_t count, capacity;
};

// Makes room for `extra` more bytes and answers where they go. Growth follows bytes that have arrived, never an
// announced length. A reference server without memory has nothing better to do than to say so and end.
static inline uint8_t *npro_reserve(struct npro_bytes *bytes, size_t extra) {
    size_t needed = bytes->count + extra;
    if (__builtin_expect(needed > bytes->capacity, 0)) {
        size_t capacity = bytes->capacity ? bytes->capacity : 512;
        while (capacity < needed) capacity *= 2;
        bytes->start = realloc(bytes->start, capacity);
        if (!bytes->start) {
            fprintf(stderr, "no memory for a buffer of %zu bytes\n", capacity);
            exit(1);
        }
        bytes->capacity = capacity;
    }
    return bytes->start + bytes->count;
}

static inline void npro_append(struct npro_bytes *bytes, const uint8_t *source, size_t count) {
    memcpy(npro_reserve(bytes, count), source, count);
    bytes->count += count;
}

static inline void npro_release(struct npro_bytes *bytes) {
    free(bytes->start);
    *bytes = (struct npro_bytes){0};
}

// Empties the buffer; one that a large packet has blown up goes back to the allocator.
static inline void npro_empty(struct npro_bytes *bytes) {
    bytes->count = 0;
    if (bytes->capacity > NPRO_RETAINED_BYTES_MAX) npro_release(bytes);
}

// MARK: UTF-8

typedef uint64_t npro_vector __attribute__((vector_size(16), aligned(1), may_alias));

// Where the leading ASCII ends: 64 bytes a step, then 8, then 1.
static inline const uint8_t *npro_skip_ascii(const uint8_t *at, const uint8_t *end) {
    const uint64_t high_bits = 0x8080808080808080;
    for (; end - at >= 64; at += 64) {
        const npro_vector *lanes = (const npro_vector *)at;
        npro_vector all = (lanes[0] | lanes[1]) | (lanes[2] | lanes[3]);
        if ((all[0] | all[1]) & high_bits) break;
    }
    while (end - at >= 8 && !(npro_load64(at) & high_bits)) at += 8;
    while (at < end && *at < 0x80) at++;
    return at;
}

static inline bool npro_within(uint8_t byte, uint8_t low, uint8_t high) { return byte >= low && byte <= high; }

// The length of the well-formed multi-byte sequence at `at`, or 0 (Unicode, table 3-7: no overlong form, no surrogate,
// nothing above U+10FFFF).
static inline size_t npro_sequence(const uint8_t *at, const uint8_t *end) {
    size_t left = (size_t)(end - at);
    uint8_t lead = at[0];
    if (npro_within(lead, 0xC2, 0xDF)) return left >= 2 && npro_within(at[1], 0x80, 0xBF) ? 2 : 0;
    if (npro_within(lead, 0xE0, 0xEF)) {
        uint8_t low = lead == 0xE0 ? 0xA0 : 0x80, high = lead == 0xED ? 0x9F : 0xBF;
        return left >= 3 && npro_within(at[1], low, high) && npro_within(at[2], 0x80, 0xBF) ? 3 : 0;
    }
    if (npro_within(lead, 0xF0, 0xF4)) {
        uint8_t low = lead == 0xF0 ? 0x90 : 0x80, high = lead == 0xF4 ? 0x8F : 0xBF;
        return left >= 4 && npro_within(at[1], low, high) && npro_within(at[2], 0x80, 0xBF)
            && npro_within(at[3], 0x80, 0xBF) ? 4 : 0;
    }
    return 0;
}

static inline bool npro_is_utf8(const uint8_t *text, size_t count) {
    const uint8_t *end = text + count;
    for (const uint8_t *at = npro_skip_ascii(text, end); at < end; at = npro_skip_ascii(at, end)) {
        size_t sequence = npro_sequence(at, end);
        if (sequence == 0) return false;
        at += sequence;
    }
    return true;
}

// MARK: messages

static inline uint8_t *npro_write_header(uint8_t *at, uint32_t payload_bytes) {
    uint32_t length = htobe32(payload_bytes);
    memcpy(at, "NPRO\x01", 5);
    memcpy(at + 5, &length, sizeof length);
    return at + NPRO_HEADER_BYTES;
}

static inline uint8_t *npro_write_kind(uint8_t *at, enum npro_kind kind) {
    uint32_t discriminant = htole32(kind);
    memcpy(at, &discriminant, sizeof discriminant);
    return at + sizeof discriminant;
}

static inline void npro_write_pong(struct npro_bytes *replies) {
    uint8_t *at = npro_reserve(replies, NPRO_HEADER_BYTES + 4);
    npro_write_kind(npro_write_header(at, 4), NPRO_PONG);
    replies->count += NPRO_HEADER_BYTES + 4;
}

static inline void npro_write_echo(struct npro_bytes *replies, const uint8_t *text, size_t count) {
    size_t payload_bytes = NPRO_ECHO_OVERHEAD_BYTES + count;
    uint64_t length = htole64(count);
    uint8_t *at = npro_reserve(replies, NPRO_HEADER_BYTES + payload_bytes);
    at = npro_write_kind(npro_write_header(at, (uint32_t)payload_bytes), NPRO_ECHO);
    memcpy(at, &length, sizeof length);
    memcpy(at + sizeof length, text, count);
    replies->count += NPRO_HEADER_BYTES + payload_bytes;
}

// One counted field; steps past it. False when the bytes end before it does.
static inline bool npro_take_field(const uint8_t **at, const uint8_t *end, const uint8_t **field, size_t *count) {
    if (end - *at < 8) return false;
    uint64_t announced = npro_load64(*at);
    *at += 8;
    if (announced > (uint64_t)(end - *at)) return false;
    *field = *at;
    *count = (size_t)announced;
    *at += *count;
    return true;
}

static inline bool npro_is_custom(const uint8_t *at, const uint8_t *end) {
    const uint8_t *command, *content;
    size_t command_count, content_count;
    return npro_take_field(&at, end, &command, &command_count) && npro_is_utf8(command, command_count)
        && npro_take_field(&at, end, &content, &content_count);
}

// Decodes one payload and writes the reply it asks for, if any. False: malformed, close the connection.
static inline bool npro_answer(const uint8_t *payload, size_t count, struct npro_bytes *replies) {
    const uint8_t *at = payload + 4, *end = payload + count, *text;
    size_t text_count;
    if (count < 4) return false;
    switch (npro_load32(payload)) {
    case NPRO_ECHO:
        if (!npro_take_field(&at, end, &text, &text_count) || !npro_is_utf8(text, text_count)) return false;
        npro_write_echo(replies, text, text_count);
        return true;
    case NPRO_PING:
        npro_write_pong(replies);
        return true;
    case NPRO_HANDSHAKE_INIT: return count >= 60;
    case NPRO_HANDSHAKE_RESPONSE: return count >= 84;
    case NPRO_HANDSHAKE_CONFIRM: return count >= 36;
    case NPRO_CUSTOM: return npro_is_custom(at, end);
    default: return true;
    }
}

// MARK: packets

enum npro_step { NPRO_PACKET, NPRO_INCOMPLETE, NPRO_VIOLATION };

// A header not all there: what has come must still be right, so that garbage is refused at its first wrong byte.
static inline enum npro_step npro_examine_prefix(const uint8_t *bytes, size_t count) {
    return memcmp(bytes, "NPRO\x01", count < 5 ? count : 5) == 0 ? NPRO_INCOMPLETE : NPRO_VIOLATION;
}

// Examines the packet at `bytes`; `packet_bytes` is its size, or the bytes the next attempt needs.
static inline enum npro_step npro_examine(const uint8_t *bytes, size_t count, size_t *packet_bytes) {
    *packet_bytes = NPRO_HEADER_BYTES;
    if (count < NPRO_HEADER_BYTES) return npro_examine_prefix(bytes, count);
    if (memcmp(bytes, "NPRO\x01", 5) != 0) return NPRO_VIOLATION;
    uint32_t length;
    memcpy(&length, bytes + 5, sizeof length);
    length = be32toh(length);
    if (length > NPRO_PAYLOAD_BYTES_MAX) return NPRO_VIOLATION;
    *packet_bytes = NPRO_HEADER_BYTES + (size_t)length;
    return count >= *packet_bytes ? NPRO_PACKET : NPRO_INCOMPLETE;
}

// Adds to a packet that straddles buffers no more than it lacks, and answers it once it is whole.
// Returns how many bytes it took, or -1 for a violation.
static inline ssize_t npro_complete_partial(struct npro_bytes *partial, const uint8_t *bytes, size_t count,
                                            struct npro_bytes *replies) {
    size_t packet_bytes, taken = 0;
    enum npro_step step = npro_examine(partial->start, partial->count, &packet_bytes);
    while (step == NPRO_INCOMPLETE && taken < count) {
        size_t lacking = packet_bytes - partial->count, left = count - taken;
        size_t more = lacking < left ? lacking : left;
        npro_append(partial, bytes + taken, more);
        taken += more;
        step = npro_examine(partial->start, partial->count, &packet_bytes);
    }
    if (step == NPRO_VIOLATION) return -1;
    if (step == NPRO_INCOMPLETE) return (ssize_t)taken;
    if (!npro_answer(partial->start + NPRO_HEADER_BYTES, packet_bytes - NPRO_HEADER_BYTES, replies)) return -1;
    npro_empty(partial);
    return (ssize_t)taken;
}

// Answers every packet that ends in these bytes, in place; only the head of one that goes on is copied to `partial`.
// False: malformed, close the connection (after the replies to what came before).
static inline bool npro_receive(struct npro_bytes *partial, const uint8_t *bytes, size_t count,
                                struct npro_bytes *replies) {
    if (partial->count > 0) {
        ssize_t taken = npro_complete_partial(partial, bytes, count, replies);
        if (taken < 0) return false;
        bytes += taken;
        count -= (size_t)taken;
    }
    while (count > 0) {
        size_t packet_bytes;
        enum npro_step step = npro_examine(bytes, count, &packet_bytes);
        if (step == NPRO_VIOLATION) return false;
        if (step == NPRO_INCOMPLETE) {
            npro_append(partial, bytes, count);
            return true;
        }
        if (!npro_answer(bytes + NPRO_HEADER_BYTES, packet_bytes - NPRO_HEADER_BYTES, replies)) return false;
        bytes += packet_bytes;
        count -= packet_bytes;
    }
    return true;
}

#endif
