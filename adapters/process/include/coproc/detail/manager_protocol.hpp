// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// What proxies ask of a manager's server, and what it answers.

#include <cstdint>

namespace coproc::detail {

enum class manager_op : std::uint16_t {
    // both sides, before anything else
    hello = 1,
    challenge,
    proof,
    counterproof,
    enter,
    welcome,
    refused,

    reply = 16, // the server's; everything below is a client's

    // without a reply
    release = 32, // one reference less
    lend,         // a reference for a message under way: ticket
    cancel,       // the request that is parked under this frame's id
    acknowledge,  // the element that came with this frame's id has arrived
    give_back,    // what nobody wants that came with this id: element, lock, permit
    shutdown,

    create = 48, // kind, type, initial state
    redeem,      // ticket
    publish,     // name
    unpublish,
    find,

    dict_set = 64,
    dict_at,
    dict_take,
    dict_contains,
    dict_erase,
    dict_size,
    dict_clear,
    dict_keys,
    dict_values,
    dict_items,

    list_push = 96,
    list_at,
    list_set,
    list_insert,
    list_take,
    list_erase,
    list_pop,
    list_size,
    list_clear,
    list_items,

    value_load = 128,
    value_store,
    value_exchange,

    name_set = 144,
    name_get,
    name_contains,
    name_erase,
    name_list,

    queue_put = 160,
    queue_get,
    queue_state,
    queue_close,

    mutex_lock = 176,
    mutex_unlock,

    semaphore_acquire = 184,
    semaphore_release,
    semaphore_value,

    event_set = 192,
    event_clear,
    event_is_set,
    event_wait,

    make = 208, // user object: flags, invoker, arguments
    call,       // invoker, callable, arguments
};

enum class manager_status : std::uint16_t {
    ok,
    exception,   // of user code, encoded
    error,       // coproc::error with this text
    missing,     // no such key, index or name: std::out_of_range
    invalid,     // std::logic_error: misuse
    not_owner,   // unlock without lock
    overflow,    // release beyond the bound
    timed_out,   // waited long enough
    empty,       // queue
    full,        // queue
    closed,      // queue
    owner_died,  // mutex
    cancelled,   // by the client
    unsupported, // serialization_error with this text
};

/// Of a hosted object. The first byte of its type's name on the wire.
enum class hosted_kind : std::uint8_t {
    dict = 1,
    list,
    array,
    value,
    names,
    queue,
    mutex,
    semaphore,
    event,
    object,
};

/// Something is taken: an element, a lock, a permit. If it comes too late, it is given back.
constexpr bool takes(manager_op op) noexcept {
    return op == manager_op::queue_get || op == manager_op::mutex_lock ||
           op == manager_op::semaphore_acquire;
}
/// The reply names an object, and is a reference to it.
constexpr bool refers(manager_op op) noexcept {
    return op == manager_op::create || op == manager_op::make || op == manager_op::find ||
           op == manager_op::redeem;
}
/// What the reply holds is nowhere else.
constexpr bool hands_out(manager_op op) noexcept {
    return op == manager_op::call || op == manager_op::dict_take || op == manager_op::list_take ||
           op == manager_op::list_pop || op == manager_op::value_exchange;
}
/// The server may let it wait, and can be asked not to go on with that.
constexpr bool is_parked(manager_op op) noexcept {
    return takes(op) || op == manager_op::queue_put || op == manager_op::event_wait;
}

/// Timeouts of requests, in nanoseconds.
inline constexpr std::uint64_t wait_for_ever = ~std::uint64_t{0};
inline constexpr std::uint64_t do_not_wait = 0;

} // namespace coproc::detail
