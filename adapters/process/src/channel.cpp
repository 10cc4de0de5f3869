// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <src/channel.hpp>

#include <coproc/detail/forks.hpp>
#include <coproc/detail/spare_storage.hpp>
#include <os/clock.hpp>
#include <os/eventfd.hpp>
#include <os/futex.hpp>
#include <os/socket.hpp>
#include <os/spin.hpp>
#include <os/system_call.hpp>

#include <algorithm>
#include <cstring>
#include <new>
#include <stdexcept>
#include <string>
#include <sys/resource.h>
#include <system_error>
#include <utility>

namespace coproc::detail {
namespace {

constexpr std::size_t header_bytes = sizeof(entry_header);
constexpr std::size_t claim_bytes =
    sizeof(entry_header::claim); // comes first; only touched atomically
constexpr std::uint32_t most_descriptors = 1u << 20;
constexpr std::uint32_t by_kept_object = 1u << 31;  // in entry_header::descriptors
constexpr std::uint32_t read_as_written = 1u << 30; // there, too
constexpr std::uint64_t stretch_unit = 64 * 1024;   // a multiple of every page size

std::size_t offset_in_ring(std::uint64_t position) noexcept {
    return static_cast<std::size_t>(position & (ring_bytes - 1));
}

std::atomic_ref<std::uint32_t> claim_of(std::byte* entry) noexcept {
    return std::atomic_ref<std::uint32_t>{*reinterpret_cast<std::uint32_t*>(entry)};
}

/// Copied once and looked at afterwards: the other side may change it at any moment.
entry_header copy_header(const std::byte* entry) noexcept {
    entry_header header;
    std::memcpy(reinterpret_cast<std::byte*>(&header) + claim_bytes, entry + claim_bytes,
                header_bytes - claim_bytes);
    asm volatile("" : : "r"(&header) : "memory");
    return header;
}

void put_header(std::byte* entry, const entry_header& header) noexcept {
    std::memcpy(entry + claim_bytes, reinterpret_cast<const std::byte*>(&header) + claim_bytes,
                header_bytes - claim_bytes);
}

/// Half of what the file has beside control block and rings.
std::uint64_t stretch(std::uint64_t file_size) {
    if (file_size < mapped_bytes) os::throw_system_error("use a channel of that size", EINVAL);
    return (file_size - mapped_bytes) / 2 / stretch_unit * stretch_unit;
}

/// What goes along with descriptors on the socket.
struct descriptor_note {
    std::uint64_t serial;
    std::uint64_t count;
};

} // namespace

new_channel make_channel() {
    std::uint64_t size = channel_file_bytes;
    rlimit limit{};
    if (::getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur < size)
        size = std::max<std::uint64_t>(limit.rlim_cur / stretch_unit * stretch_unit, mapped_bytes);
    new_channel made;
    made.parent.memory = os::make_memfd("coproc-channel", size);
    made.parent.bell = os::make_eventfd();
    std::tie(made.parent.socket, made.worker_socket) = os::make_socketpair();
    return made;
}

channel_descriptors new_channel::worker_end() && {
    return {parent.memory.duplicate(), std::move(worker_socket), parent.bell.duplicate()};
}

// --- incoming --------------------------------------------------------------------------------------

incoming::~incoming() = default;

os::unique_fd incoming::next_descriptor() {
    for (;;) {
        while (!arrived_.empty() && arrived_.front().serial < serial_)
            arrived_.pop_front();
        if (!arrived_.empty()) {
            if (arrived_.front().serial != serial_) break;
            os::unique_fd fd = std::move(arrived_.front().fd);
            arrived_.pop_front();
            return fd;
        }
        // They were sent before the message was published, so they are there now or never.
        descriptor_note note{};
        os::received got =
            os::receive_message(socket_, std::as_writable_bytes(std::span{&note, 1}));
        if (got.what != os::received::status::message) break;
        if (got.size != sizeof note || note.serial < serial_) continue;
        for (os::unique_fd& fd : got.descriptors)
            arrived_.push_back({note.serial, std::move(fd)});
        if (got.descriptors.size() != note.count)
            throw serialization_error{
                "coproc: descriptors of a message were lost: this process has too many open files"};
    }
    throw serialization_error{"coproc: a message came without the descriptor it names"};
}

int incoming::take_descriptor() {
    if (left_ == 0 || by_kept_)
        throw serialization_error{"coproc: a message came without the descriptor it names"};
    --left_;
    return next_descriptor().release();
}

void incoming::keep(std::shared_ptr<void> object) noexcept {
    if (may_keep_) kept_.keep(std::static_pointer_cast<shared::object>(std::move(object)));
}

std::shared_ptr<void> incoming::take_kept() noexcept {
    if (!by_kept_ || left_ == 0) return nullptr;
    const auto& object = kept_.object();
    if (object != nullptr) --left_;
    return object;
}

/// Of a message that is done with, or was taken back.
void incoming::forget_descriptors() noexcept {
    if (std::exchange(by_kept_, false)) {
        left_ = 0;
        kept_.redeem();
    }
    try {
        for (; left_ != 0; --left_)
            next_descriptor();
    } catch (...) {
        left_ = 0;
    }
}

std::size_t incoming::wait_for(std::size_t least) {
    if (flow_ == nullptr)
        throw serialization_error{"coproc: the rest of a message does not come to the child of a "
                                  "fork() that took place while it was being read"};
    const std::size_t there = flow_->wait_for(least, serial_, flows_to_, spin_ns_);
    if (there != flows_to_) return there;
    if (given_up())
        throw serialization_error{"coproc: a message was given up while it was being written"};
    if (whole_since_ns_ == 0) whole_since_ns_ = os::monotonic_ns();
    return there;
}

[[gnu::hot]] bool incoming::given_up() noexcept {
    if (flow_ == nullptr) return false;
    flow_->wait_for(flows_to_, serial_, flows_to_, spin_ns_);
    return std::atomic_ref{*claim_}.load(std::memory_order_relaxed) == claim_when_given_up_;
}

// --- endpoint --------------------------------------------------------------------------------------

endpoint::endpoint(channel_side side, channel_descriptors descriptors)
    : side_{side},
      descriptors_{std::move(descriptors)},
      memory_{descriptors_.memory.get(), 0, mapped_bytes},
      blocks_out_{descriptors_.memory.get(), 0, 0},
      blocks_in_{descriptors_.memory.get(), 0, 0},
      current_{descriptors_.socket.get()} {
    const bool parent = side == channel_side::parent;
    const int file = descriptors_.memory.get();
    const std::uint64_t each = stretch(os::sealed_size(file));
    blocks_out_ = arena{file, mapped_bytes + (parent ? 0 : each), each};
    blocks_in_ = arena_view{file, mapped_bytes + (parent ? each : 0), each};

    if (parent) {
        control_ = ::new (memory_.data()) channel_control; // fresh memory is zero anyway
        control_->version = protocol_version;
    } else {
        control_ = std::launder(reinterpret_cast<channel_control*>(memory_.data()));
        if (control_->version != protocol_version)
            throw error{"coproc: the parent speaks another version of the protocol"};
    }
    std::byte* const down = memory_.data() + control_bytes;
    std::byte* const up = down + ring_bytes;
    if (!parent) current_.kept_.attach(control_->kept);
    out_.shared = parent ? &control_->down : &control_->up;
    out_.data = parent ? down : up;
    in_.shared = parent ? &control_->up : &control_->down;
    in_.data = parent ? up : down;
}

endpoint::~endpoint() = default;

void endpoint::corrupt(const char* what) {
    throw channel_corrupt{std::string{"coproc: the channel of a worker is corrupt: "} + what};
}

// --- sending

void endpoint::refresh_head() {
    const std::uint64_t head = out_.shared->head.load(); // see want_room()
    if (head < out_.head_seen || head > out_.tail) corrupt("a position that cannot be");
    out_.head_seen = head;
    while (!out_.blocks.empty() && out_.blocks.front().position < head) {
        blocks_out_.release(out_.blocks.front().where);
        out_.blocks.pop_front();
    }
}

[[gnu::hot]] std::uint64_t endpoint::room() const noexcept {
    return ring_bytes - (out_.tail - out_.head_seen);
}

/// Whether the rest of the ring had better be left out. Looks for it once in a while: the head is
/// in the consumer's cache. Not for larger messages, of which what is left would hold but few.
[[gnu::hot]] bool endpoint::may_begin_anew(std::size_t entry, std::size_t rest) {
    constexpr std::size_t small = 1024;
    constexpr std::size_t once_in = 4096;
    const std::size_t offset = ring_bytes - rest;
    if (offset < ring_begun_anew || entry > small || offset % once_in + entry < once_in)
        return false;
    refresh_head();
    return room() >= rest + entry + reserved_bytes + ring_begun_anew / 2;
}

void endpoint::wait_for_room() {
    // Never happens as long as the parent keeps to guaranteed_messages. The timeout is for the
    // wake-up that is missed because the parent does not order its store and its load at every pop.
    auto& wanted = control_->worker_wants_room;
    while (room() < header_bytes) {
        wanted.store(1);
        refresh_head();
        if (room() >= header_bytes) break;
        os::futex_wait(wanted, 1, std::chrono::milliseconds{10});
        refresh_head();
    }
    wanted.store(0, std::memory_order_relaxed);
}

[[gnu::hot]] writer& endpoint::begin(message_kind kind, std::uint64_t id, std::uint32_t flags,
                                     std::size_t size) {
    if (out_.open) throw std::logic_error{"coproc: a message is being written already"};

    const std::size_t entry =
        (header_bytes + size + header_bytes - 1) / header_bytes * header_bytes;
    const std::size_t rest = ring_bytes - offset_in_ring(out_.tail);
    const std::size_t padding = entry > rest || may_begin_anew(entry, rest) ? rest : 0;
    bool inlined = size <= inline_limit;
    if (inlined && size != 0) {
        const std::uint64_t needed = entry + padding + reserved_bytes;
        if (room() < needed) refresh_head();
        inlined = room() >= needed;
    }
    if (!inlined || !out_.blocks.empty() || room() < header_bytes) refresh_head();
    if (room() < header_bytes) {
        if (side_ == channel_side::parent)
            throw channel_full{"coproc: too many messages are under way to one worker"};
        wait_for_room();
    }

    entry_header& header = out_.open_header;
    header = {};
    header.kind = static_cast<std::uint32_t>(kind);
    header.flags = flags;
    header.id = id;
    header.serial = ++out_.serial;
    std::byte* payload = nullptr;
    if (inlined) {
        out_.open_position = out_.tail;
        if (padding != 0) {
            entry_header filler;
            filler.size = static_cast<std::uint32_t>(padding);
            put_header(out_.data + offset_in_ring(out_.tail), filler);
            out_.open_position += padding;
        }
        header.size = static_cast<std::uint32_t>(entry);
        payload = out_.data + offset_in_ring(out_.open_position) + header_bytes;
    } else {
        out_.open_position = out_.tail;
        out_.blocks.push_back({out_.open_position, {}});
        arena_block& where = out_.blocks.back().where;
        try {
            where = blocks_out_.allocate(size);
        } catch (...) {
            out_.blocks.pop_back();
            throw;
        }
        header.size = header_bytes;
        header.block = where.offset + 1;
        payload = blocks_out_.data(where);
    }
    out_.open = true;
    out_.descriptors.clear();
    out_.last_number = 0;
    out_.out = writer{std::span{payload, size}, &out_.descriptors, &out_.last_number};
    return out_.out;
}

void endpoint::send_descriptors() {
    const auto mode = side_ == channel_side::worker ? os::blocking::yes : os::blocking::no;
    std::span<const int> left{out_.descriptors};
    while (!left.empty()) {
        const auto some = left.first(std::min(left.size(), os::max_descriptors));
        const descriptor_note note{out_.open_header.serial, some.size()};
        // A peer that is gone needs none; its end is noticed elsewhere.
        if (!os::send_message(socket(), std::as_bytes(std::span{&note, 1}), some, mode)) return;
        left = left.subspan(some.size());
    }
}

/// The worker has the one object that goes along, and keeps it until it has done this call.
[[gnu::hot]] bool endpoint::promise_kept() noexcept {
    return side_ == channel_side::parent && out_.descriptors.size() == 1 &&
           out_.open_header.kind == static_cast<std::uint32_t>(message_kind::call) &&
           control_->kept.promise(out_.last_number);
}

[[gnu::hot]] message_token endpoint::commit(reply_facts facts) {
    if (!out_.open) throw std::logic_error{"coproc: no message is being written"};
    entry_header& header = out_.open_header;
    if (out_.flows) {
        if (end_flow()) control_->flow.tell(header.payload);
        return {out_.open_position};
    }
    header.descriptors = static_cast<std::uint32_t>(out_.descriptors.size());
    if (promise_kept()) {
        header.descriptors |= by_kept_object;
    } else if (!out_.descriptors.empty()) {
        try {
            send_descriptors();
        } catch (...) {
            abandon();
            throw;
        }
    }
    header.payload = out_.out.written();
    header.duration_ns = facts.duration_ns;
    header.resident_kib = static_cast<std::uint32_t>(
        std::min<std::size_t>(facts.resident_bytes / 1024, 0xffff'ffffu));

    publish(header);
    out_.open = false;
    return {out_.open_position};
}

[[gnu::hot]] void endpoint::publish(const entry_header& header) noexcept {
    const std::uint64_t position = out_.open_position;
    std::byte* const entry = out_.data + offset_in_ring(position);
    put_header(entry, header);
    claim_of(entry).store(claim_word(position, entry_state::waiting), std::memory_order_relaxed);
    out_.tail = position + header.size;
    out_.shared->tail.store(out_.tail, std::memory_order_release);
    out_.unflushed = true;
}

void endpoint::abandon() noexcept {
    if (out_.flows) {
        if (!end_flow()) return;
        const message_token token{out_.open_position};
        if (!revoke(token))
            claim_of(out_.data + offset_in_ring(token.position))
                .store(claim_word(token.position, entry_state::given_up),
                       std::memory_order_relaxed);
        control_->flow.tell(out_.open_header.payload);
        return;
    }
    if (!std::exchange(out_.open, false) || out_.open_header.block == 0) return;
    blocks_out_.release(out_.blocks.back().where);
    out_.blocks.pop_back();
}

/// False in the child of a fork that took place meanwhile: its parent goes on writing.
bool endpoint::end_flow() noexcept {
    out_.flows = false;
    out_.open = false;
    return out_.forks == count_forks();
}

[[gnu::hot]] void endpoint::let_flow() noexcept {
    const std::size_t size = out_.out.room();
    if (out_.open_header.block == 0 || size < flowing) return;
    // It takes no descriptors.
    out_.out = writer{{blocks_out_.data(out_.blocks.back().where), size}};
    out_.out.flow_through(this);
    out_.forks = count_forks();
}

/// The first time, the message is published as far as it is there. The last bytes are told of by
/// commit(), so nobody begins to run a call that may still be abandoned.
void endpoint::copy(std::byte* to, const void* from, std::size_t n) {
    if (out_.forks != count_forks()) { // what the child of a fork tells would count as its parent's
        std::memcpy(to, from, n);
        return;
    }
    entry_header& header = out_.open_header;
    if (!out_.flows) {
        header.payload = out_.out.written() + out_.out.room();
        header.descriptors = read_as_written;
        control_->flow.begin(header.serial);
        publish(header);
        out_.flows = true;
        flush();
    }
    const auto* source = static_cast<const std::byte*>(from);
    for (std::size_t done = out_.out.written() - n; n != 0;) {
        const std::size_t some = std::min(n, writer::flowing);
        std::memcpy(to, source, some);
        to += some;
        source += some;
        n -= some;
        done += some;
        if (done != header.payload) control_->flow.tell(done);
    }
}

/// Before the peer is woken: false if there is nothing that it has not been told of.
[[gnu::hot]] bool endpoint::begin_flush() noexcept {
    if (!std::exchange(out_.unflushed, false)) return false;
    // Sequentially consistent, here and where the peer goes to sleep: either it sees the message,
    // or we see that it sleeps.
    out_.shared->tail.store(out_.tail);
    return true;
}

void endpoint::flush() noexcept {
    if (side_ == channel_side::worker) {
        if (begin_flush()) ring(false);
    } else if (must_wake()) {
        wake();
    }
}

[[gnu::hot]] bool endpoint::must_wake() noexcept {
    return begin_flush() && control_->worker_sleeps.load() != 0 &&
           control_->worker_sleeps.exchange(0) != 0;
}

[[gnu::hot]] void endpoint::wake() noexcept { os::futex_wake(control_->worker_sleeps); }

[[gnu::hot]] void endpoint::flush_reply() noexcept {
    if (begin_flush()) ring(true);
}

/// Rings the bell that is armed. Only one who finds it armed and unsays that rings it; the parent
/// may arm another at any time, and looks for messages itself when it has.
[[gnu::hot]] void endpoint::ring(bool with_reply) noexcept {
    auto& armed = control_->parent_armed;
    std::uint32_t now = armed.load();
    for (;;) {
        const std::uint32_t whom = now & announce::mask;
        if (whom == announce::nobody || (whom == announce::later && with_reply)) return;
        if (whom == announce::loop && with_reply) {
            const std::size_t slot = now >> announce::slot_shift;
            if (slot < loop_bells_.size() && loop_bells_[slot]) {
                if (!armed.compare_exchange_strong(now, announce::later)) continue;
                if (os::ring(loop_bells_[slot].get())) return;
                ring_reactor();
                return;
            }
        }
        if (!armed.compare_exchange_strong(now, announce::nobody)) continue;
        ring_reactor();
        return;
    }
}

/// A task may have closed all descriptors, its own or not: see wait().
[[gnu::hot]] void endpoint::ring_reactor() noexcept {
    if (!os::ring(bell())) cut_off_ = true;
}

/// Before the worker sleeps or goes on to its next call: what was left to an event loop that has
/// not come for it is the reactor's. If `later` is seen here, every reply before was left to the
/// loop; if something else is seen, whoever wrote that looked for them afterwards. And a head that
/// has reached the tail has been moved by one who has read them.
[[gnu::hot]] void endpoint::tell_of_unheard() noexcept {
    std::uint32_t now = control_->parent_armed.load();
    if ((now & announce::mask) != announce::later) return;
    if (out_.shared->head.load(std::memory_order_acquire) == out_.tail) return;
    if (control_->parent_armed.compare_exchange_strong(now, announce::nobody)) ring_reactor();
}

bool endpoint::revoke(message_token token) noexcept {
    if (token.position >= out_.tail || out_.tail - token.position > ring_bytes) return false;
    if (token.position < out_.head_seen)
        return false; // consumed, and its place may be in use again
    auto expected = claim_word(token.position, entry_state::waiting);
    if (!claim_of(out_.data + offset_in_ring(token.position))
             .compare_exchange_strong(expected, claim_word(token.position, entry_state::revoked)))
        return false;
    // A worker looks at the payload of what it has claimed only.
    const auto at = std::ranges::lower_bound(out_.blocks, token.position, {}, &block::position);
    if (at != out_.blocks.end() && at->position == token.position) {
        blocks_out_.release(at->where);
        out_.blocks.erase(at);
    }
    return true;
}

bool endpoint::want_room() {
    // Sequentially consistent, here and in tell_of_room(): either we see how far the worker is, or
    // it sees that we wait.
    control_->parent_wants_room.store(1);
    refresh_head();
    return room() >= header_bytes;
}

/// Before the worker sleeps: it has taken out all there was.
[[gnu::hot]] void endpoint::tell_of_room() noexcept {
    in_.shared->head.store(in_.head);
    auto& wanted = control_->parent_wants_room;
    if (wanted.load() != 0 && wanted.exchange(0) != 0) ring_reactor();
}

void endpoint::trim() noexcept {
    try {
        refresh_head();
    } catch (const channel_corrupt&) {
        return; // the receiving side will say so
    }
    blocks_out_.trim();
}

// --- receiving

[[gnu::hot]] bool endpoint::has_message() const noexcept {
    return in_.current_size != 0 || in_.shared->tail.load() != in_.head;
}

[[gnu::hot]] incoming* endpoint::peek() {
    if (in_.current_size != 0) return &current_;
    for (;;) {
        if (in_.tail_seen == in_.head) {
            const std::uint64_t tail = in_.shared->tail.load(std::memory_order_acquire);
            if (tail < in_.head || tail - in_.head > ring_bytes || tail % header_bytes != 0)
                corrupt("a position that cannot be");
            in_.tail_seen = tail;
            if (tail == in_.head) return nullptr;
        }
        const std::size_t offset = offset_in_ring(in_.head);
        std::byte* const entry = in_.data + offset;
        const entry_header header = copy_header(entry);
        if (header.size < header_bytes || header.size % header_bytes != 0 ||
            header.size > ring_bytes - offset || header.size > in_.tail_seen - in_.head)
            corrupt("a message of a size that cannot be");
        if (header.kind > static_cast<std::uint32_t>(last_message_kind))
            corrupt("an unknown message");
        const std::uint32_t marks = // the parent's
            side_ == channel_side::worker ? header.descriptors & (by_kept_object | read_as_written)
                                          : 0;
        const bool flows = (marks & read_as_written) != 0;
        const std::uint32_t descriptors = header.descriptors & ~marks;
        if (descriptors > most_descriptors) corrupt("too many descriptors");
        const auto kind = static_cast<message_kind>(header.kind);
        if (kind == message_kind::padding) {
            skip(header.size);
            continue;
        }

        current_.serial_ = header.serial;
        current_.left_ = descriptors;
        current_.by_kept_ = (marks & by_kept_object) != 0;
        current_.unreadable_ = 0;
        current_.flow_ = nullptr;
        current_.whole_since_ns_ = 0;
        if (side_ == channel_side::worker && kind == message_kind::call) {
            auto expected = claim_word(in_.head, entry_state::waiting);
            if (!claim_of(entry).compare_exchange_strong(
                    expected, claim_word(in_.head, entry_state::claimed))) {
                current_.forget_descriptors();
                skip(header.size);
                continue;
            }
        }

        if (header.block == 0) {
            if (header.payload > header.size - header_bytes)
                corrupt("a payload longer than its message");
            current_.bytes = {entry + header_bytes, static_cast<std::size_t>(header.payload)};
        } else {
            try {
                const auto found = blocks_in_.at(header.block - 1, header.payload);
                if (!found) corrupt("a payload outside of the channel");
                current_.bytes = *found;
            } catch (const std::system_error& e) { // the fault of the message alone
                current_.bytes = {};
                current_.unreadable_ = e.code().value();
            }
        }
        if (flows) {
            current_.flow_ = &control_->flow;
            current_.flows_to_ = static_cast<std::size_t>(header.payload);
            current_.claim_ = reinterpret_cast<std::uint32_t*>(entry);
            current_.claim_when_given_up_ = claim_word(in_.head, entry_state::given_up);
            current_.spin_ns_ = control_->spin_ns.load(std::memory_order_relaxed);
        }
        if (side_ == channel_side::worker) {
            current_.may_keep_ = kind == message_kind::call && descriptors == 1;
            if (!current_.may_keep_) current_.kept_.let_go();
        }
        current_.kind = kind;
        current_.flags = header.flags;
        current_.id = header.id;
        current_.duration_ns = header.duration_ns;
        current_.resident_bytes = std::size_t{header.resident_kib} * 1024;
        in_.current_size = header.size;
        return &current_;
    }
}

[[gnu::hot]] void endpoint::pop() noexcept {
    if (in_.current_size == 0) return;
    if (current_.left_ != 0 || current_.by_kept_) current_.forget_descriptors();
    current_.kept_.call_ended();
    current_.bytes = {};
    const std::uint32_t size = in_.current_size;
    in_.current_size = 0;
    skip(size);
}

[[gnu::hot]] void endpoint::skip(std::uint32_t size) noexcept {
    in_.head += size;
    in_.shared->head.store(in_.head, std::memory_order_release);
    if (side_ == channel_side::parent &&
        control_->worker_wants_room.load(std::memory_order_relaxed) != 0 &&
        control_->worker_wants_room.exchange(0) != 0)
        os::futex_wake(control_->worker_wants_room);
}

// --- waiting

bool endpoint::arm() noexcept { return arm_for(announce::reactor); }

bool endpoint::arm_loop(std::uint32_t slot) noexcept {
    return arm_for(announce::loop | slot << announce::slot_shift);
}

bool endpoint::arm_for(std::uint32_t whom) noexcept {
    control_->parent_armed.store(whom);
    if (!has_message()) return false;
    disarm();
    return true;
}

[[gnu::hot]] void endpoint::disarm() noexcept {
    control_->parent_armed.store(announce::nobody, std::memory_order_relaxed);
}

// The worker reads this after it has found the call, which is published after it.
void endpoint::leave_to_loop() noexcept {
    control_->parent_armed.store(announce::later, std::memory_order_relaxed);
}

bool endpoint::left_to_loop() const noexcept {
    return (control_->parent_armed.load() & announce::mask) >= announce::loop;
}

void endpoint::introduce_bell(std::uint32_t slot, int bell) {
    send(message_kind::bell, 0, 0, sizeof slot, [&](writer& w) {
        w.raw(slot);
        w.descriptor(bell);
    });
}

void endpoint::learn_bell(incoming& message) {
    reader in = message.payload();
    const auto slot = in.raw<std::uint32_t>();
    if (slot >= loop_bells_.size()) return;
    loop_bells_[slot].reset();
    try {
        loop_bells_[slot] = os::unique_fd{in.descriptor()};
    } catch (const serialization_error&) { // too many open files: the reactor's will be rung
    }
}

void endpoint::set_peer_spin(std::chrono::nanoseconds limit) noexcept {
    const auto ns = std::clamp<std::chrono::nanoseconds::rep>(limit.count(), 0, 1'000'000);
    control_->spin_ns.store(static_cast<std::uint32_t>(ns), std::memory_order_relaxed);
}

[[gnu::hot]] incoming* endpoint::wait() {
    constexpr std::chrono::milliseconds near{2}; // so long an object is kept
    constexpr std::chrono::seconds quiet{
        1}; // after this long without a message memory is given back
    auto& sleeps = control_->worker_sleeps;
    std::uint64_t began = 0;
    const auto require_bell = [this] {
        if (cut_off_)
            throw error{"coproc: a task has closed descriptors that were not its own, and so the "
                        "way to tell the parent of its result"};
    };
    for (;;) {
        require_bell();
        if (incoming* message = peek()) {
            tell_of_unheard();
            return message;
        }
        if (began == 0) began = os::monotonic_ns();

        // Spinning goes on as long as it pays: a wait that took longer halves it, a short one
        // brings it back.
        const std::uint64_t limit = control_->spin_ns.load(std::memory_order_relaxed);
        if (os::spin_for(std::min(spin_ns_, limit), [&] { return has_message(); })) continue;

        tell_of_unheard();
        tell_of_room();
        require_bell();
        control_->worker_waits_on.store(os::this_cpu() + 1, std::memory_order_relaxed);
        sleeps.store(1);
        // The next call may be far away, or just as far as it is to tell of this one's end and to
        // be woken for the next: not to keep an object then would make sure that it takes that
        // long.
        if (current_.kept_.keeps() && !has_message() && !os::futex_wait(sleeps, 1, near))
            current_.kept_.let_go();
        // A timer only for those who have something to give back: it takes longer to set and to
        // stop one than to fall asleep.
        if ((holds_much() || spare_storage::keeps()) && !has_message() &&
            !os::futex_wait(sleeps, 1, quiet)) {
            trim();
            spare_storage::drop();
        }
        while (!has_message() && sleeps.load() != 0)
            os::futex_wait(sleeps, 1);
        sleeps.store(0, std::memory_order_relaxed);
        control_->worker_waits_on.store(0, std::memory_order_relaxed);
        if (!has_message()) continue; // woken for nothing
        const std::uint64_t waited = os::monotonic_ns() - began;
        spin_ns_ = waited <= 2 * limit ? limit : spin_ns_ / 2;
        if (spin_ns_ < 1000) spin_ns_ = 0;
    }
}

// --- the control block

[[gnu::hot]] void endpoint::begin_running(std::uint64_t id, std::uint64_t started_ns) noexcept {
    control_->running_item.store(0, std::memory_order_relaxed);
    control_->running_since.store(started_ns, std::memory_order_relaxed);
    control_->running_id.store(id + 1, std::memory_order_release);
}

[[gnu::hot]] void endpoint::begin_item(std::uint32_t item, std::uint64_t started_ns) noexcept {
    // The time goes first: whoever sees the item sees no time before it began.
    if (started_ns != 0) control_->running_since.store(started_ns, std::memory_order_release);
    control_->running_item.store(item, std::memory_order_release);
}

[[gnu::hot]] void endpoint::end_running() noexcept {
    control_->running_id.store(0, std::memory_order_release);
}

std::optional<running_call> endpoint::running() const noexcept {
    for (int i = 0; i != 3; ++i) {
        const std::uint64_t id = control_->running_id.load(std::memory_order_acquire);
        if (id == 0) return std::nullopt;
        running_call call{id - 1, control_->running_item.load(std::memory_order_acquire),
                          control_->running_since.load(std::memory_order_acquire)};
        if (control_->running_id.load(std::memory_order_relaxed) == id) return call;
    }
    return std::nullopt; // it runs through calls faster than they can be told
}

bool endpoint::consumed(message_token token) const noexcept {
    return token.position == message_token{}.position ||
           out_.shared->head.load(std::memory_order_acquire) > token.position;
}

std::optional<crash_report> endpoint::crash() const {
    const crash_area& area = control_->crash;
    if (area.happened.load(std::memory_order_acquire) == 0) return std::nullopt;
    crash_report report;
    report.signal = area.signal;
    report.address = area.address;
    const std::size_t frames =
        std::min<std::size_t>(area.frames.load(std::memory_order_acquire), crash_area::max_frames);
    const std::size_t modules = std::min<std::size_t>(area.modules.load(std::memory_order_acquire),
                                                      crash_area::max_modules);
    for (std::size_t i = 0; i != frames; ++i) {
        backtrace_frame frame{"?", area.frame_at[i].offset};
        const std::uint32_t module = area.frame_at[i].module;
        if (module < modules) {
            const std::uint32_t at = area.path_at[module];
            if (at < crash_area::path_bytes)
                frame.module.assign(area.paths + at,
                                    ::strnlen(area.paths + at, crash_area::path_bytes - at));
        }
        report.frames.push_back(std::move(frame));
    }
    return report;
}

} // namespace coproc::detail
