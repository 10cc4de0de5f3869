// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/pool.hpp>

#include <concepts>
#include <utility>

namespace coproc::dummy {

/// A pool of threads under the name and with the calls of coproc::pool, so that `namespace mp =
/// coproc::dummy;` is the whole change. Nothing is copied or encoded: it takes what no process
/// could be given (pointers, capturing lambdas, types without a codec), and shares what is referred
/// to. A function that takes only what would arrive in another process gets that: a vector where a
/// view or a span is given. One that takes the view itself gets the view, and what it looks at must
/// live until the task has run. What a thread cannot do: be stopped. A timeout or cancel() asks the
/// task through this_task::stop_token(), fails the result at once, and leaves the thread to finish;
/// a task that crashes takes the program with it; max_worker_memory and tag_output mean nothing.
class pool : public coproc::pool, public detail::pool_calls<pool, detail::any_policy> {
    using calls = detail::pool_calls<pool, detail::any_policy>;

public:
    /// One thread for each CPU that this process may use.
    pool() : pool{pool_options{}} {}
    /// So many threads; 0: as above.
    template <std::integral N>
        requires(!std::same_as<N, bool>)
    explicit pool(N workers) : coproc::pool{on_threads(counted(workers))} {}
    /// `backend` is ignored: these are threads.
    explicit pool(pool_options options) : coproc::pool{on_threads(std::move(options))} {}

    using calls::apply;
    using calls::apply_async;
    using calls::imap;
    using calls::imap_unordered;
    using calls::map;
    using calls::map_async;
    using calls::starmap;
    using calls::starmap_async;

    /// The same calls under options of their own.
    [[nodiscard]] detail::pool_view<detail::any_policy> with(task_options options) const {
        return {coproc::pool::backend(), options};
    }

private:
    friend class detail::pool_calls<pool, detail::any_policy>;
    const detail::backend_ptr& backend_of_calls() const {
        return detail::backend_of(coproc::pool::backend());
    }
    static task_options options_of_calls() noexcept { return {}; }

    static pool_options on_threads(pool_options options) {
        options.backend = "dummy";
        return options;
    }
};

} // namespace coproc::dummy
