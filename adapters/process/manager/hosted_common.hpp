// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#pragma once

// What the kinds of hosted objects have in common, for their sources.

#include <coproc/error.hpp>

#include <manager/hosted_types.hpp>
#include <optional>
#include <string>
#include <utility>

namespace coproc::detail::hosted {

using waiter = hosted_objects::waiter;
using waiters = hosted_objects::waiters;
using deadline = std::optional<hosted_objects::clock::time_point>;

[[noreturn]] inline void wrong_op(const hosted_objects::object& what) {
    throw serialization_error{"coproc: the object is a " + what.type() +
                              ", which has no such operation"};
}

inline void done(hosted_objects& host, const hosted_request& request) {
    host.answer(request.client, request.header.id, {});
}

template <class T>
void answer_raw(hosted_objects& host, const hosted_request& request, T value) {
    answer_writer w;
    w.raw(value);
    host.answer(request.client, request.header.id, std::move(w.answer));
}

inline void missing(hosted_objects& host, const hosted_request& request, const std::string& why) {
    host.refuse(request.client, request.header.id, manager_status::missing, why);
}

inline manager_op op_of(const hosted_request& request) noexcept {
    return static_cast<manager_op>(request.header.op);
}

inline waiter waiter_for(const hosted_request& request, deadline until) {
    waiter w;
    w.client = request.client;
    w.request = request.header.id;
    w.deadline = until;
    return w;
}

using object_ptr = std::unique_ptr<hosted_objects::object>;

object_ptr make_dict(hosted_kind kind, std::string type);
object_ptr make_list(hosted_kind kind, std::string type, std::uint64_t count,
                     const hosted_value& value);
object_ptr make_single(std::string type, hosted_value value);
object_ptr make_queue(std::string type, std::uint64_t most);
object_ptr make_mutex(std::string type);
object_ptr make_semaphore(std::string type, std::uint64_t count, std::uint64_t most);
object_ptr make_event(std::string type);

} // namespace coproc::detail::hosted
