// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/detail/work.hpp>

#include <vector>

namespace coproc::detail {

/// Works that have items waiting: by priority, then first in, first out. Intrusive; every operation
/// is constant in the number of works (and logarithmic in the number of different priorities in
/// use). It keeps what it holds alive.
class work_queue {
public:
    work_queue() = default;
    work_queue(const work_queue&) = delete;
    work_queue& operator=(const work_queue&) = delete;
    ~work_queue() { clear(); }

    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] work* front() const noexcept;
    /// Of those that wait; the queue is not empty.
    [[nodiscard]] int lowest_priority() const noexcept;

    void push_back(work& w);
    void push_front(work& w); ///< for what has come back
    void remove(work& w) noexcept { static_cast<void>(extract(w)); }
    /// Removes it, and passes on what kept it alive here.
    work_ptr extract(work& w) noexcept;
    void clear() noexcept;

    /// Over all works; for statistics, it looks at every one.
    [[nodiscard]] std::uint64_t waiting_items() const noexcept;

private:
    struct level {
        int priority;
        work* first;
        work* last;
    };

    level& level_of(int priority);

    std::vector<level>
        levels_; // highest priority last; emptied levels but the last used are dropped
    std::size_t size_ = 0;
};

} // namespace coproc::detail
