// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// What stands before the payload of a call: its label and which attempt it is, when there is
// something to say, and the function that takes the rest.

#include <coproc/detail/function_id.hpp>
#include <coproc/detail/invoker.hpp>
#include <coproc/detail/wire.hpp>
#include <src/protocol.hpp>

#include <cstdint>
#include <string_view>

namespace coproc::detail {

struct call_preamble {
    invoker function = nullptr;
    std::uint32_t attempt = 1;
    std::string_view label{}; // after decoding: in the message

    /// Those of the message's flags that are the preamble's.
    [[nodiscard]] std::uint32_t flags() const noexcept {
        return (attempt > 1 ? call_flag::retried : 0) | (label.empty() ? 0 : call_flag::labelled);
    }
    void size(sizer& s) const {
        if (!label.empty()) s.bytes(sizeof(std::uint64_t) + label.size());
        if (attempt > 1) s.bytes(sizeof attempt);
        size_function(s, reinterpret_cast<const void*>(function));
    }
    void encode(writer& w) const {
        if (!label.empty()) {
            w.raw(static_cast<std::uint64_t>(label.size()));
            w.bytes(label.data(), label.size());
        }
        if (attempt > 1) w.raw(attempt);
        encode_function(w, reinterpret_cast<const void*>(function));
    }
    /// May load the library that the function stands in.
    static call_preamble decode(reader& r, std::uint32_t flags) {
        call_preamble result;
        if ((flags & call_flag::labelled) != 0) {
            const std::size_t length = r.count(1);
            result.label = {reinterpret_cast<const char*>(r.bytes(length)), length};
        }
        if ((flags & call_flag::retried) != 0) result.attempt = r.raw<std::uint32_t>();
        result.function = reinterpret_cast<invoker>(decode_function(r));
        if (result.function == nullptr)
            throw serialization_error{"coproc: a call came without its function"};
        return result;
    }
};

/// The payload of message_kind::progress.
struct progress_report {
    std::uint64_t done = 0;
    std::uint64_t total = 0;
};

} // namespace coproc::detail
