// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// Where results come from that callbacks wait for: their thread can look there by itself, so that
// nobody has to wake it up for every few of them.

#include <memory>

namespace coproc::detail {

/// That thread looks at what it was lent between callbacks and for a moment after the last, unless
/// they take long. Nobody may rely on it, since a callback may take any time: who lends sees to it
/// that looks go on. All of it is noexcept, and called on that thread, which must not wait for a
/// result there.
class callback_source {
public:
    callback_source() = default;
    callback_source(const callback_source&) = delete;
    callback_source& operator=(const callback_source&) = delete;
    virtual ~callback_source() = default;

    /// Not while that thread is behind, or callbacks take long, or there is one CPU.
    [[nodiscard]] static bool would_pay() noexcept;
    /// To be called before callbacks are handed over that it led to. False: there are many already.
    [[nodiscard]] static bool lend(std::unique_ptr<callback_source> source) noexcept;

    /// The calling thread is about to wait: if it is the callbacks', it rests all it was lent.
    static void rest_all() noexcept;

private:
    friend class callback_queue;
    /// Takes what is there. False: it is not lent any more, and goes.
    [[nodiscard]] virtual bool look() noexcept = 0;
    /// That thread stops looking: what comes from here on has to be announced to somebody else.
    /// False: it goes; true: it has been lent once more meanwhile.
    [[nodiscard]] virtual bool rest() noexcept = 0;
};

} // namespace coproc::detail
