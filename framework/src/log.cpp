// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <coproc/log.hpp>

#include <coproc/detail/callback_executor.hpp>
#include <coproc/detail/fork_mutex.hpp>
#include <coproc/detail/forks.hpp>
#include <coproc/detail/work.hpp>
#include <coproc/error.hpp>

#include <cstdio>
#include <memory>
#include <mutex>
#include <new>
#include <pthread.h>

namespace coproc {

namespace {

struct log_state {
    detail::fork_mutex handler_mutex;
    std::shared_ptr<log_handler> handler;
    std::recursive_mutex call_mutex; // one message at a time, also when a handler logs
};

// Leaked: tasks may report while static objects are being destroyed.
log_state& state() {
    static auto* s = [] {
        auto* const made = new log_state;
        // Another thread may have been in a handler, for as long as that takes.
        ::pthread_atfork(nullptr, nullptr,
                         []() noexcept { ::new (&state().call_mutex) std::recursive_mutex; });
        return made;
    }();
    return *s;
}

const detail::made_before_main made_early{state};

/// A worker that was replaced and a pool that gave up show in the results of their tasks; only a
/// handler of one's own hears of them besides.
void write_to_stderr(log_kind kind, std::string_view message) noexcept {
    if (kind == log_kind::worker_restarted || kind == log_kind::pool_broken) return;
    std::fprintf(stderr, "coproc: %.*s\n", static_cast<int>(message.size()), message.data());
}

} // namespace

log_handler set_log_handler(log_handler handler) {
    auto next = handler ? std::make_shared<log_handler>(std::move(handler)) : nullptr;
    const std::scoped_lock lock{state().handler_mutex};
    std::swap(state().handler, next);
    return next ? *next : log_handler{};
}

void detail::log(log_kind kind, std::string_view message) noexcept {
    try {
        std::shared_ptr<log_handler> handler;
        {
            const std::scoped_lock lock{state().handler_mutex};
            handler = state().handler;
        }
        const std::scoped_lock lock{state().call_mutex};
        if (handler)
            (*handler)(log_record{kind, message});
        else
            write_to_stderr(kind, message);
    } catch (...) { // NOLINT(bugprone-empty-catch): a log hook has nobody left to tell
    }
}

void detail::log_callback_exception(const result_core& of) noexcept {
    try {
        std::string text = "a callback";
        // A result does not know of labels; the work of a pool does, and is one.
        if (const auto* task = dynamic_cast<const work*>(&of))
            if (const auto label = task->settings().label_text(); !label.empty())
                text += " of task \"" + std::string{label} + '"';
        log(log_kind::callback_error,
            text + " threw:\n" + format_exception(std::current_exception()));
    } catch (...) {
        log(log_kind::callback_error, "a callback threw");
    }
}

} // namespace coproc
