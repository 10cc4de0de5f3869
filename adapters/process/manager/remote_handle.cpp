// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <manager/remote_handle.hpp>

#include <coproc/error.hpp>

#include <cstring>
#include <manager/authentication.hpp>
#include <manager/connection.hpp>

namespace coproc::detail {

std::uint64_t server_root::start(manager_op op, const remote_payload& what, std::uint64_t timeout,
                                 remote_waiter& waiter) const {
    return over_->start(op, 0, what, timeout, waiter);
}

remote_handle::~remote_handle() { over_->forget(id_); }

remote_reply remote_handle::call(manager_op op, const remote_payload& what, std::uint64_t timeout,
                                 const remote_limit* limit) const {
    if (limit == nullptr) return over_->call(op, id_, what, timeout);
    // The object is kept until there is a reply: a lock that comes with it has to go back.
    return over_->call_or_give_up(
        op, id_, what, timeout, limit->until,
        [object = shared_from_this(), late = limit->late](remote_reply&& reply) {
            if (late != nullptr) late(std::move(reply));
        });
}
std::uint64_t remote_handle::start(manager_op op, const remote_payload& what, std::uint64_t timeout,
                                   remote_waiter& waiter) const {
    return over_->start(op, id_, what, timeout, waiter);
}
void remote_handle::cancel(std::uint64_t request) const noexcept {
    over_->tell(manager_op::cancel, id_, request, {});
}
void remote_handle::give_back(const remote_payload& what) const noexcept {
    over_->tell(manager_op::give_back, id_, 0, what);
}
bool remote_handle::same_build() const noexcept { return over_->same_build(); }

void remote_handle::size(sizer& s) const {
    detail::size(s, over_->address());
    s.bytes(2 * sizeof(std::uint64_t));
}
void remote_handle::encode(writer& w) const {
    static constexpr std::size_t ticket_size = sizeof(std::uint64_t);
    const nonce random = make_nonce();
    std::uint64_t ticket = 0;
    std::memcpy(&ticket, random.data(), ticket_size);
    over_->tell(manager_op::lend, id_, 0, pack(ticket));
    detail::encode(w, over_->address());
    w.raw(id_);
    w.raw(ticket);
    ticket_notes::add(ticket);
}

} // namespace coproc::detail
