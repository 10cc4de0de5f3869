// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/job.hpp>

#include <type_traits>
#include <utility>

namespace coproc::dummy {

/// A job for threads: what a dummy::pool's initializer may be. Takes any callable and any
/// arguments, and fits into pool_options::initializer; a pool of processes that is given one
/// refuses to start. Every worker's call gets copies of the function and the arguments: of those
/// that can only be moved, what another process would get. With any that can be neither copied nor
/// sent it can run once, and a pool that would run it oftener (more workers than one, or
/// max_tasks_per_worker) throws std::invalid_argument when it is made.
class job : public coproc::job {
public:
    job() noexcept = default;

    template <class F, class... Args>
        requires(!std::is_base_of_v<coproc::job, std::remove_cvref_t<F>>)
    explicit job(F&& function, Args&&... args)
        : coproc::job{detail::local_job(std::forward<F>(function), std::forward<Args>(args)...)} {}
};

} // namespace coproc::dummy
