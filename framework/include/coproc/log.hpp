// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace coproc {

/// What the library has to say outside of a result: an error nobody looked at, a callback that
/// threw, a worker that was replaced.
enum class log_kind { unobserved_error, callback_error, worker_restarted, pool_broken, other };

/// One message to a log handler; its text lives as long as the call.
struct log_record {
    log_kind kind;            ///< what it is about
    std::string_view message; ///< one or more lines, without a trailing newline

    operator std::string_view() const noexcept {
        return message;
    } // NOLINT(google-explicit-constructor)
    operator std::string() const {
        return std::string{message};
    } // NOLINT(google-explicit-constructor)

    template <class Stream>
    friend auto operator<<(Stream& out, const log_record& record)
        -> decltype(out << std::string_view{}) {
        return out << record.message;
    }
};

/// What set_log_handler takes.
using log_handler = std::function<void(const log_record&)>;

/// Replaces the log hook of this process and returns the former one; an empty function restores the
/// default, which writes to stderr, except for workers that were replaced and pools that gave up
/// (both show in results). The handler takes a
/// `log_record`, a `std::string_view` or a `std::string`; it may be called from any thread, one
/// call at a time, and what it throws is ignored. It may start tasks but must not wait for any:
/// where it is called by the thread that tells of results, that throws std::system_error
/// (resource_deadlock_would_occur).
log_handler set_log_handler(log_handler handler);

namespace detail {
/// Passes a message to the log hook. Never throws.
void log(log_kind kind, std::string_view message) noexcept;
} // namespace detail
} // namespace coproc
