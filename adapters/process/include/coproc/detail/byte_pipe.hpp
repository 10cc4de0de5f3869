// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// What a pipe between processes is without the types of its messages.

#include <coproc/detail/byte_queue.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <typeinfo>
#include <utility>

namespace coproc::detail {

class pipe_end;

/// What is sent from an end, and what is received there.
struct pipe_types {
    std::uint64_t out;
    std::uint64_t in;

    template <class Send, class Recv>
    static pipe_types of() {
        return {type_number(typeid(Send).name()), type_number(typeid(Recv).name())};
    }
};

/// A handle of one end. Thread safe but for close() and assignment.
class byte_connection {
public:
    /// Closed.
    byte_connection() noexcept = default;

    static std::pair<byte_connection, byte_connection> make(pipe_types of_the_first);

    /// Each returns false when the time is up. They throw end_of_stream_error.
    bool send(const element_source& message, time_limit until) const;
    bool recv(const element_sink& take, time_limit until) const;
    [[nodiscard]] bool poll(time_limit until) const;
    void close() noexcept { end_.reset(); }

    [[nodiscard]] state_ptr<void> start_send(const element_source& message) const;
    /// `give_back` is called when it is cancelled after it has taken a message that nobody has
    /// seen: true if that is there again.
    [[nodiscard]] state_ptr<void> start_recv(element_sink take,
                                             std::function<bool()> give_back) const;
    /// Puts the message before those that are there, if it is a small one without handles.
    [[nodiscard]] bool put_back(const element_source& message) const noexcept;

    static void size(sizer& s, const byte_connection& c);
    static void encode(writer& w, const byte_connection& c);
    static byte_connection decode(reader& r, pipe_types expected);

private:
    explicit byte_connection(std::shared_ptr<pipe_end> end) noexcept : end_{std::move(end)} {}
    [[nodiscard]] pipe_end& end() const;

    std::shared_ptr<pipe_end> end_;
};

} // namespace coproc::detail
