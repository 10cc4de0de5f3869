// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/detail/work.hpp>

#include <boost/lockfree/spsc_queue.hpp>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <optional>

namespace coproc::detail {

/// The chunks that a worker is to be sent, first in, first out. One thread may put one in while
/// another takes one out.
class outbox {
public:
    /// More are never in it: the dispatcher gives no worker as many at a time.
    static constexpr std::size_t capacity = 64;

    outbox() = default;
    outbox(const outbox&) = delete;
    outbox& operator=(const outbox&) = delete;
    ~outbox() {
        while (take()) {}
    }

    void put(chunk what) noexcept {
        if (!letters_.push({what.of.detach(), what.id, what.first, what.count, what.attempt}))
            std::terminate();
    }
    std::optional<chunk> take() noexcept {
        letter l{};
        if (!letters_.pop(l)) return {};
        return chunk{work_ptr{l.of, false}, l.id, l.first, l.count, l.attempt};
    }
    /// For who takes out.
    [[nodiscard]] bool empty() const noexcept { return letters_.read_available() == 0; }

private:
    /// A chunk whose reference is not counted while it is passed on.
    struct letter {
        work* of;
        std::uint64_t id;
        std::uint64_t first;
        std::uint32_t count;
        std::uint32_t attempt;
    };

    boost::lockfree::spsc_queue<letter, boost::lockfree::capacity<capacity>> letters_;
};

} // namespace coproc::detail
