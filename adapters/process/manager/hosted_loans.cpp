// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// References under way: of proxies in messages, and in values that are kept.

#include <cstddef>
#include <cstring>
#include <manager/hosted.hpp>
#include <manager/hosted_types.hpp>
#include <utility>

namespace coproc::detail {

void hosted_objects::lend(const hosted_request& request) {
    reader r{request.payload};
    const auto ticket = r.raw<std::uint64_t>();
    if (early_.erase(ticket) != 0) return; // the receiver was faster
    const auto found = objects_.find(request.header.object);
    if (found == objects_.end() || loans_.contains(ticket)) return;
    ++found->second->references;
    loans_.emplace(ticket, loan{request.header.object, request.client});
    clients_.at(request.client).loans.insert(ticket);
}

void hosted_objects::redeem(const hosted_request& request) {
    object* const what = look_up(request);
    if (what == nullptr) return;
    reader r{request.payload};
    const auto ticket = r.raw<std::uint64_t>();
    refer(request.client, what->id);
    if (const auto found = loans_.find(ticket); found != loans_.end() && found->second.kept) {
        found->second.redeemed = true;
    } else if (found != loans_.end()) {
        if (const auto lender = clients_.find(found->second.lender); lender != clients_.end())
            lender->second.loans.erase(ticket);
        const object_id id = found->second.object;
        loans_.erase(found);
        drop(id);
    } else {
        // Not lent yet, or taken already by an earlier reading of the same message.
        std::erase_if(early_, [this](const auto& each) {
            return each.second.when + lost_ticket_time < now_;
        });
        early_.emplace(ticket, early_ticket{what->id, now_});
    }
    answer_object(request.client, request.header.id, what->id);
}

/// Those whose tickets are at the end of its payload. (Not for calls of users' objects, which leave
/// this thread.)
void hosted_objects::keep_loans(hosted_request& request) {
    const std::size_t count = request.header.status;
    if (count == 0) return;
    const std::size_t size = count * sizeof(std::uint64_t);
    if (request.payload.size() < size) malformed();
    std::vector<std::uint64_t> tickets(count);
    std::memcpy(tickets.data(), request.payload.data() + request.payload.size() - size, size);
    request.payload.erase(request.payload.end() - static_cast<std::ptrdiff_t>(size),
                          request.payload.end());
    request.loans = std::make_shared<kept_loans>(*this, std::move(tickets));
}

void hosted_objects::keep(std::uint64_t ticket) {
    const auto found = loans_.find(ticket);
    if (found == loans_.end()) return; // of another manager's object
    found->second.kept = true;
    if (const auto lender = clients_.find(found->second.lender); lender != clients_.end())
        lender->second.loans.erase(ticket);
}

void hosted_objects::keep_no_longer(std::uint64_t ticket, bool received) noexcept {
    const auto found = loans_.find(ticket);
    if (found == loans_.end()) return;
    found->second.kept = false;
    if (received && found->second.redeemed) {
        const object_id id = found->second.object;
        loans_.erase(found);
        drop(id);
    } else {
        // Somebody may have been sent the value just now.
        orphaned_.emplace(now_ + lost_ticket_time, ticket);
    }
}

kept_loans::kept_loans(hosted_objects& host, std::vector<std::uint64_t> tickets)
    : host_{host}, tickets_{std::move(tickets)} {
    for (const std::uint64_t ticket : tickets_)
        host_.keep(ticket);
}
kept_loans::~kept_loans() {
    for (const std::uint64_t ticket : tickets_)
        host_.keep_no_longer(ticket, received_);
}

} // namespace coproc::detail
