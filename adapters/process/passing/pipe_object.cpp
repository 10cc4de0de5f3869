// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <passing/pipe_object.hpp>

#include <coproc/detail/forks.hpp>
#include <coproc/error.hpp>
#include <os/limits.hpp>
#include <os/socket.hpp>
#include <os/spin.hpp>
#include <os/system_call.hpp>
#include <src/fork_guard.hpp>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <mutex>
#include <passing/descriptor_lane.hpp>
#include <passing/hangup_watch.hpp>
#include <poll.h>
#include <pthread.h>
#include <span>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

namespace coproc::detail {
namespace {

// What the ring holds of a message begins with its size and these.
constexpr std::uint64_t beside = std::uint64_t{1}
                                 << 63; // a number and a count of descriptors follow
constexpr std::uint64_t large = std::uint64_t{1} << 62; // the first of them is the message
constexpr std::uint64_t size_mask = large - 1;

struct companion {
    std::uint64_t number;
    std::uint64_t descriptors;
};

constexpr std::uint64_t round_up(std::uint64_t n) noexcept { return (n + 7) / 8 * 8; }

/// What way::last says of a message.
constexpr unsigned last_shift = 6;
constexpr std::uint64_t last_mask = (1U << last_shift) - 1;
constexpr std::uint64_t last_word(std::uint64_t position, std::uint64_t size) noexcept {
    return position << last_shift | (size + 1);
}

[[noreturn]] void damaged() {
    throw serialization_error{"coproc: the memory of a pipe is damaged"};
}

class received_descriptors final : public descriptor_source {
public:
    received_descriptors(std::vector<os::unique_fd>& descriptors, std::size_t first) noexcept
        : descriptors_{descriptors}, next_{first} {}
    int take_descriptor() override {
        if (next_ >= descriptors_.size())
            throw serialization_error{"coproc: a message came without the handle it names"};
        return descriptors_[next_++].release();
    }

private:
    std::vector<os::unique_fd>& descriptors_;
    std::size_t next_;
};

/// The ends that this process has. A fork waits until nobody is in the middle of a change.
struct ends {
    std::mutex mutex;
    std::vector<pipe_end*> all;
};

ends& the_ends() {
    static ends* const instance = [] {
        ::pthread_atfork([]() noexcept { the_ends().mutex.lock(); },
                         []() noexcept { the_ends().mutex.unlock(); },
                         []() noexcept { the_ends().mutex.unlock(); });
        // A worker must not keep ends open that nobody gave to it.
        on_worker_fork([]() noexcept {
            for (pipe_end* const end : the_ends().all)
                end->forget();
        });
        return new ends;
    }();
    return *instance;
}

const made_before_main made_early{the_ends};

} // namespace

// --- a message before it is in the pipe ----------------------------------------------------------

outgoing_message::outgoing_message(const element_source& message, lifetime how_long)
    : size_{message.bytes} {
    const bool is_large = size_ > pipe_object::inline_size;
    if (message.descriptors + (is_large ? 1 : 0) > os::max_descriptors)
        throw serialization_error{"coproc: a message of a pipe contains more than 249 handles"};
    if (message.descriptors != 0 || is_large) {
        descriptors_.reserve(message.descriptors + 1);
        if (is_large) descriptors_.push_back(-1);
    }
    const auto encode_into = [&](std::byte* memory) {
        writer w{{memory, size_}, &descriptors_};
        message.encode(message.value, w);
        if (w.room() != 0 || descriptors_.size() != message.descriptors + (is_large ? 1 : 0))
            throw serialization_error{"coproc: a value shrank while it was being encoded (is "
                                      "another thread writing to it?)"};
    };
    if (is_large) {
        constexpr std::size_t worth_a_look = std::size_t{64} << 20;
        if (size_ >= worth_a_look && size_ > os::available_memory())
            throw std::system_error{ENOMEM, std::generic_category(),
                                    "coproc: a message of " + std::to_string(size_) +
                                        " bytes does not fit into the memory that is left"};
        large_ = os::make_memfd("coproc-message", size_);
        descriptors_.front() = large_.get();
        encode_into(os::mapping{large_.get(), 0, size_}.data());
    } else if (size_ > small_size) {
        medium_ = std::make_unique_for_overwrite<std::byte[]>(size_);
        encode_into(medium_.get());
    } else {
        encode_into(small_.data());
    }
    if (how_long == lifetime::of_a_call) return;
    duplicates_.reserve(descriptors_.size());
    for (std::size_t i = is_large ? 1 : 0; i != descriptors_.size(); ++i) {
        duplicates_.push_back(os::duplicate(descriptors_[i]));
        descriptors_[i] = duplicates_.back().get();
    }
}

struct pipe_object::incoming {
    std::array<std::byte, outgoing_message::small_size> small;
    std::unique_ptr<std::byte[]> medium = {};
    std::size_t room = outgoing_message::small_size;
    std::size_t size = 0;
    bool is_large = false;
    std::vector<os::unique_fd> descriptors = {};

    std::byte* memory() noexcept { return medium ? medium.get() : small.data(); }
};

// --- an end --------------------------------------------------------------------------------------

pipe_end::pipe_end(std::shared_ptr<pipe_object> pipe, unsigned index, os::unique_fd socket)
    : pipe_{std::move(pipe)}, index_{index}, socket_{std::move(socket)} {}

pipe_end::~pipe_end() {
    {
        ends& e = the_ends();
        const std::scoped_lock lock{e.mutex};
        std::erase(e.all, this);
    }
    if (!socket_) return;
    if (watched_.load() != 0) forget_hangup(*this);
    pipe_->let_go(index_);
    socket_.reset();
    // Whoever waits at the other end asks whether this was the last.
    pipe_->wake_all();
}

void pipe_end::watch() {
    const unsigned now = count_forks() + 1;
    unsigned before = watched_.load(std::memory_order_acquire);
    if (before == now || !watched_.compare_exchange_strong(before, now)) return;
    try {
        watch_hangup(shared_from_this());
    } catch (...) {
        watched_.store(0);
        throw;
    }
}

void pipe_end::on_hangup() noexcept { pipe_->wake_all(); }

// --- the pipe ------------------------------------------------------------------------------------

pipe_object::pipe_object(std::uint64_t type)
    : object{shared::create_tag{.what = shared::kind::pipe, .type = type, .extra = 2 * ring_size}} {
}

pipe_object::pipe_object(os::unique_fd memory, std::uint64_t type)
    : object{shared::adopt_tag{std::move(memory), shared::kind::pipe, type}} {}

std::shared_ptr<pipe_end> pipe_object::end(const std::shared_ptr<pipe_object>& pipe, unsigned index,
                                           os::unique_fd socket) {
    ends& e = the_ends();
    std::shared_ptr<pipe_end> known;
    {
        const std::scoped_lock lock{e.mutex};
        known = pipe->ends_[index].lock();
        if (!known || known->socket() < 0) {
            known = std::make_shared<pipe_end>(pipe, index, std::move(socket));
            e.all.push_back(known.get());
            pipe->ends_[index] = known;
        }
    }
    pipe->hold(*known);
    return known;
}

void pipe_object::hold(const pipe_end& e) {
    if (e.socket() < 0)
        throw std::logic_error{
            "coproc: this end of a pipe came into a worker by fork, which closed "
            "it there; pass it to the worker as an argument"};
    auto& holder = mine().holder[e.index()];
    std::uint32_t free = 0;
    if (holder.load(std::memory_order_relaxed) == 0)
        holder.compare_exchange_strong(free, self() + 1);
}

void pipe_object::let_go(unsigned end) noexcept {
    std::uint32_t me = self_if_party() + 1;
    mine().holder[end].compare_exchange_strong(me, 0);
}

bool pipe_object::other_is_gone(const pipe_end& e) const noexcept {
    words& w = mine();
    const unsigned other = 1 - e.index();
    if (w.gone[other].load(std::memory_order_acquire) != 0) return true;
    const std::uint32_t holder = w.holder[other].load(std::memory_order_acquire);
    if (holder != 0 && !is_dead(party_at(holder - 1))) return false;
    pollfd entry{e.socket(), 0, 0};
    static_cast<void>(os::retry([&]() noexcept { return ::poll(&entry, 1, 0); }));
    if ((entry.revents & POLLHUP) == 0) return false;
    w.gone[other].store(1, std::memory_order_release);
    return true;
}

void pipe_object::wake_all() noexcept {
    for (way& w : mine().ways) {
        wake(w.messages, INT_MAX);
        wake(w.room, INT_MAX);
    }
}

void pipe_object::repair(shared::party& dead) noexcept {
    words& w = mine();
    for (unsigned i = 0; i != 2; ++i) {
        std::uint32_t it = index_of(dead) + 1;
        w.holder[i].compare_exchange_strong(it, 0);
        w.ways[i].messages.waiters.fetch_sub(dead.waiting[2 * i].exchange(0));
        w.ways[i].room.waiters.fetch_sub(dead.waiting[2 * i + 1].exchange(0));
        release_guard(w.ways[i].sending, dead);
        release_guard(w.ways[i].receiving, dead);
    }
}

// --- sending -------------------------------------------------------------------------------------

std::uint64_t pipe_object::unread(const way& w) noexcept {
    const std::uint64_t head = w.head.load(std::memory_order_acquire);
    return w.tail.load(std::memory_order_acquire) - head + w.large.load(std::memory_order_acquire);
}

/// It may have been emptied since.
bool pipe_object::looks_full(const way& w) noexcept {
    return w.tail.load(std::memory_order_acquire) - w.head_seen.load(std::memory_order_acquire) +
               w.large.load(std::memory_order_acquire) >=
           most_unread;
}

/// Under the senders' guard.
bool pipe_object::is_full(way& w) noexcept {
    if (looks_full(w)) w.head_seen.store(w.head.load(std::memory_order_relaxed));
    return looks_full(w);
}

void pipe_object::copy_in(const way& w, std::uint64_t position, const void* from,
                          std::size_t n) noexcept {
    const std::size_t at = position % ring_size;
    const std::size_t first = std::min<std::size_t>(n, ring_size - at);
    std::memcpy(ring(w) + at, from, first);
    if (first != n) std::memcpy(ring(w), static_cast<const std::byte*>(from) + first, n - first);
}

bool pipe_object::try_send(pipe_end& from, outgoing_message& message) {
    way& w = mine().ways[from.index()];
    hold(from);
    if (other_is_gone(from))
        throw end_of_stream_error{"coproc: the other end of the pipe is gone: nobody would receive "
                                  "what is sent"};
    if (looks_full(w) && unread(w) >= most_unread) return false;
    {
        const guard held{*this, w.sending};
        if (is_full(w) || !append(w, from, message)) return false;
        announce_change(w.messages);
    }
    wake_sleepers(w.messages, 1);
    return true;
}

/// Before the tail is moved, under the senders' guard.
void pipe_object::copy_beside_tail(way& w, std::uint64_t position,
                                   const outgoing_message& message) noexcept {
    static_assert(copy_size < last_mask && copy_size <= outgoing_message::small_size);
    w.last.store(0, std::memory_order_relaxed);
    if (message.size_ > copy_size || !message.descriptors_.empty()) return;
    std::uint64_t words[copy_words] = {};
    std::memcpy(words, message.bytes(), message.size_);
    // Each behind the 0 before them: whoever has read a new word finds another message's number.
    for (std::size_t i = 0; 8 * i < message.size_; ++i)
        w.copy[i].store(words[i], std::memory_order_release);
    w.last.store(last_word(position, message.size_), std::memory_order_release);
}

bool pipe_object::append(way& w, pipe_end& from, outgoing_message& message) {
    const bool is_large = static_cast<bool>(message.large_);
    const std::uint64_t tail = w.tail.load(std::memory_order_relaxed);
    std::uint64_t at = tail;
    std::uint64_t word = message.size_;
    if (!message.descriptors_.empty()) {
        word |= beside | (is_large ? large : 0);
        const companion c{w.number.load() + 1, message.descriptors_.size()};
        // Not used again, even if this process dies here: what it has sent then is a stray.
        w.number.store(c.number);
        if (!lane::send(from.socket(), c.number, message.descriptors_)) {
            if (other_is_gone(from) || unread(w) != 0) return false; // looked at again
            throw std::system_error{ENOBUFS, std::generic_category(),
                                    "coproc: send a message with handles"};
        }
        copy_in(w, at + sizeof word, &c, sizeof c);
        at += sizeof c;
    }
    copy_in(w, tail, &word, sizeof word);
    at += sizeof word;
    copy_beside_tail(w, tail, message);
    if (!is_large) {
        copy_in(w, at, message.bytes(), message.size_);
        w.tail.store(round_up(at + message.size_), std::memory_order_release);
    } else {
        const guard held{*this};
        shared::transaction change{base()};
        change.set(w.tail, at);
        change.set(w.large, w.large.load() + message.size_);
        change.commit();
    }
    return true;
}

// --- receiving -----------------------------------------------------------------------------------

void pipe_object::copy_out(const way& w, std::uint64_t position, void* to,
                           std::size_t n) const noexcept {
    const std::size_t at = position % ring_size;
    const std::size_t first = std::min<std::size_t>(n, ring_size - at);
    std::memcpy(to, ring(w) + at, first);
    if (first != n) std::memcpy(static_cast<std::byte*>(to) + first, ring(w), n - first);
}

bool pipe_object::ready(pipe_end& at) {
    hold(at);
    const way& w = mine().ways[1 - at.index()];
    const auto any = [&] { return w.head.load() != w.tail.load(); };
    return any() || other_is_gone(at);
}

bool pipe_object::try_recv(pipe_end& at, const element_sink& sink) {
    hold(at);
    way& w = mine().ways[1 - at.index()];
    const auto nothing = [&] {
        return w.head.load(std::memory_order_acquire) == w.tail.load(std::memory_order_acquire);
    };
    incoming message;
    for (;;) {
        if (nothing()) {
            if (!other_is_gone(at)) return false;
            if (nothing())
                throw end_of_stream_error{"coproc: the other end of the pipe is gone, and all that "
                                          "it sent was received"};
        }
        // If it is not beside the tail, it comes from the sender's cache meanwhile.
        const std::uint64_t head = w.head.load(std::memory_order_relaxed);
        if (w.last.load(std::memory_order_relaxed) >> last_shift != head)
            os::prefetch(ring(w) + head % ring_size);
        {
            const guard held{*this, w.receiving};
            if (take_beside_tail(w, message) || take(w, at, message)) {
                announce_change(w.room);
                break;
            }
        }
        if (message.size > message.room) {
            message.medium = std::make_unique_for_overwrite<std::byte[]>(message.size);
            message.room = message.size;
        }
    }
    wake_sleepers(w.room, 1);

    received_descriptors descriptors{message.descriptors, message.is_large ? 1u : 0u};
    if (!message.is_large) {
        reader r{{message.memory(), message.size}, &descriptors};
        sink(r);
        return true;
    }
    const int memory = message.descriptors.front().get();
    if (os::sealed_size(memory) < message.size) damaged();
    const os::mapping mapped{memory, 0, message.size, os::access::read};
    reader r{mapped.bytes(), &descriptors};
    sink(r);
    return true;
}

bool pipe_object::put_back(pipe_end& at, const outgoing_message& message) {
    if (!message.descriptors_.empty()) return false;
    way& w = mine().ways[1 - at.index()];
    {
        const guard held{*this, w.receiving};
        const guard no_sender{*this, w.sending};
        const std::uint64_t word = message.size_;
        const std::uint64_t used = round_up(sizeof word + message.size_);
        const std::uint64_t head = w.head.load(std::memory_order_relaxed);
        if (used > head || w.tail.load(std::memory_order_relaxed) - head + used > ring_size)
            return false;
        copy_in(w, head - used, &word, sizeof word);
        copy_in(w, head - used + sizeof word, message.bytes(), message.size_);
        w.last.store(0, std::memory_order_relaxed); // another message has its place now
        w.head_seen.store(std::min(w.head_seen.load(std::memory_order_relaxed), head - used));
        w.head.store(head - used, std::memory_order_release);
    }
    wake(w.messages, 1);
    return true;
}

/// False: it is to be looked for in the ring.
bool pipe_object::take_beside_tail(way& w, incoming& into) noexcept {
    const std::uint64_t head = w.head.load(std::memory_order_relaxed);
    const std::uint64_t there = w.tail.load(std::memory_order_acquire) - head;
    const std::uint64_t last = w.last.load(std::memory_order_acquire);
    const std::uint64_t size = (last & last_mask) - 1;
    const std::uint64_t used = round_up(sizeof(std::uint64_t) + size);
    if (last >> last_shift != head || size > copy_size || used > there) return false;
    std::uint64_t words[copy_words] = {};
    for (std::size_t i = 0; 8 * i < size; ++i)
        words[i] = w.copy[i].load(std::memory_order_acquire);
    if (w.last.load(std::memory_order_relaxed) != last) return false;
    std::memcpy(into.memory(), words, copy_size);
    into.size = size;
    w.head.store(head + used, std::memory_order_release);
    return true;
}

/// False: there is none any more, or it needs more room.
bool pipe_object::take(way& w, pipe_end& at, incoming& into) {
    into.size = 0;
    const std::uint64_t head = w.head.load(std::memory_order_relaxed);
    const std::uint64_t there = w.tail.load(std::memory_order_acquire) - head;
    if (there == 0) return false;
    std::uint64_t word = 0;
    std::uint64_t used = sizeof word;
    copy_out(w, head, &word, sizeof word);
    const std::uint64_t size = word & size_mask;
    into.is_large = (word & large) != 0;
    companion c{};
    if ((word & beside) != 0) {
        copy_out(w, head + used, &c, sizeof c);
        used += sizeof c;
    }
    if (!into.is_large) {
        if (size > inline_size || round_up(used + size) > there) damaged();
        if (size > into.room) {
            into.size = size;
            return false;
        }
        copy_out(w, head + used, into.memory(), size);
        used += size;
    } else if (c.descriptors == 0) {
        damaged();
    }
    if ((word & beside) != 0) into.descriptors = lane::look(at.socket(), c.number, c.descriptors);
    if (!into.is_large) {
        w.head.store(head + round_up(used), std::memory_order_release);
    } else {
        const guard held{*this};
        shared::transaction change{base()};
        change.set(w.head, head + used);
        change.set(w.large, w.large.load() - size);
        change.commit();
    }
    // From here on what went beside it is a stray.
    if ((word & beside) != 0) lane::drop(at.socket(), c.number);
    into.size = size;
    return true;
}

} // namespace coproc::detail
