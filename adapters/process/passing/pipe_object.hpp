// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// A pipe in shared memory: a ring for each direction, and a pair of sockets.
//
// A message counts from the store that moves the tail, and is taken by the store that moves the
// head; each under a guard of its own, since two processes that play ping-pong would else wait for
// the guard's cache line longer than for the message. What cannot lie in the ring goes over the
// sockets under a number that the ring has (descriptor_lane.hpp): the descriptors of handles, and
// large messages, as memory of their own, which is written and read without the guard.
//
// Who holds an end has that end's socket, and so has a message in which an end travels. So the
// kernel knows when nobody has it any more, whatever happened: then the other socket hangs up. As
// asking the kernel costs more than a message, each end also names a process that surely holds it,
// as long as there is such a one and it lives.

#include <coproc/detail/byte_pipe.hpp>
#include <os/unique_fd.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <shared/object.hpp>
#include <vector>

namespace coproc::detail {

class pipe_object;

/// An end as this process has it: one, however many handles there are.
class pipe_end : public std::enable_shared_from_this<pipe_end> {
public:
    pipe_end(std::shared_ptr<pipe_object> pipe, unsigned index, os::unique_fd socket);
    pipe_end(const pipe_end&) = delete;
    pipe_end& operator=(const pipe_end&) = delete;
    ~pipe_end();

    [[nodiscard]] pipe_object& pipe() const noexcept { return *pipe_; }
    [[nodiscard]] const std::shared_ptr<pipe_object>& shared() const noexcept { return pipe_; }
    [[nodiscard]] unsigned index() const noexcept { return index_; }
    [[nodiscard]] int socket() const noexcept { return socket_.get(); }

    /// Before somebody sleeps here: he is woken when the other end is gone.
    void watch();
    /// The other end may be gone.
    void on_hangup() noexcept;
    /// In a worker that was forked: it has been given nothing yet.
    void forget() noexcept { socket_.reset(); }

private:
    const std::shared_ptr<pipe_object> pipe_;
    const unsigned index_;
    os::unique_fd socket_;
    std::atomic<unsigned> watched_{0}; // count_forks() + 1 of who watches
};

/// An encoded message that is not yet in the pipe.
class outgoing_message {
public:
    enum class lifetime { of_a_call, longer };

    outgoing_message(const element_source& message, lifetime how_long);

private:
    friend class pipe_object;
    static constexpr std::size_t small_size = 1024;

    [[nodiscard]] const std::byte* bytes() const noexcept {
        return medium_ ? medium_.get() : small_.data();
    }

    std::size_t size_;
    std::array<std::byte, small_size> small_; // if it fits
    std::unique_ptr<std::byte[]> medium_;
    os::unique_fd large_;
    std::vector<int> descriptors_;          // of handles, and first that of a large one
    std::vector<os::unique_fd> duplicates_; // their owners, if the message lives longer
};

class pipe_object final : public shared::object {
public:
    explicit pipe_object(std::uint64_t type);
    pipe_object(os::unique_fd memory, std::uint64_t type);

    /// False: it must wait for room. Throws end_of_stream_error.
    bool try_send(pipe_end& from, outgoing_message& message);
    /// False: there is nothing. Throws end_of_stream_error, and what `take` throws, for which the
    /// message is gone.
    bool try_recv(pipe_end& at, const element_sink& take);
    /// Puts a message that was taken before all others. False if it cannot be.
    bool put_back(pipe_end& at, const outgoing_message& message);
    /// Whether try_recv() would not be false.
    bool ready(pipe_end& at);

    /// The words to wait for, and what they are counted as.
    [[nodiscard]] shared::wait_word& room(const pipe_end& e) const noexcept {
        return mine().ways[e.index()].room;
    }
    [[nodiscard]] shared::wait_word& messages(const pipe_end& e) const noexcept {
        return mine().ways[1 - e.index()].messages;
    }
    static unsigned room_count(const pipe_end& e) noexcept { return 2 * e.index() + 1; }
    static unsigned messages_count(const pipe_end& e) noexcept { return 2 * (1 - e.index()); }

    /// This process holds the end, and no longer.
    void hold(const pipe_end& e);
    void let_go(unsigned end) noexcept;
    /// Whether nobody has the other end any more.
    [[nodiscard]] bool other_is_gone(const pipe_end& e) const noexcept;

    void wake_all() noexcept override;

    /// This process's end of that index; takes over the socket if it has none yet.
    static std::shared_ptr<pipe_end> end(const std::shared_ptr<pipe_object>& pipe, unsigned index,
                                         os::unique_fd socket);

protected:
    void repair(shared::party& dead) noexcept override;

private:
    friend class pipe_end;
    friend class outgoing_message;

    // How much may lie unread before a sender waits; it may be exceeded by one message, so the ring
    // has room for one more that is not large, and for some that are put back.
    static constexpr std::uint64_t most_unread = 1 << 20;
    static constexpr std::uint64_t inline_size = 128 << 10;
    static constexpr std::uint64_t ring_size = most_unread + 4 * inline_size;

    // Two cache lines: CPUs fetch them in pairs.
    static constexpr std::size_t apart = 128;

    // The last message, if it is small, is found beside the tail as well: whoever waits for it has
    // it with the cache line that told of it, and that of the ring stays the sender's. It may be
    // overwritten while it is read, so it is right only if `last` is the same before and after.
    static constexpr std::size_t copy_words = 5;
    static constexpr std::size_t copy_size = copy_words * sizeof(std::uint64_t);

    /// From one end to the other. Senders and receivers have a guard each, and what a spinning
    /// receiver looks at is written to in one go for each message.
    struct way {
        alignas(apart) shared::wait_word messages;
        shared::word64 tail; // bytes ever sent
        shared::word64 last; // which message lies in `copy`; 0: none
        shared::word64 copy[copy_words];

        alignas(apart) shared::wait_word room;
        shared::word64 head; // bytes ever received
        os::futex_word receiving;

        alignas(apart) os::futex_word sending;
        shared::word64 head_seen; // a head of before: most of the time that is enough to know
        shared::word64 large;     // bytes of unread messages that are not in the ring
        shared::word64 number;    // of the last one that had something to go by socket
    };
    struct words {
        alignas(apart) shared::word32 holder[2]; // party + 1; 0: ask the kernel
        shared::word32 gone[2];
        way ways[2]; // by the end that sends
    };
    static_assert(sizeof(words) <= shared::state_capacity);
    struct incoming;

    [[nodiscard]] words& mine() const noexcept { return state<words>(); }
    [[nodiscard]] std::byte* ring(const way& w) const noexcept {
        return extra() + (&w == &mine().ways[0] ? 0 : ring_size);
    }
    static std::uint64_t unread(const way& w) noexcept;
    static bool looks_full(const way& w) noexcept;
    bool is_full(way& w) noexcept;
    bool append(way& w, pipe_end& from, outgoing_message& message);
    static void copy_beside_tail(way& w, std::uint64_t position,
                                 const outgoing_message& message) noexcept;
    static bool take_beside_tail(way& w, incoming& into) noexcept;
    bool take(way& w, pipe_end& at, incoming& into);
    void copy_in(const way& w, std::uint64_t position, const void* from, std::size_t n) noexcept;
    void copy_out(const way& w, std::uint64_t position, void* to, std::size_t n) const noexcept;

    std::weak_ptr<pipe_end> ends_[2];
};

} // namespace coproc::detail
