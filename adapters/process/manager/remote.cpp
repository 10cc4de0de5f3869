// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <coproc/detail/exception_codec.hpp>
#include <coproc/detail/proxy_base.hpp>
#include <coproc/error.hpp>

#include <limits>
#include <stdexcept>
#include <unistd.h>
#include <utility>

namespace coproc::detail {

remote_reply::remote_reply(remote_reply&& other) noexcept
    : status_{other.status_},
      bytes_{std::move(other.bytes_)},
      descriptors_{std::exchange(other.descriptors_, {})},
      taken_{std::exchange(other.taken_, 0)} {}

remote_reply& remote_reply::operator=(remote_reply&& other) noexcept {
    std::swap(status_, other.status_);
    std::swap(bytes_, other.bytes_);
    std::swap(descriptors_, other.descriptors_);
    std::swap(taken_, other.taken_);
    return *this;
}

remote_reply::~remote_reply() {
    for (; taken_ < descriptors_.size(); ++taken_)
        ::close(descriptors_[taken_]);
}

int remote_reply::take_descriptor() {
    if (taken_ == descriptors_.size())
        throw serialization_error{"coproc: a message came without the descriptor it names"};
    return descriptors_[taken_++];
}

void require_ok(remote_reply& reply) {
    const auto text = [&reply] {
        return std::string{reinterpret_cast<const char*>(reply.bytes().data()),
                           reply.bytes().size()};
    };
    switch (reply.status()) {
    case manager_status::ok:
        return;
    case manager_status::exception: {
        reader r = reply.in();
        failure_info where;
        where.worker_name = "manager";
        std::rethrow_exception(decode_exception(r, where));
    }
    case manager_status::missing:
        throw std::out_of_range{text()};
    case manager_status::invalid:
    case manager_status::not_owner:
    case manager_status::overflow:
        throw std::logic_error{text()};
    case manager_status::timed_out:
        throw timeout_error{};
    case manager_status::empty:
        throw queue_empty_error{};
    case manager_status::full:
        throw queue_full_error{};
    case manager_status::closed:
        throw queue_closed_error{};
    case manager_status::owner_died:
        throw owner_died_error{};
    case manager_status::cancelled:
        throw cancelled_error{"coproc: the operation was cancelled"};
    case manager_status::unsupported:
        throw serialization_error{text()};
    case manager_status::error:
        break;
    }
    throw error{text()};
}

namespace {
thread_local ticket_notes* innermost_notes = nullptr;
} // namespace

ticket_notes::ticket_notes() noexcept : outer_{std::exchange(innermost_notes, this)} {}
ticket_notes::~ticket_notes() { innermost_notes = outer_; }

void ticket_notes::add(std::uint64_t ticket) {
    if (innermost_notes != nullptr) innermost_notes->tickets_.push_back(ticket);
}

void ticket_notes::append_to(remote_payload& what) const {
    if (tickets_.size() > std::numeric_limits<std::uint16_t>::max())
        throw serialization_error{"coproc: a value in a manager can hold 65535 proxies"};
    what.tickets = static_cast<std::uint16_t>(tickets_.size());
    const auto* const bytes = reinterpret_cast<const std::byte*>(tickets_.data());
    what.bytes.insert(what.bytes.end(), bytes, bytes + tickets_.size() * sizeof(std::uint64_t));
}

remote_reply ask_within(const remote_object& to, std::chrono::nanoseconds patience, manager_op op,
                        const remote_payload& what, std::uint64_t timeout,
                        void (*late)(remote_reply&&) noexcept) {
    remote_limit limit;
    limit.until = deadline_after(patience);
    limit.late = late;
    return to.call(op, what, timeout, &limit);
}

void throw_empty_proxy() {
    throw std::logic_error{"coproc: this proxy is empty; a manager makes one: manager.dict<K, "
                           "V>(), manager.list<T>(), "
                           "..."};
}

void require_type(const remote_object& object, const std::string& type) {
    if (object.type() == type) return;
    throw error{"coproc: the object at the manager is a " + object.type() + ", not a " + type};
}

std::string plain_type_name(std::string_view compilers) {
    std::string name;
    for (std::size_t i = 0; i != compilers.size();) {
        const std::string_view rest = compilers.substr(i);
        const auto skip = [&](std::string_view what) {
            if (!rest.starts_with(what)) return false;
            i += what.size();
            return true;
        };
        if (skip("std::__cxx11::") || skip("std::__1::")) {
            name += "std::";
        } else if (skip("(anonymous namespace)") || skip("{anonymous}") || skip("<unnamed>")) {
            name += "(anonymous)";
        } else if (rest[0] == ' ' && (rest.starts_with(" >") || rest.starts_with(" ,"))) {
            ++i;
        } else {
            name += rest[0];
            ++i;
        }
    }
    return name;
}

} // namespace coproc::detail
