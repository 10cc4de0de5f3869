// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// Whose turn it is among the calls on objects of users' classes. Calls in one lane run one after
// another, in the order in which they came; lanes know nothing of each other. Nothing is run here.
//
// One thread at a time.

#include <compare>
#include <cstddef>
#include <deque>
#include <manager/hosted.hpp>
#include <map>
#include <memory>
#include <utility>

namespace coproc::detail {

/// A call that runs, or waits for its turn.
struct pending_call {
    hosted_request request{};
    std::shared_ptr<user_object> object{};
};

class call_lanes {
public:
    /// An object, or what one client asks of it. Without an object it is none: nobody waits there.
    struct lane {
        object_id object = 0;
        client_id client = 0;
        auto operator<=>(const lane&) const = default;
    };

    /// True: the call may run now, and the lane is taken until leave(). False: it was moved from,
    /// and waits.
    [[nodiscard]] bool enter(lane in, pending_call& call) {
        if (in.object == 0) return true;
        const auto [present, fresh] = lanes_.try_emplace(in);
        if (!fresh) present->second.push_back(std::move(call));
        return fresh;
    }

    /// The call that ran is done. Calls whose client is no longer present do not get their turn.
    /// True: the lane stays taken, for the call that next() gives.
    template <class Present>
    [[nodiscard]] bool leave(lane in, const Present& is_present) {
        if (in.object == 0) return false;
        const auto found = lanes_.find(in);
        auto& waiting = found->second;
        while (!waiting.empty() && !is_present(waiting.front().request.client))
            waiting.pop_front();
        if (!waiting.empty()) return true;
        lanes_.erase(found);
        return false;
    }

    /// Once, after leave() was true.
    [[nodiscard]] pending_call next(lane in) {
        auto& waiting = lanes_.at(in);
        pending_call first = std::move(waiting.front());
        waiting.pop_front();
        return first;
    }

    /// How many lanes are taken.
    [[nodiscard]] std::size_t size() const noexcept { return lanes_.size(); }

private:
    std::map<lane, std::deque<pending_call>> lanes_; // those that are taken, and who waits there
};

} // namespace coproc::detail
