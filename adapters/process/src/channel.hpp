// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// The private channel between a parent and one worker: two single-producer single-consumer rings of
// messages in sealed anonymous memory, blocks beside the rings for payloads that are too large for
// them, and a socket that carries descriptors and whose end of file is the lifeline. No lock is
// shared, so a worker that dies at any instruction harms nothing but its own channel; and the
// parent believes nothing that stands in the memory: a corrupt channel is an exception, which
// counts as the loss of the worker.
//
//     parent                                              worker
//     writer& w = ch.begin(message_kind::call, id, 0, n);
//     encode(w);
//     auto token = ch.commit();
//     ch.flush();                                         incoming* m = ch.wait();
//                                                         ... decode from m->payload, then
//                                                         writer& w = ch.begin(message_kind::reply,
//                                                         m->id, 0, k);
//     (doorbell, if armed)                                ch.commit(); ch.flush(); ch.pop();
//     incoming* r = ch.peek(); ... ch.pop();
//
// Thread safety: one thread at a time sends and one at a time receives; these may be two different
// threads.

#include <coproc/detail/failure_info.hpp>
#include <coproc/detail/wire.hpp>
#include <coproc/error.hpp>
#include <os/cpus.hpp>
#include <os/memfd.hpp>
#include <os/system_call.hpp>
#include <os/unique_fd.hpp>
#include <src/arena.hpp>
#include <src/channel_layout.hpp>
#include <src/kept_object.hpp>
#include <src/protocol.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace coproc::detail {

/// The worker wrote something into the channel that no worker writes.
class channel_corrupt : public error {
public:
    using error::error;
};

/// The peer takes no messages out: more than `guaranteed_messages` are under way, those that were
/// revoked included. There will be room when it has got on: see endpoint::want_room.
class channel_full : public error {
public:
    using error::error;
};

enum class channel_side { parent, worker };

/// What an endpoint is made of.
struct channel_descriptors {
    os::unique_fd memory; // memfd: control block, rings, blocks
    os::unique_fd socket; // SOCK_SEQPACKET
    os::unique_fd bell;   // eventfd: wakes the parent
};

/// Descriptors by number, for a process that inherits them.
struct channel_numbers {
    int memory = -1;
    int bell = -1;
};

struct new_channel {
    channel_descriptors parent;
    os::unique_fd worker_socket; // the worker's other descriptors are the parent's, inherited

    /// The worker's end for use in this process.
    [[nodiscard]] channel_descriptors worker_end() &&;
};

/// Makes the descriptors of both ends; throws std::system_error.
new_channel make_channel();

/// A message that has been received; it stands in shared memory until endpoint::pop().
class incoming final : private descriptor_source, private inflow {
public:
    incoming(const incoming&) = delete;
    incoming& operator=(const incoming&) = delete;
    ~incoming();

    message_kind kind{};
    std::uint32_t flags = 0;
    std::uint64_t id = 0;
    std::uint64_t duration_ns = 0;  // of a reply: how long the call took
    std::size_t resident_bytes = 0; // of a reply, when asked for: the worker's memory
    std::span<const std::byte> bytes{};

    /// Reads the payload from its beginning; descriptors come out once. Throws std::system_error
    /// when this process has no memory or address space left for a large one.
    reader payload() {
        if (unreadable_ != 0) os::throw_system_error("map a large payload", unreadable_);
        if (flow_ == nullptr) return reader{bytes, this};
        return reader{bytes, this, wait_for(0), *this};
    }
    /// Whether the sender has given up what could be read before it was complete; waits until it
    /// is decided.
    [[nodiscard]] bool given_up() noexcept;
    /// Since when it is known to be whole, if it was read before that; else 0.
    [[nodiscard]] std::uint64_t whole_since_ns() const noexcept { return whole_since_ns_; }

private:
    friend class endpoint;
    explicit incoming(int socket) noexcept : socket_{socket} {}
    int take_descriptor() override;
    void keep(std::shared_ptr<void> object) noexcept override;
    std::shared_ptr<void> take_kept() noexcept override;
    std::size_t wait_for(std::size_t least) override;
    os::unique_fd next_descriptor();
    void forget_descriptors() noexcept;

    struct arrived {
        std::uint64_t serial; // of the message it belongs to
        os::unique_fd fd;
    };

    int socket_;
    std::uint64_t serial_ = 0;
    std::uint32_t left_ = 0; // descriptors not yet taken
    int unreadable_ = 0;     // why its payload cannot be mapped
    bool by_kept_ = false;   // the only one is that of the kept object
    bool may_keep_ = false;
    kept_object kept_{};
    std::deque<arrived> arrived_{};
    flow_state* flow_ = nullptr; // null: all of it was there from the beginning
    std::size_t flows_to_ = 0;   // its size
    std::uint32_t* claim_ = nullptr;
    std::uint32_t claim_when_given_up_ = 0;
    std::uint64_t spin_ns_ = 0;
    std::uint64_t whole_since_ns_ = 0;
};

/// Names a message that was sent, to take it back.
struct message_token {
    std::uint64_t position = ~std::uint64_t{0};
};

/// What goes into the header of a reply.
struct reply_facts {
    std::uint64_t duration_ns = 0;
    std::size_t resident_bytes = 0;
};

struct running_call {
    std::uint64_t id = 0;
    std::uint32_t item = 0;
    std::uint64_t started_ns = 0; // the item; CLOCK_MONOTONIC, 0 when the call did not ask for it
};

/// What a worker's crash handler left behind.
struct crash_report {
    int signal = 0;
    std::uint64_t address = 0;
    std::vector<backtrace_frame> frames;
};

class endpoint : private outflow {
public:
    /// Payload bytes that are sent within the ring; larger ones get a block.
    static constexpr std::size_t inline_limit = ring_bytes / 8;
    /// So many messages can always be under way in one direction, whatever their size.
    static constexpr std::size_t guaranteed_messages = reserved_entries;
    /// From that size on it is worth it that both sides copy at the same time.
    static constexpr std::size_t flowing = 1024 * 1024;

    endpoint(channel_side side, channel_descriptors descriptors);
    endpoint(const endpoint&) = delete;
    endpoint& operator=(const endpoint&) = delete;
    ~endpoint() override;

    [[nodiscard]] int memory() const noexcept { return descriptors_.memory.get(); }
    [[nodiscard]] int socket() const noexcept { return descriptors_.socket.get(); }
    [[nodiscard]] int bell() const noexcept { return descriptors_.bell.get(); }

    // --- Sending -----------------------------------------------------------------------------------------------

    /// Space for a message of exactly `size` payload bytes. Then write all of it, and commit() or
    /// abandon(). The parent gets channel_full rather than waiting; the worker waits. Throws
    /// std::system_error when there is no memory or address space for a large payload.
    writer& begin(message_kind kind, std::uint64_t id, std::uint32_t flags, std::size_t size);

    /// Parent, after begin(): a call with a large payload, and no descriptors, may be read while it
    /// is being written. The worker is woken for it at the first large value.
    void let_flow() noexcept;

    /// Publishes it, after its descriptors; one that flows must have been written to its end.
    /// Nobody is woken up yet. If the descriptors cannot be sent this throws std::system_error, and
    /// the message is abandoned.
    message_token commit(reply_facts facts = {});
    void abandon() noexcept;

    /// begin, encode, commit, flush in one; `encode(writer&)` writes `size` bytes.
    template <class Encode>
    message_token send(message_kind kind, std::uint64_t id, std::uint32_t flags, std::size_t size,
                       Encode&& encode) {
        writer& out = begin(kind, id, flags, size);
        try {
            encode(out);
        } catch (...) {
            abandon();
            throw;
        }
        const message_token token = commit();
        flush();
        return token;
    }
    message_token send(message_kind kind, std::uint64_t id = 0) {
        return send(kind, id, 0, 0, [](writer&) {});
    }

    /// Wakes the peer if it sleeps.
    void flush() noexcept;
    /// Parent: the same in two steps, of which the second may follow behind a lock. True: the
    /// worker sleeps, and wake() has to be called.
    [[nodiscard]] bool must_wake() noexcept;
    void wake() noexcept;
    /// Parent: it does now; nothing is ordered by this.
    [[nodiscard]] bool worker_sleeps() const noexcept {
        return control_->worker_sleeps.load(std::memory_order_relaxed) != 0;
    }
    /// Parent: it sleeps, or has been woken and does not run yet, where this thread runs.
    [[nodiscard]] bool worker_waits_for_this_cpu() const noexcept {
        const auto cpu = control_->worker_waits_on.load(std::memory_order_relaxed);
        return cpu != 0 && cpu == os::this_cpu() + 1;
    }
    /// Worker: the same for the message that ends a call, which may be announced to an event loop.
    void flush_reply() noexcept;

    /// Takes back a message that the worker has not begun: true: it never will. The parent's, for
    /// calls; one revocation per message. Belongs to the sending side's thread. Its place in the
    /// ring stays taken until the worker gets there; the memory of a large payload does not.
    bool revoke(message_token token) noexcept;

    /// Parent, after channel_full: has the worker ring the reactor's bell when it has taken out
    /// what there is. True: there is room already.
    [[nodiscard]] bool want_room();

    /// Gives the memory of large payloads that have been consumed back to the system, down to a
    /// small cache. For quiet moments; belongs to the sending side's thread.
    void trim() noexcept;
    /// Whether that may be worth it.
    [[nodiscard]] bool holds_much() const noexcept {
        return blocks_out_.touched() > arena::cache_bytes;
    }

    // --- Receiving ---------------------------------------------------------------------------------------------

    /// The next message, or null. The same one until pop(). A worker's call is claimed by this.
    incoming* peek();
    void pop() noexcept;
    [[nodiscard]] bool has_message() const noexcept;

    // --- The parent's waiting: arm, then look once more, then wait for the bell ---------------------------------

    /// From now on the worker rings the bell with its next message, once. True: messages are there
    /// already, and the bell is not armed.
    [[nodiscard]] bool arm() noexcept;
    void disarm() noexcept;
    /// Some bell will ring; another thread may be about to change that.
    [[nodiscard]] bool armed() const noexcept {
        return control_->parent_armed.load(std::memory_order_relaxed) != announce::nobody;
    }
    /// The same with the bell of an event loop (see `announce`).
    [[nodiscard]] bool arm_loop(std::uint32_t slot) noexcept;
    /// Before a call is sent by a loop that will look for the reply by itself: no bell, but see
    /// announce::later.
    void leave_to_loop() noexcept;
    /// That still holds, or its bell is armed.
    [[nodiscard]] bool left_to_loop() const noexcept;
    /// Parent: tells the worker the bell of an event loop; before that is armed.
    void introduce_bell(std::uint32_t slot, int bell);
    /// Worker: learns it.
    void learn_bell(incoming& message);
    /// How long the worker may spin before it sleeps; 0: not at all.
    void set_peer_spin(std::chrono::nanoseconds limit) noexcept;

    // --- The worker's waiting ----------------------------------------------------------------------------------

    /// Waits for the next message: spins when that paid lately, then sleeps. Throws coproc::error
    /// when the bell of the parent has been closed: it would not hear any more.
    incoming* wait();

    // --- The control block -------------------------------------------------------------------------------------

    /// Worker: what runs from now on. id 0: nothing.
    void begin_running(std::uint64_t id, std::uint64_t started_ns) noexcept;
    /// Worker: which item of it, and since when; 0: nobody asked.
    void begin_item(std::uint32_t item, std::uint64_t started_ns = 0) noexcept;
    void end_running() noexcept;
    /// Parent: what the worker says it runs. Empty between calls.
    [[nodiscard]] std::optional<running_call> running() const noexcept;

    /// Worker: the last progress message has been consumed.
    [[nodiscard]] bool consumed(message_token token) const noexcept;

    /// Parent, after the worker's death.
    [[nodiscard]] std::optional<crash_report> crash() const;
    /// In the child of a fork in a task: what it writes is for itself. The parent's copy goes on.
    void copy_on_write() noexcept {
        current_.flow_ = nullptr; // nobody tells it of more
        memory_.copy_on_write(memory(), 0);
        blocks_out_.copy_on_write();
    }
    /// Worker: where the crash handler writes.
    [[nodiscard]] crash_area& crash_space() noexcept { return control_->crash; }
    [[nodiscard]] channel_control& control() noexcept { return *control_; }

private:
    struct block {
        std::uint64_t position; // of the entry that names it
        arena_block where;
    };

    struct outbound {
        ring_indices* shared = nullptr;
        std::byte* data = nullptr;
        std::uint64_t tail = 0;      // published
        std::uint64_t head_seen = 0; // the peer's, as last read
        std::uint64_t serial = 0;
        bool unflushed = false;
        std::deque<block> blocks{}; // under way, oldest first; that of the open message is the last
        // the message that is being written
        bool open = false;
        bool flows = false; // it is published already
        unsigned forks = 0; // when it was allowed to flow
        std::uint64_t open_position = 0;
        entry_header open_header{};
        std::vector<int> descriptors{};
        std::uint64_t last_number = 0; // of the last of them
        writer out{std::span<std::byte>{}};
    };
    struct inbound {
        ring_indices* shared = nullptr;
        std::byte* data = nullptr;
        std::uint64_t head = 0;
        std::uint64_t tail_seen = 0;
        std::uint32_t current_size = 0; // of the message that peek() shows; 0: none
    };

    void refresh_head();
    [[nodiscard]] std::uint64_t room() const noexcept;
    [[nodiscard]] bool may_begin_anew(std::size_t entry, std::size_t rest);
    void publish(const entry_header& header) noexcept;
    [[nodiscard]] bool end_flow() noexcept;
    void copy(std::byte* to, const void* from, std::size_t n) override;
    void wait_for_room();
    void send_descriptors();
    [[nodiscard]] bool begin_flush() noexcept;
    void ring(bool with_reply) noexcept;
    [[nodiscard]] bool arm_for(std::uint32_t whom) noexcept;
    void ring_reactor() noexcept;
    void tell_of_unheard() noexcept;
    void tell_of_room() noexcept;
    [[nodiscard]] bool promise_kept() noexcept;
    void skip(std::uint32_t size) noexcept;
    [[noreturn]] static void corrupt(const char* what);

    channel_side side_;
    channel_descriptors descriptors_;
    os::mapping memory_;
    channel_control* control_ = nullptr;
    outbound out_;
    inbound in_;
    arena blocks_out_;
    arena_view blocks_in_;
    incoming current_;
    std::uint64_t spin_ns_ = 0;
    bool cut_off_ = false;                             // the worker's: nobody hears its bell
    std::array<os::unique_fd, most_loops> loop_bells_; // the worker's
};

} // namespace coproc::detail
