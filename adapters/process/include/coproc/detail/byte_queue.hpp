// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// What a queue between processes is without the type of its elements.

#include <coproc/codec.hpp>
#include <coproc/detail/operation.hpp>
#include <coproc/duration.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

namespace coproc::detail {

class queue_object;

struct queue_options {
    std::uint64_t maxsize = 0; ///< 0: no bound
    std::uint64_t type = 0;    ///< of the elements
    bool joinable = false;
    bool descriptors = false; ///< elements may contain handles
};

/// One way to write an element, for the time of a call.
struct element_source {
    std::size_t bytes;
    std::size_t descriptors;
    const void* value;
    void (*encode)(const void* value, writer& w);
};
using element_sink = std::function<void(reader&)>;
using time_limit = std::optional<steady::time_point>;

/// A handle. Thread safe.
class byte_queue {
public:
    explicit byte_queue(const queue_options& options);

    /// Each returns false when the time is up; `now`: without waiting.
    bool put(const element_source& element, time_limit until) const;
    bool get(const element_sink& take, time_limit until) const;
    static time_limit now() { return steady::time_point::min(); }

    [[nodiscard]] state_ptr<void> start_put(const element_source& element) const;
    /// `give_back`: the operation was cancelled after `take` had been called, and nobody has seen
    /// the element; it puts that back, or returns false.
    [[nodiscard]] state_ptr<void> start_get(element_sink take,
                                            std::function<bool()> give_back) const;
    [[nodiscard]] bool put_back(const element_source& element) const noexcept;

    [[nodiscard]] std::size_t size() const noexcept;
    [[nodiscard]] std::size_t maxsize() const noexcept;
    [[nodiscard]] bool full() const noexcept;
    [[nodiscard]] bool closed() const noexcept;
    void close() const;

    void task_done() const;
    bool join(time_limit until) const;
    [[nodiscard]] state_ptr<void> start_join() const;

    static void size(sizer& s, const byte_queue& queue);
    static void encode(writer& w, const byte_queue& queue);
    static byte_queue decode(reader& r, const queue_options& expected);

private:
    explicit byte_queue(std::shared_ptr<queue_object> object) noexcept;

    std::shared_ptr<queue_object> object_;
};

/// The same number in every program for the same type name.
std::uint64_t type_number(const char* mangled) noexcept;

} // namespace coproc::detail
