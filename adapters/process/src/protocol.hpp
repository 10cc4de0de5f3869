// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// What a worker process and its parent say to each other over their channel.
//
//     worker                     parent
//     hello {protocol, pid, build id}
//                                setup {exception catchers, introduction, initializer}
//                                                                             refused: the worker
//                                                                             is killed
//     ready | init_failed {exception}
//                                call {preamble, invoker, payload}            any number under way
//     progress* {done, total}
//     reply {payload} | failed {exception}                                    same id as the call
//                                learn {exception catchers}
//                                retire                                       the worker exits
//
// A process (coproc::process) gets, instead of setup,
//                                run {build id, exception catchers, introduction, function,
//                                arguments}
//     ready                                                                   it has decoded them
// and says nothing more until it exits.
//
// Instead of hello, a worker whose program never entered coproc::runtime says no_runtime and exits.

#include <cstdint>

namespace coproc::detail {

inline constexpr std::uint32_t protocol_version = 1;

enum class message_kind : std::uint32_t {
    padding = 0, // never seen outside the channel
    hello,
    setup,
    ready,
    init_failed,
    call,
    reply,
    failed,
    progress,
    learn,
    retire,
    no_runtime,
    run,
    bell, // a further eventfd: {slot, descriptor}
};
inline constexpr auto last_message_kind = message_kind::bell;

/// Flags of a call.
namespace call_flag {
inline constexpr std::uint32_t labelled = 1; ///< the preamble has a label
inline constexpr std::uint32_t retried =
    2; ///< the preamble has the attempt's number; without: the first
inline constexpr std::uint32_t timed =
    4; ///< publish when it starts (endpoint::running().started_ns)
inline constexpr std::uint32_t want_rss = 8; ///< tell the worker's resident memory with the reply
} // namespace call_flag

} // namespace coproc::detail
